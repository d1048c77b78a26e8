package program_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"redis-vip/checks/node"
	"redis-vip/checks/node/nodetest"
	"redis-vip/cmd/internal/program"
)

// run runs a program in this process, with folders and a log of the test's own.
func run(t *testing.T, dir, name string, args ...string) (code int, out string) {
	t.Helper()
	t.Setenv("REDIS_VIP_STATE_DIR", dir)
	t.Setenv("REDIS_VIP_RUN_DIR", dir)
	t.Setenv("REDIS_VIP_LOG", "file:"+filepath.Join(dir, "log"))
	var output bytes.Buffer
	code = program.Named(append([]string{"/usr/bin/" + name}, args...), program.Streams{Out: &output, Err: &output})
	return code, output.String()
}

// logged are the records of the test's log.
func logged(t *testing.T, dir string) (records []map[string]any) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "log"))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var record map[string]any
		if err := json.Unmarshal([]byte(line), &record); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		records = append(records, record)
	}
	return records
}

func TestNames(t *testing.T) {
	for _, test := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"redis-vip", "--version"}, 0, "redis-vip version"},
		{[]string{"/usr/libexec/keepalived/redis-check", "--version"}, 0, "redis-check version"},
		{[]string{"redis-vip", "notify-master", "--version"}, 0, "notify-master version"},
		{[]string{"check"}, 2, "no program of redis-vip has this name"},
		{[]string{"notify-masters"}, 2, "no program of redis-vip has this name"},
		{[]string{"redis-vip", "notify"}, 2, "no command of redis-vip"},
		{[]string{"redis-vip", "redis-vip"}, 2, "no command of redis-vip"},
		{nil, 0, "USAGE"},
	} {
		var out bytes.Buffer
		code := program.Named(test.args, program.Streams{Out: &out, Err: &out})
		if code != test.code || !strings.Contains(out.String(), test.says) {
			t.Errorf("%q: exit %d, want %d:\n%s", test.args, code, test.code, out.String())
		}
	}
}

func TestUsageErrors(t *testing.T) {
	seven := []string{"mymaster", "leader", "start", "192.168.0.1", "6379", "192.168.0.2", "6379"}
	with := func(at int, value string) []string {
		args := append([]string(nil), seven...)
		args[at] = value
		return args
	}
	for _, test := range []struct {
		name string
		args []string
		says string
	}{
		{"redis-check", []string{"--bogus"}, "-bogus"},
		{"redis-check", []string{"now"}, "takes no arguments"},
		{"redis-check", []string{"--expect", "slave"}, "write master, replica or any"},
		{"redis-check", []string{"--nodes", "redis1"}, "host name"},
		{"redis-check", []string{"--nodes", "192.0.2.1:6379"}, "none of the nodes"},
		{"redis-check", nil, "no usable configuration"},
		{"notify-master", []string{"--nodes", "127.0.0.1", "INSTANCE", "VI_1", "MASTER", "100", "more"}, "four at the most"},
		{"notify-backup", []string{"--config", "/nowhere"}, "/nowhere"},
		{"sentinel-reconfig", nil, "0 arguments"},
		{"sentinel-reconfig", seven[:6], "6 arguments"},
		{"sentinel-reconfig", append(seven, "more"), "8 arguments"},
		{"sentinel-reconfig", with(5, "redis2"), "is no address"},
		{"sentinel-reconfig", with(5, ""), "TO-IP is empty"},
		{"sentinel-reconfig", with(3, ""), "FROM-IP is empty"},
		{"sentinel-reconfig", with(6, "70000"), "is no port"},
		{"sentinel-reconfig", with(0, ""), "name of the master is empty"},
		{"sentinel-reconfig", with(0, "help"), "no usable configuration"},
		{"redis-vip", []string{"explain", "--expect", "slave"}, "write master, replica or any"},
		{"redis-vip", []string{"reconcile"}, "name one group"},
	} {
		t.Run(test.name+" "+strings.Join(test.args, " "), func(t *testing.T) {
			dir := t.TempDir()
			code, out := run(t, dir, test.name, test.args...)
			if code != 2 || !strings.Contains(out, test.says) {
				t.Errorf("exit %d, want 2:\n%s", code, out)
			}
			// Under keepalived and Sentinel nobody sees stderr.
			if test.name != "redis-vip" && !strings.Contains(test.says, "bogus") {
				if log := fmt.Sprint(logged(t, dir)); !strings.Contains(log, test.says) && test.says != "takes no arguments" && test.says != "write master, replica or any" {
					t.Errorf("log says %s", log)
				}
			}
		})
	}
}

func TestCheckExitCodes(t *testing.T) {
	master := nodetest.Redis(t)
	replica := nodetest.Redis(t)
	replica.Follow(master)
	hung := nodetest.Redis(t)
	hung.Signal(syscall.SIGSTOP)
	for _, test := range []struct {
		name   string
		addr   string
		expect string
		code   int
	}{
		{"master", master.Addr.String(), "any", 0},
		{"master as master", master.Addr.String(), "master", 0},
		{"master as replica", master.Addr.String(), "replica", 1},
		{"replica", replica.Addr.String(), "any", 0},
		{"replica as master", replica.Addr.String(), "master", 1},
		{"refused", nodetest.FreePort(t).String(), "any", 1},
		{"hung", hung.Addr.String(), "any", 1},
		{"garbage", nodetest.Fake(t, answering("HTTP/1.1 200 OK\r\n")).String(), "any", 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			const timeout, slack = 300 * time.Millisecond, 50 * time.Millisecond
			best := time.Hour
			for try := 0; try < 5 && best > timeout+slack; try++ { // the machine may be busy
				start := time.Now()
				code, out := run(t, dir, "redis-check", "--nodes", test.addr, "--expect", test.expect, "--timeout", timeout.String())
				best = min(best, time.Since(start))
				if code != test.code {
					t.Errorf("exit %d, want %d: %s", code, test.code, out)
				}
			}
			if best > timeout+slack {
				t.Errorf("took %v, its time-out is %v", best, timeout)
			}
		})
	}
}

func TestCheckLogsChangesOnly(t *testing.T) {
	dir := t.TempDir()
	server := nodetest.Redis(t)
	check := func(want int) {
		t.Helper()
		if code, out := run(t, dir, "redis-check", "--nodes", server.Addr.String()); code != want {
			t.Errorf("exit %d, want %d: %s", code, want, out)
		}
	}
	reasons := func(want ...string) {
		t.Helper()
		var got []string
		for _, record := range logged(t, dir) {
			got = append(got, fmt.Sprint(record["reason"]))
		}
		if strings.Join(got, " ") != strings.Join(want, " ") {
			t.Errorf("logged %v, want %v", got, want)
		}
	}
	check(0)
	check(0)
	reasons("master")
	server.Kill()
	check(1)
	check(1)
	reasons("master", "unreachable")
	server.Start()
	check(0)
	check(0)
	reasons("master", "unreachable", "master")
}

func TestNoSecretIsEverSaid(t *testing.T) {
	const secret = "hunter2-and-more"
	dir := t.TempDir()
	t.Setenv("REDIS_VIP_PASSWORD", secret)
	t.Setenv("REDIS_VIP_LOG_LEVEL", "trace")
	server := nodetest.Redis(t, "requirepass other")
	peer := nodetest.Redis(t, "requirepass "+secret)
	nodes := server.Addr.String() + "," + peer.Addr.String()
	for _, command := range [][]string{
		{"redis-check"}, {"notify-master"}, {"notify-backup"}, {"redis-vip", "explain"}, {"redis-vip", "explain", "--json"},
	} {
		args := append(command[1:], "--nodes", nodes, "--node", server.Addr.String(), "--hook-timeout", "200ms", "--timeout", "200ms")
		if _, out := run(t, dir, command[0], args...); strings.Contains(out, secret) {
			t.Errorf("%v says the secret:\n%s", command, out)
		}
	}
	if text, _ := os.ReadFile(filepath.Join(dir, "log")); len(text) == 0 || bytes.Contains(text, []byte(secret)) {
		t.Errorf("the log (%d bytes) holds the secret, or nothing", len(text))
	}
}

// Which of the two is called does not matter, only where the VIP is. ::1 stands for
// one that is here, 127.9.9.9, which no interface has, for one that is not.
func TestNotify(t *testing.T) {
	master, replica := nodetest.Redis(t), nodetest.Redis(t)
	nodes := master.Addr.String() + "," + replica.Addr.String()
	notify := func(name string, local *nodetest.Server, vip string) {
		t.Helper()
		dir := t.TempDir()
		const want = 0
		code, out := run(t, dir, name, "--nodes", nodes, "--node", local.Addr.String(), "--vips", vip,
			"INSTANCE", "VI_1", "MASTER", "100")
		if code != want {
			t.Errorf("%s: exit %d, want %d: %s", name, code, want, out)
		}
		records := logged(t, dir)
		if len(records) != 1 {
			t.Fatalf("%d records, want one for a run: %v", len(records), records)
		}
		for _, field := range []string{"event", "goal", "outcome", "vip", "local", "fit", "reason", "actions", "ms", "group"} {
			if _, found := records[0][field]; !found {
				t.Errorf("the record has no %s: %v", field, records[0])
			}
		}
	}
	const here, absent = "::1/128", "127.9.9.9/8"
	notify("notify-backup", replica, absent)
	if f := replica.Look(); !f.Follows(master.Addr) {
		t.Errorf("not a replica: %+v", f.Upstream)
	}
	nodetest.Eventually(t, "the replica in sync", func() error {
		if !replica.Look().Upstream.Up {
			return errors.New("link down")
		}
		return nil
	})
	notify("notify-backup", replica, here) // late: the VIP has come back
	if f := replica.Look(); f.Role != node.Master {
		t.Errorf("the VIP is here, and it is a %v", f.Role)
	}
	notify("notify-master", master, absent) // late: the VIP has gone
	if f := master.Look(); !f.Follows(replica.Addr) {
		t.Errorf("the VIP is not here, and it is a %v of %v", f.Role, f.Upstream)
	}
}

func TestExplain(t *testing.T) {
	server := nodetest.Redis(t)
	dir := t.TempDir()
	code, out := run(t, dir, "redis-vip", "explain", "--nodes", server.Addr.String(), "--vips", "127.9.9.9", "--json")
	var report struct {
		Facts   struct{ Role, Class, VIP string }
		Verdict struct {
			Fit, Drift   bool
			Reason, Goal string
		}
		Rules []struct{ Name, Answer string }
	}
	if err := json.Unmarshal([]byte(out), &report); code != 0 || err != nil {
		t.Fatalf("exit %d, %v:\n%s", code, err, out)
	}
	if report.Facts.Role != "master" || report.Facts.VIP != "absent" || !report.Verdict.Fit ||
		report.Verdict.Goal != "replica" || len(report.Rules) == 0 {
		t.Errorf("%s", out)
	}
	if code, out = run(t, dir, "redis-vip", "explain", "--nodes", server.Addr.String()); code != 0 || !strings.Contains(out, "FIT (master)") {
		t.Errorf("exit %d:\n%s", code, out)
	}
}

// Under Sentinel nobody listens to maintenance: it is refused at once, with what to do
// instead, and nothing is written for a keepalived that is not there.
func TestMaintenanceIsForAPair(t *testing.T) {
	dir := t.TempDir()
	flag := filepath.Join(dir, "default.maintenance")
	if err := os.WriteFile(flag, []byte("0\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	addr := nodetest.FreePort(t).String()
	for _, word := range []string{"on", "off", ""} {
		args := []string{"maintenance", "--nodes", addr, "--node", addr, "--sentinels", "127.0.0.1"}
		if word != "" {
			args = append(args, word)
		}
		start := time.Now()
		code, out := run(t, dir, "redis-vip", args...)
		if code != 1 || !strings.Contains(out, "is under Sentinel") || !strings.Contains(out, "redis-vip switchover") {
			t.Errorf("%q: exit %d: %s", word, code, out)
		}
		if took := time.Since(start); took > time.Second {
			t.Errorf("%q took %v", word, took)
		}
	}
	if text, err := os.ReadFile(flag); err != nil || string(text) != "0\n" {
		t.Errorf("the flag is %q, %v", text, err)
	}
	if code, out := run(t, dir, "redis-vip", "maintenance", "--nodes", addr, "--node", addr, "--sentinels", "127.0.0.1", "perhaps"); code != 2 {
		t.Errorf("exit %d: %s", code, out)
	}
}

// A node that hangs has used up its own time, and not that of the others.
func TestExplainOfAHungNode(t *testing.T) {
	hung, peer := nodetest.Redis(t), nodetest.Redis(t)
	hung.Signal(syscall.SIGSTOP)
	code, out := run(t, t.TempDir(), "redis-vip", "explain", "--timeout", "300ms",
		"--nodes", hung.Addr.String()+","+peer.Addr.String(), "--node", hung.Addr.String())
	if code != 0 || !strings.Contains(out, "UNFIT (unreachable)") || !regexp.MustCompile(peer.Addr.String()+` +master `).MatchString(out) {
		t.Errorf("exit %d:\n%s", code, out)
	}
}
