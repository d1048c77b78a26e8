package program_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"redis-vip/checks/node/nodetest"
)

// What an operator does at night: a demotion has preserved writes; list, show, try,
// replay, and not twice.
func TestPreserved(t *testing.T) {
	a, b := nodetest.Redis(t, "repl-backlog-size 16mb"), nodetest.Redis(t, "repl-backlog-size 16mb")
	b.Follow(a)
	b.Do("REPLICAOF", "NO", "ONE")
	b.Do("SET", "contested", "new")
	for i := range 100 {
		a.Do("SET", fmt.Sprint("w:", i), i)
	}
	a.Do("SET", "contested", "old")

	dir := t.TempDir()
	flags := []string{"--nodes", a.Addr.String() + "," + b.Addr.String(), "--group", "mymaster"}
	if code, out := run(t, dir, "notify-backup", append(flags, "--node", a.Addr.String(), "--vips", "127.9.9.9")...); code != 0 {
		t.Fatalf("exit %d: %s", code, out)
	}
	preserved := func(want int, says string, args ...string) string {
		t.Helper()
		command := append([]string{"preserved", args[0]}, flags...)
		code, out := run(t, dir, "redis-vip", append(command, args[1:]...)...)
		if code != want || !strings.Contains(out, says) {
			t.Errorf("preserved %v: exit %d, want %d and %q:\n%s", args, code, want, says, out)
		}
		return out
	}
	preserved(0, "101", "list")
	var files []struct{ Path string }
	if err := json.Unmarshal([]byte(preserved(0, "", "list", "--json")), &files); err != nil || len(files) != 1 {
		t.Fatalf("%v %v", files, err)
	}
	file := filepath.Base(files[0].Path)
	preserved(0, "SET w:7 7", "show", file)
	preserved(0, "101 keys", "show", files[0].Path)
	preserved(1, "", "show", "20000101T000000Z-00000000-1-2.resp")
	preserved(2, "name one file", "show")

	preserved(0, "100 would be applied, 1 left out", "replay", "--dry-run", file)
	if n := b.Do("EXISTS", "w:7"); n != int64(0) {
		t.Error("a dry run has written")
	}
	preserved(0, "contested", "replay", file)
	if n := b.Do("EXISTS", "w:7"); n != int64(1) {
		t.Error("w:7 was not replayed")
	}
	if v := b.Do("GET", "contested"); v != "new" {
		t.Errorf("a key that had changed is now %v", v)
	}
	preserved(1, "replayed already", "replay", file)
	preserved(0, "", "replay", "--force", file)
	if v := b.Do("GET", "contested"); v != "old" {
		t.Errorf("forced, and it is %v", v)
	}
	nodetest.Eventually(t, "the deposed master has it all as a replica", func() error {
		if f := a.Look(); f.Keys != b.Look().Keys || !f.Upstream.Up {
			return errors.New("not yet")
		}
		return nil
	})
}
