//go:build mutations

package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// mutation takes one guard out of the decision code.
type mutation struct {
	name, architecture, file string
	old, new                 string // old stands in the file once
}

var mutations = []mutation{
	{"two masters go on", "pair", "checks/rules.go", "	for _, peer := range f.Peers {\n		if d, ground := f.rank(peer, p); d > 0 && (peer", "	for _, peer := range f.Peers[:0] {\n		if d, ground := f.rank(peer, p); d > 0 && (peer"},
	{"a node that restarted does not wait", "pair", "checks/rules.go", "	if !f.Restarted() || len(f.Peers) == 0", "	if true || !f.Restarted() || len(f.Peers) == 0"},
	{"a master does not rank above a replica", "pair", "checks/rank.go", "	if d := prefer(side{a.IsMaster(), b.IsMaster()}); d != 0 {", "	if d := 0; d != 0 {"},
	{"a master without the VIP is no drift", "pair", "checks/judge.go", "		return !v.Fit // and", "		return false // and"},
	{"who follows nobody is a stranger", "pair", "checks/facts.go", "!f.Restarted() && !f.Follows(node.Nobody) &&", "!f.Restarted() &&"},
	{"a master for a save is a master", "pair", "checks/facts.go", "node.Master && !n.Saved()", "node.Master"},
	{"a new master empties who waits for it", "pair", "hooks/promote.go", "		{name: \"send followers away\", run: p.sendAway},\n", ""},
	{"what the old master has more is not saved", "pair", "hooks/promote.go", "		if d := preserve.Diverge(theirs, r.Facts.Node.Facts); !d.Safe() {", "		if false {"},
	{"a demotion saves nothing", "pair", "hooks/demote.go", "		{name: \"preserve\", run: d.preserve, slow: true},\n", ""},
	{"a lease is not needed", "witness", "checks/lease.go", "	case f.Lease.Witnesses == 0, f.conceded():", "	case true, f.conceded():"},
	{"a master without votes is fit", "witness", "checks/lease.go", "	case f.Role == node.Master && !f.Entitled():", "	case false:"},
	{"a fenced master that is made a replica stays paused", "sentinel", "hooks/courses.go", "		if err := c.unfence(ctx, r); err != nil {", "		if err := error(nil); err != nil {"},
	{"one Sentinel is a majority", "sentinel", "checks/council.go", "		if n > len(c.Answers)/2 {", "		if n > 0 {"},
}

// Each guard is missed, within so many schedules.
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
			out, err := exec.Command(sim, "--brief", "--runs", "10000", "--architecture", m.architecture).CombinedOutput()
			if err == nil || !bytes.Contains(out, []byte("after")) {
				t.Errorf("nobody misses it: %v\n%s", err, out)
			}
			t.Logf("%s", out)
		})
	}
}
