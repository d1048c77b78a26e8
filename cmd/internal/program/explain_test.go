package program_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"redis-vip/checks/node/nodetest"
)

// explain runs redis-vip explain and looks at what every output has to be: no line that
// an 80-column terminal would break, but for a word that is longer; no colours.
func explain(t *testing.T, dir string, args ...string) string {
	t.Helper()
	code, out := run(t, dir, "redis-vip", append([]string{"explain"}, args...)...)
	if code != 0 {
		t.Fatalf("exit %d: %s", code, out)
	}
	for line := range strings.Lines(out) {
		if utf8.RuneCountInString(strings.TrimSuffix(line, "\n")) > 80 {
			t.Errorf("longer than 80: %s", line)
		}
	}
	if strings.Contains(out, "\x1b") {
		t.Errorf("colours, and no terminal: %q", out)
	}
	return out
}

// flat is the text without the folds.
func flat(out string) string { return strings.Join(strings.Fields(out), " ") }

func contains(t *testing.T, out string, wanted ...string) {
	t.Helper()
	for _, want := range wanted {
		if !strings.Contains(flat(out), want) {
			t.Errorf("%q is missing:\n%s", want, out)
		}
	}
}

func TestExplainPair(t *testing.T) {
	master, replica := nodetest.Redis(t), nodetest.Redis(t)
	replica.Follow(master)
	dir := t.TempDir()
	nodes := master.Addr.String() + "," + replica.Addr.String()
	at := func(s *nodetest.Server, vip string) string {
		return explain(t, dir, "--nodes", nodes, "--node", s.Addr.String(), "--vips", vip)
	}
	const here, absent = "::1/128", "127.9.9.9/8"

	out := at(master, here)
	contains(t, out, master.Addr.String()+" (here) master", replica.Addr.String()+" replica "+master.Addr.String()+" up",
		"::1/128 of default is here: this node should be a master", "Decided able: master", "FIT (master): This node is a master. What to do: nothing.")
	out = at(replica, absent)
	contains(t, out, "127.9.9.9/8 of default is not here", "FIT (in_sync)", "What to do: nothing.")
	out = at(replica, here)
	contains(t, out, "DRIFT: it is a replica of "+master.Addr.String()+", and should be a master.", "redis-vip notify-master.")

	os.WriteFile(filepath.Join(dir, "default.maintenance"), []byte("1\n"), 0o644)
	contains(t, at(replica, absent), "Maintenance on", "redis-vip maintenance off")
	os.Remove(filepath.Join(dir, "default.maintenance"))

	// The standby is down: said in words, not in zeros, and the node that serves is fine.
	replica.Kill()
	out = at(master, here)
	contains(t, out, replica.Addr.String()+" refuses connections (no Redis runs there)", "FIT (master)", "What to do: Bring "+replica.Addr.String()+" back: it refuses connections")
	if regexp.MustCompile(regexp.QuoteMeta(replica.Addr.String()) + `.* 0 `).MatchString(out) {
		t.Errorf("a number for a node that says none:\n%s", out)
	}
	out = at(replica, absent)
	contains(t, out, replica.Addr.String()+" (here) refuses connections", "Decided reachable: unreachable", "Not asked loading,", "UNFIT (unreachable)", "What to do: Start Redis")
	if strings.Contains(out, "No objection") {
		t.Errorf("a rule passed that was not asked:\n%s", out)
	}
}

func TestExplainWithoutRights(t *testing.T) {
	server := nodetest.Redis(t, "requirepass secret")
	dir := t.TempDir()
	out := explain(t, dir, "--nodes", server.Addr.String(), "--vips", "127.9.9.9")
	contains(t, out, "(here) wants a password, or another one", "FIT (no_rights)", "What to do: Let username and password_file in redis-vip.toml agree")

	nodetest.Root(t)
	// An ordinary user does not see this host's memory, and is told so.
	program := filepath.Join(t.TempDir(), "redis-vip")
	build := exec.Command("go", "build", "-o", program, "redis-vip/cmd/redis-vip")
	if text, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	os.Chmod(filepath.Dir(program), 0o755)
	os.Chmod(filepath.Dir(filepath.Dir(program)), 0o755)
	state := filepath.Join(dir, "state")
	os.Mkdir(state, 0o750)
	for _, command := range []string{"explain", "history"} {
		cmd := exec.Command("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", program, command,
			"--nodes", server.Addr.String(), "--state-dir", state, "--run-dir", state)
		text, err := cmd.CombinedOutput()
		if want := map[string]string{"explain": "this user may not read " + state, "history": "permission denied: run it as root"}[command]; (err == nil) != (command == "explain") || !strings.Contains(flat(string(text)), want) {
			t.Errorf("%s: %v: %s", command, err, text)
		}
	}
}

// With a witness it says who has the lease, and what the votes come to.
func TestExplainVotes(t *testing.T) {
	master, replica, witness := nodetest.Redis(t), nodetest.Redis(t), nodetest.Redis(t)
	replica.Follow(master)
	dir := t.TempDir()
	at := func(s *nodetest.Server, vip string) []string {
		return []string{"--nodes", master.Addr.String() + "," + replica.Addr.String(), "--node", s.Addr.String(), "--vips", vip, "--witnesses", witness.Addr.String()}
	}
	const here, absent = "::1/128", "127.9.9.9/32"
	contains(t, explain(t, dir, at(replica, absent)...), "Lease nobody has it; 1 of 1 witnesses answer", "Votes the lease is free")
	nodetest.Eventually(t, "the lease", func() error { // a witness that has just come up grants none
		if code, out := run(t, dir, "redis-check", at(master, here)...); code != 0 { // which claims it
			t.Fatalf("exit %d: %s", code, out)
		}
		if out := explain(t, dir, at(master, here)...); !strings.Contains(flat(out), "Lease this node has it, for") {
			return errors.New(out)
		}
		return nil
	})
	witness.Kill()
	contains(t, explain(t, dir, at(master, here)...), "Lease nobody knows who has it; 0 of 1 witnesses answer: ",
		"Votes this node has two of three, and may take writes") // the other one is its replica
}

// Under Sentinel it says whom they name, and what that means here.
func TestExplainSentinels(t *testing.T) {
	master, replica := nodetest.Redis(t), nodetest.Redis(t)
	replica.Follow(master)
	var sentinels []string
	var servers []*nodetest.Server
	for range 3 {
		s := nodetest.Sentinel(t, fmt.Sprintf("sentinel monitor default 127.0.0.1 %d 2", master.Addr.Port()))
		servers, sentinels = append(servers, s), append(sentinels, s.Addr.String())
	}
	dir := t.TempDir()
	args := func(s *nodetest.Server) []string {
		return []string{"--nodes", master.Addr.String() + "," + replica.Addr.String(), "--node", s.Addr.String(), "--vips", "127.9.9.9", "--sentinels", strings.Join(sentinels, ",")}
	}
	nodetest.Eventually(t, "the Sentinels", func() error {
		if out := flat(explain(t, dir, args(replica)...)); !strings.Contains(out, "3 of 3 answer") {
			return errors.New(out)
		}
		return nil
	})
	contains(t, explain(t, dir, args(replica)...), "Sentinels 3 of 3 answer, 3 name "+master.Addr.String()+": the VIP belongs there", "What to do: nothing.")
	contains(t, explain(t, dir, args(master)...), "3 name this node: the VIP belongs here", "The VIP is not where the Sentinels say: redis-vip reconcile default.")

	servers[0].Kill()
	contains(t, explain(t, dir, args(replica)...), "2 of 3 answer, 2 name "+master.Addr.String(), sentinels[0]+": dial tcp")
	servers[1].Kill()
	contains(t, explain(t, dir, args(replica)...), "1 of 3 answer, and no master has a majority")

	code, out := run(t, dir, "redis-vip", append([]string{"explain", "--json"}, args(replica)...)...)
	var report struct {
		Sentinels struct {
			Course  string
			Why     string
			Answers []struct{ Sentinel, Master, Problem string }
		}
		Maintenance bool
		Remedy      string
	}
	if err := json.Unmarshal([]byte(out), &report); code != 0 || err != nil || len(report.Sentinels.Answers) != 3 || report.Sentinels.Course != "undecidable" || report.Sentinels.Why == "" {
		t.Errorf("exit %d, %v: %+v:\n%s", code, err, report, out)
	}
}

// A terminal has colours, unless NO_COLOR is set or it has none.
func TestColours(t *testing.T) {
	nodetest.Require(t, "script")
	program := filepath.Join(t.TempDir(), "redis-vip")
	if text, err := exec.Command("go", "build", "-o", program, "redis-vip/cmd/redis-vip").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	dir := t.TempDir()
	for _, test := range []struct {
		variable string
		colours  bool
	}{{"TERM=xterm", true}, {"NO_COLOR=1", false}, {"TERM=dumb", false}, {"NO_COLOR=", true}} {
		cmd := exec.Command("script", "-qc", fmt.Sprintf("%s explain --nodes %s --state-dir %s --run-dir %s", program, nodetest.FreePort(t), dir, dir), "/dev/null")
		cmd.Env = append(os.Environ(), "TERM=xterm", test.variable)
		out, err := cmd.CombinedOutput()
		if err != nil || strings.Contains(string(out), "\x1b[") != test.colours || !strings.Contains(string(out), "UNFIT") {
			t.Errorf("%s: %v: %q", test.variable, err, out)
		}
	}
}
