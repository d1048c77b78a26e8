//go:build mutations

package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"redis-vip/examples/sim/world"
)

// mutation takes one guard out of the decision code.
type mutation struct {
	name, architecture string
	only               string // faults of these kinds, where others rarely come to it
	file, old, new     string // old stands in the file once
}

var mutations = []mutation{
	{"two masters go on", "pair", "", "checks/rules.go", "	for _, peer := range f.Peers {\n		if d, ground := f.rank(peer, p); d > 0 && (peer", "	for _, peer := range f.Peers[:0] {\n		if d, ground := f.rank(peer, p); d > 0 && (peer"},
	{"a node that restarted does not wait", "pair", "RedisKilled,CutOff,Cut", "checks/rules.go", "	if !f.Restarted() || len(f.Peers) == 0", "	if true || !f.Restarted() || len(f.Peers) == 0"},
	{"a master does not rank above a replica", "pair", "", "checks/rank.go", "	if d := prefer(side{a.IsMaster(), b.IsMaster()}); d != 0 {", "	if d := 0; d != 0 {"},
	{"a master without the VIP is no drift", "pair", "", "checks/judge.go", "		return !v.Fit // and", "		return false // and"},
	{"who follows nobody is a stranger", "pair", "", "checks/facts.go", "!f.Restarted() && !f.Follows(node.Nobody) &&", "!f.Restarted() &&"},
	{"a new master empties who waits for it", "pair", "HooksFail,RedisKilled", "hooks/promote.go", "		{name: \"send followers away\", run: p.sendAway},\n", ""},
	{"what the old master has more is not saved", "pair", "", "hooks/promote.go", "		if d := preserve.Diverge(theirs, r.Facts.Node.Facts); !d.Safe() {", "		if false {"},
	{"a demotion saves nothing", "pair", "", "hooks/demote.go", "		{name: \"preserve\", run: d.preserve, slow: true},\n", ""},
	{"a file from before the history that is remembered does not matter", "pair", "PowerLoss", "checks/rank.go", "	case later && m.ReplID != \"\" && f.Offset > 0 && f.ReplID != m.ReplID:", "	case false:"},
	{"what is promoted is not what was judged", "witness", "CutOff", "hooks/promote.go", "	case !p.isJudged(r.Facts.Node):", "	case false:"},
	{"who has been sent away is no candidate", "pair", "Lossy,RingMade", "hooks/promote.go", "		result = fmt.Errorf(\"%w: %s waits for nobody now\", errAgain, peer.Addr)", "		result = nil"},
	{"a lease is not needed", "witness", "", "checks/lease.go", "	case f.Lease.Witnesses == 0, f.conceded():", "	case true, f.conceded():"},
	{"a master without votes is fit", "witness", "CutOff", "checks/lease.go", "	case f.Role == node.Master && !f.Entitled() &&", "	case false && !f.Entitled() &&"},
	{"a fenced master that is made a replica stays paused", "sentinel", "", "hooks/reconcile.go", "	if r.Facts.Role == node.Replica && resolution.Course != checks.Fence {", "	if false {"},
	{"one Sentinel is a majority", "sentinel", "", "checks/council.go", "		if n > len(c.Answers)/2 {", "		if n > 0 {"},
	{"a dead Redis is fit", "pair", "", "checks/rules.go", "	if !f.Class.Answers() {\n		return Unreachable", "	if false {\n		return Unreachable"},
	{"half a copy is data", "pair", "", "checks/rules.go", "	if f.Role == node.Replica && f.Upstream.Syncing {\n		return Syncing", "	if false {\n		return Syncing"},
	{"who reaches neither the gateway nor the other goes on", "pair", "", "checks/rules.go", "	case f.Gateway == GatewaySilent, f.Lease.Asked && !f.Lease.Majority():", "	case false:"},
	{"a contested VIP is kept", "pair", "CutOneWay", "checks/rules.go", "	case f.Contested && f.VIP == Here:\n		return Contested", "	case false:\n		return Contested"},
	{"a replica that has lost its living master is fit", "pair", "Unlinked,HooksFail,KeepalivedCrash,KeepalivedStopped", "checks/rules.go", "	case !f.Restarted():\n		return LinkLost", "	case !f.Restarted():\n		return Undecided"},
	{"a node that returns is fit while a master lives", "pair", "", "checks/rules.go", "	default:\n		return Returning", "	default:\n		return Undecided"},
	{"the better data of another replica does not matter", "pair", "RedisKilled,Unlinked,HooksFail,PowerLoss,Cut", "checks/rules.go", "	case ground == ByData, ground != Equal && f.Memory.Better.For(f.Now) < p.BootWait:\n		return Outranked", "	case ground == ByData, ground != Equal && f.Memory.Better.For(f.Now) < p.BootWait:\n		return Undecided"},
	{"a node whose hook fails keeps the VIP", "pair", "HooksFail,RedisKilled,KeepalivedCrash", "checks/rules.go", "f.Now.Sub(since) > p.Grace {\n		return NotPromoted", "f.Now.Sub(since) > p.Grace {\n		return Undecided"},
	{"the lower of two masters with the VIP keeps it", "pair", "", "checks/rules.go", "			if f.VIP == Here && ground != ByData {\n				return Outranked", "			if f.VIP == Here && ground != ByData {\n				return Undecided"},
	{"a replica with the VIP is no drift", "pair", "RingMade,Cut", "checks/judge.go", "		return f.Role == node.Replica && v.Reason.MayPromote()", "		return false && v.Reason.MayPromote()"},
	{"a replica of the wrong master is no drift", "pair", "RingMade,Unlinked,HooksKilled,RedisKilled", "checks/judge.go", "		return found && (!f.Follows(m.Addr) || f.Unprepared(m)) || f.Abandoned()", "		_, _ = m, found\n		return f.Abandoned()"},
	{"less of one history ranks as high", "pair", "", "checks/rank.go", "	if a.ReplID != \"\" && a.ReplID == b.ReplID && a.Offset != b.Offset {", "	if false && a.ReplID != \"\" && a.ReplID == b.ReplID && a.Offset != b.Offset {"},
	{"who heard the other until it restarted ranks no higher", "pair", "RedisKilled,PowerLoss,Reboot", "checks/rank.go", "	if d := prefer(side{heard(a, b), heard(b, a)}); d != 0 {", "	if d := prefer(side{heard(a, b), heard(b, a)}); false && d != 0 {"},
	{"a master for a save is a master", "pair", "", "checks/facts.go", "node.Master && !n.Saved()", "node.Master"},
	{"a lease is enough, however lately the other was acknowledged", "witness", "KeepalivedCrash,Lossy,Cut", "checks/lease.go", "	return f.silence() >= leaseSilence", "	return true"},
	{"silence is enough, without the lease", "witness", "", "checks/lease.go", "	case !f.Lease.Mine:\n		return false", "	case !f.Lease.Mine:"},
	{"a node that says nothing concedes", "witness", "", "checks/lease.go", "return n.Class == node.Refused || n.Class == node.Loading || n.Class.Answers() && n.Role == node.Replica", "return true"},
	{"an acknowledgement is no vote", "witness", "", "checks/lease.go", "f.Lease.Mine || f.Lease.Other == \"\" && f.acknowledged(voteLag) || f.Asked && f.conceded()", "f.Lease.Mine || f.Asked && f.conceded()"},
	{"a master that has lost the VIP is unfit without the lease", "witness", "", "checks/lease.go", " && (f.VIP != Absent || l.Other != \"\" || !l.Majority())", ""},
	{"the guard of the lease does not stop the writers", "witness", "Cut,CutOff,KeepalivedFrozen", "hooks/guard.go", "	case g.Left() <= ahead && !g.Fenced.IsSet():", "	case false:"},
	{"the guard does not end its fence", "witness", "Cut", "hooks/guard.go", "g.Local.Unpause(ctx) != nil || ", ""},
	{"a promotion does not ask the verdict", "pair", "", "hooks/promote.go", "	if !verdict.Reason.MayPromote() && !p.Force {", "	if false {"},
	{"who is heard by its replica is isolated", "pair", "PowerLoss,Maintenance,Slow", "checks/rules.go", ", f.VIP == Here && !f.Contested && f.acknowledged(Unacknowledged):", ":"},
	{"a promotion does not drain", "pair", "Lossy,Cut,Maintenance", "hooks/promote.go", "		{name: \"drain\", run: p.drain},\n", ""},
	{"a drain that stands still opens no new connection", "pair", "Lossy,Cut,Maintenance", "hooks/drain.go", "still > standstill && continues && !anew {", "still > standstill && continues && !anew && false {"},
	{"what came after a save is not saved", "pair", "", "hooks/demote.go", "if file, err = s.Save(ctx, loss); err == nil && file.Kind", "if false && file.Kind"},
	{"a promotion does not resume the writers", "pair", "", "hooks/promote.go", "		{name: \"CLIENT UNPAUSE\", run: p.unpause},\n", ""},
	{"a promotion takes no lease", "witness", "", "hooks/promote.go", "		{name: \"take the lease\", run: p.elect},\n", ""},
	{"a demotion leaves the replica paused", "pair", "Maintenance,KeepalivedCrash,RedisHangs,Cut", "hooks/demote.go", "		{name: \"CLIENT UNPAUSE\", run: d.unpause},\n", ""},
	{"a master for a save does not remember that it is none", "pair", "HooksKilled,RedisKilled,Reboot,Promoted", "hooks/demote.go", "	mine.Provisional, mine.At = true, d.Clock.Now()", "	mine.At = d.Clock.Now()"},
	{"what a node remembers counts though it has moved on", "pair", "RedisKilled,PowerLoss,Cut,RedisHangs", "hooks/demote.go", "f.Restarted() && f.Offset == 0 && m.Role == node.Replica && !m.Called && m.ReplID == d.master.ReplID && m.Offset <= d.master.Offset", "m.Role == node.Replica"},
	{"a replica to which the VIP came remembers that it had what its master has", "pair", "Cut,Promoted,Reboot", "hooks/demote.go", "!m.Called && ", ""},
	{"a replica goes on waiting for a master that is gone", "sentinel", "RedisKilled,Promoted,CutOff", "hooks/courses.go", "		return c.letGo(ctx, r)", "		return nil"},
	{"a replica that Redis links to a master with less is not saved", "pair", "RedisKilled,Cut,CutOff", "checks/facts.go", "	return f.Follows(m.Addr) && !f.Linked() && f.Keys > 0 &&", "	return false && !f.Linked() && f.Keys > 0 &&"},
	{"the data of a node that copies another is not saved", "sentinel", "", "hooks/demote.go", "	case f.Upstream.Syncing && f.Follows(d.master.Addr) && !f.Unprepared(d.master):", "	case f.Upstream.Syncing:"},
	{"nobody sees that a killed hook has stopped the writers", "pair", "Maintenance,HooksKilled,RingMade", "hooks/inspect.go", "verdict.Drift || fenced && settled(facts, verdict)", "verdict.Drift"},
	{"redis-check starts no hook", "pair", "HooksKilled,Promoted,Unlinked", "hooks/inspect.go", "	if verdict.Drift || fenced && settled(facts, verdict) {", "	if false {"},
	{"it is forgotten how long the VIP has been here", "pair", "HooksFail,RedisKilled,KeepalivedCrash", "checks/memory.go", "		m.Missed = f.Now\n", ""},
}

// Each guard is missed, within so many schedules, in one that the rules as they are withstand.
func TestMutations(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range mutations {
		t.Run(m.name, func(t *testing.T) {
			path := filepath.Join(root, m.file)
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if n := strings.Count(string(text), m.old); n != 1 {
				t.Fatalf("%s: %q stands there %d times", m.file, m.old, n)
			}
			dir := t.TempDir()
			mutant, overlay, sim := filepath.Join(dir, "mutant.go"), filepath.Join(dir, "overlay.json"), filepath.Join(dir, "sim")
			replace, err := json.Marshal(map[string]any{"Replace": map[string]string{path: mutant}})
			if err != nil {
				t.Fatal(err)
			}
			for file, text := range map[string]string{mutant: strings.Replace(string(text), m.old, m.new, 1), overlay: string(replace)} {
				if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if out, err := exec.Command("go", "build", "-overlay", overlay, "-o", sim, ".").CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			args := []string{"--brief", "--runs", "10000", "--architecture", m.architecture}
			if m.only != "" {
				args = append(args, "--only", m.only)
			}
			out, err := exec.Command(sim, args...).CombinedOutput()
			if err == nil || !bytes.Contains(out, []byte("after")) {
				t.Errorf("nobody misses it: %v\n%s", err, out)
			}
			t.Logf("%s", out)
			if seed := regexp.MustCompile(`(?m)^sim: \w+, seed (\d+): `).FindSubmatch(out); seed != nil { // no regression
				if err := withstood(m, string(seed[1])); err != nil {
					t.Errorf("so is it with the guard: %v", err)
				}
			}
		})
	}
}

// withstood says whether the rules hold in the schedule of a seed.
func withstood(m mutation, seed string) error {
	n, err := strconv.ParseUint(seed, 10, 64)
	if err != nil {
		return err
	}
	all, err := architectures(m.architecture)
	if err != nil {
		return err
	}
	var names []string
	if m.only != "" {
		names = strings.Split(m.only, ",")
	}
	only, err := faults(names)
	if err != nil {
		return err
	}
	var r world.Runner
	defer r.Close()
	return r.Run(world.Draw(all[0], n, only...)).Err()
}
