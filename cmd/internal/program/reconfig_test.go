package program_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"redis-vip/checks/node"
	"redis-vip/checks/node/nodetest"
)

// deposed is a master that lives, its successor, and a Sentinel that names that one, in a
// group without a VIP. Of the file, every user may read all.
func deposed(t *testing.T) (dir, config string, old, now *nodetest.Server) {
	t.Helper()
	old, now = nodetest.Redis(t, "repl-backlog-size 16mb"), nodetest.Redis(t)
	now.Follow(old)
	now.Do("REPLICAOF", "NO", "ONE")
	old.Do("SET", "late", 1)
	sentinel := nodetest.Sentinel(t, fmt.Sprintf("sentinel monitor mymaster 127.0.0.1 %d 1", now.Addr.Port()))
	dir = t.TempDir()
	for at := dir; at != os.TempDir() && at != "/"; at = filepath.Dir(at) {
		os.Chmod(at, 0o755)
	}
	config = filepath.Join(dir, "redis-vip.toml")
	text := fmt.Sprintf("[group.mymaster]\nnodes = [%q, %q]\nsentinels = [%q]\n", old.Addr, now.Addr, sentinel.Addr)
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir, config, old, now
}

// seven are what Sentinel gives its script; only the name counts.
var seven = []string{"mymaster", "observer", "start", "192.0.2.1", "6379", "192.0.2.2", "6379"}

// Without a VIP, no right to addresses is needed: whoever may write down what would be
// lost does it himself, and whoever may not rings.
func TestReconfigWithoutRights(t *testing.T) {
	nodetest.Root(t)
	program := filepath.Join(t.TempDir(), "sentinel-reconfig")
	if text, err := exec.Command("go", "build", "-o", program, "redis-vip/cmd/sentinel-reconfig").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	os.Chmod(filepath.Dir(program), 0o755)
	os.Chmod(filepath.Dir(filepath.Dir(program)), 0o755)
	const nobody = 65534
	for name, test := range map[string]struct {
		vips, mode string
		code       int
		says       string
	}{
		"may write":            {"", "0755", 0, ""},
		"may not":              {"", "0555", 3, "cannot ring"},
		"may write, and a VIP": {"127.9.9.9/32", "0755", 3, "cannot ring"},
	} {
		t.Run(name, func(t *testing.T) {
			dir, config, old, now := deposed(t)
			folder := filepath.Join(dir, "var")
			mode, _ := strconv.ParseUint(test.mode, 8, 32)
			if err := errors.Join(os.Mkdir(folder, 0o755), os.Chown(folder, nobody, nobody), os.Chmod(folder, os.FileMode(mode))); err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command("setpriv", append([]string{
				"--reuid=65534", "--regid=65534", "--clear-groups", program,
				"--config", config, "--node", old.Addr.String(), "--state-dir", folder, "--run-dir", folder, "--vips", test.vips,
			}, seven...)...)
			cmd.Env = append(os.Environ(), "REDIS_VIP_LOG=stderr")
			text, _ := cmd.CombinedOutput()
			if code := cmd.ProcessState.ExitCode(); code != test.code || !strings.Contains(string(text), test.says) {
				t.Fatalf("exit %d, want %d:\n%s", code, test.code, text)
			}
			kept, _ := filepath.Glob(filepath.Join(folder, "mymaster", "*.resp"))
			if done := test.code == 0; old.Look().Follows(now.Addr) != done || (len(kept) == 1) != done {
				t.Errorf("it is a %v, preserved %v:\n%s", old.Look().Role, kept, text)
			}
		})
	}
}

// A host of HAProxy has the same file and no Redis: nothing is to be done there, and every
// 2 s is no time to say so. Named, the group has to be this host's.
func TestReconcileAllElsewhere(t *testing.T) {
	dir := t.TempDir()
	config := filepath.Join(dir, "redis-vip.toml")
	text := "[group.mymaster]\nnodes = [\"127.9.9.1:6379\", \"127.9.9.2:6379\"]\nsentinels = [\"127.9.9.1:26379\"]\n"
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"--all", "--quiet"}, 0, ""},
		{[]string{"--all"}, 0, "none of its nodes is this host"},
		{[]string{"mymaster"}, 2, "this host is none of the nodes"},
	} {
		dir := t.TempDir()
		start := time.Now()
		code, out := run(t, dir, "redis-vip", append([]string{"reconcile", "--config", config}, test.args...)...)
		log := fmt.Sprint(logged(t, dir))
		if code != test.code || !strings.Contains(log+out, test.says) || test.says == "" && log != "[]" {
			t.Errorf("%v: exit %d, want %d: %s%s", test.args, code, test.code, out, log)
		}
		if took := time.Since(start); took > time.Second {
			t.Errorf("%v: it asked somebody, for %v", test.args, took)
		}
	}
}

// It says what is to be done with a deposed master, and does it when asked.
func TestExplainAndReconcileWithoutVIP(t *testing.T) {
	dir, config, old, now := deposed(t)
	at := []string{"--config", config, "--node", old.Addr.String()}
	contains(t, explain(t, dir, at...), "VIP none in the configuration of mymaster",
		"1 name "+now.Addr.String()+": Redis here has to follow it",
		"Redis here is a master, and the Sentinels name another: redis-vip reconcile mymaster.")
	if code, out := run(t, dir, "redis-vip", append(append([]string{"reconcile"}, at...), "mymaster")...); code != 0 {
		t.Fatalf("exit %d: %s", code, out)
	}
	if f := old.Look(); f.Role != node.Replica || !f.Follows(now.Addr) {
		t.Errorf("%+v", f.Upstream)
	}
	nodetest.Eventually(t, "the link", func() error {
		if !old.Look().Upstream.Up {
			return errors.New("is down")
		}
		return nil
	})
	out := explain(t, dir, at...)
	contains(t, out, "Preserved 1 files on this host wait to be replayed")
	if strings.Contains(out, "redis-vip reconcile") {
		t.Errorf("nothing is left to be done:\n%s", out)
	}
}

// The Sentinels want a password that this host does not give, as after a change of theirs:
// it is not cut off, and its master goes on.
func TestReconcileRefused(t *testing.T) {
	master := nodetest.Redis(t)
	sentinel := nodetest.Sentinel(t, "requirepass secret", fmt.Sprintf("sentinel monitor default 127.0.0.1 %d 1", master.Addr.Port()))
	dir := t.TempDir()
	args := []string{"reconcile", "--nodes", master.Addr.String(), "--sentinels", sentinel.Addr.String(), "--fence-after", "10ms", "default"}
	for range 2 {
		code, out := run(t, dir, "redis-vip", args...)
		if log := fmt.Sprint(logged(t, dir)); code != 1 || !strings.Contains(log, "correct sentinel_password_file") {
			t.Errorf("exit %d: %s%s", code, out, log)
		}
		time.Sleep(20 * time.Millisecond) // more than fence_after
	}
	if _, err := master.Try("SET", "x", 1); err != nil {
		t.Errorf("it takes no writes: %v", err)
	}
	sentinel.Kill()
	if code, out := run(t, dir, "redis-vip", args...); code != 0 || !strings.Contains(fmt.Sprint(logged(t, dir)), "CLIENT PAUSE") {
		t.Errorf("without any Sentinel: exit %d: %s", code, out)
	}
}
