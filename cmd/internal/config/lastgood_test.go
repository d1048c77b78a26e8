package config

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

const broken = "[group.mymaster]\nnods = ['10.0.0.1']\n"

func (h host) copy() string { return filepath.Join(h.state, "redis-vip.toml.good") }

func (h host) load(t *testing.T) (Group, Source) {
	t.Helper()
	g, source, err := Load(h.overrides(), Options{Fallback: true})
	check(t, err)
	return g, source
}

func TestLastGoodServes(t *testing.T) {
	h := newHost(t, pair)
	if _, source := h.load(t); source.LastGood || len(source.Warnings) != 0 {
		t.Fatalf("%+v", source)
	}
	info, err := os.Stat(h.copy())
	check(t, err)
	if info.Mode() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
	for name, spoil := range map[string]func(){
		"typo":          func() { put(t, h.file, broken) },
		"syntax":        func() { put(t, h.file, "[[[") },
		"empty":         func() { put(t, h.file, "") },
		"wrong address": func() { put(t, h.file, strings.Replace(pair, "192.168.0.1", "redis1", 1)) },
		"permissions":   func() { put(t, h.file, pair); mode(0o666)(t, h.file) },
		"gone":          func() { remove(t, h.file) },
		"another group": func() { put(t, h.file, strings.Replace(pair, "mymaster", "my/master", 1)) },
	} {
		t.Run(name, func(t *testing.T) {
			put(t, h.file, pair)
			spoil()
			_, _, cause := Load(h.overrides(), Options{})
			if cause == nil {
				t.Fatal("not spoilt")
			}
			g, source := h.load(t)
			if !source.LastGood || source.File != h.copy() || len(g.Nodes) != 2 || g.StateDir != h.state {
				t.Errorf("%+v %+v", g, source)
			}
			if len(source.Warnings) != 1 || !strings.Contains(source.Warnings[0].Error(), "last good copy") ||
				!strings.HasSuffix(source.Warnings[0].Error(), cause.Error()) {
				t.Errorf("warnings %v", source.Warnings)
			}
			if got, err := os.ReadFile(h.copy()); err != nil || string(got) != pair {
				t.Errorf("the copy was touched: %q %v", got, err)
			}
		})
	}
	put(t, h.file, pair)
	if _, source := h.load(t); source.LastGood || len(source.Warnings) != 0 {
		t.Errorf("repaired: %+v", source)
	}
}

func TestLastGoodIsKept(t *testing.T) {
	h := newHost(t, pair)
	h.load(t)
	first, err := os.Stat(h.copy())
	check(t, err)
	h.load(t)
	if second, err := os.Stat(h.copy()); err != nil || !os.SameFile(first, second) {
		t.Error("written although nothing had changed")
	}
	changed := strings.Replace(pair, "192.168.0.4", "192.168.0.5", 1) // the same size
	put(t, h.file, changed)
	check(t, os.Chtimes(h.file, first.ModTime(), first.ModTime())) // and the same time
	h.load(t)
	if got, err := os.ReadFile(h.copy()); err != nil || string(got) != changed {
		t.Errorf("%q %v", got, err)
	}
	put(t, h.copy(), "torn by a power cut")
	h.load(t)
	if got, err := os.ReadFile(h.copy()); err != nil || string(got) != changed {
		t.Errorf("%q %v", got, err)
	}
	if left, _ := filepath.Glob(filepath.Join(h.state, ".*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	// Who does not ask neither writes nor is served.
	remove(t, h.copy())
	if _, _, err := Load(h.overrides(), Options{}); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(h.copy()); err == nil {
		t.Error("written without Fallback")
	}
}

func TestLastGoodCannotBeKept(t *testing.T) {
	h := newHost(t, pair)
	check(t, os.RemoveAll(h.state))
	_, source := h.load(t)
	if len(source.Warnings) != 1 || !strings.HasPrefix(source.Warnings[0].Error(), h.copy()+": the last good configuration cannot be kept: no such file or directory: create") {
		t.Errorf("%v", source.Warnings)
	}
}

func TestLastGoodConcurrently(t *testing.T) {
	h := newHost(t, pair)
	var wg sync.WaitGroup
	for range 16 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for range 20 {
				_, source, err := Load(h.overrides(), Options{Fallback: true})
				if err != nil || len(source.Warnings) != 0 {
					t.Errorf("%v %v", err, source.Warnings)
				}
				_ = os.Remove(h.copy())
			}
		}()
	}
	wg.Wait()
}

func TestLastGoodFindsItsFolder(t *testing.T) {
	h := newHost(t, "")
	head := "state_dir = '" + h.state + "'\n"
	put(t, h.file, head+pair)
	o := Overrides{Config: h.file}
	if _, _, err := Load(o, Options{Fallback: true}); err != nil {
		t.Fatal(err)
	}
	put(t, h.file, head+"[group.mymaster]\nnodes = [\n")
	g, source, err := Load(o, Options{Fallback: true})
	if err != nil || !source.LastGood || g.StateDir != h.state {
		t.Errorf("%+v %v", source, err)
	}
}

func TestNoLastGood(t *testing.T) {
	h := newHost(t, broken)
	_, source, err := Load(h.overrides(), Options{Fallback: true})
	if err == nil || source.LastGood || !strings.HasPrefix(err.Error(), h.file+":2:1: nods: ") {
		t.Errorf("%+v %v", source, err)
	}
	put(t, h.copy(), pair)
	mode(0o666)(t, h.copy())
	if _, _, err = Load(h.overrides(), Options{Fallback: true}); err == nil || !strings.Contains(err.Error(), "there is no last good copy either") {
		t.Error(err)
	}
	remove(t, h.copy())
	check(t, os.Symlink(put(t, filepath.Join(h.dir, "elsewhere"), pair), h.copy()))
	if _, _, err = Load(h.overrides(), Options{Fallback: true}); err == nil {
		t.Error("followed a link")
	}
	put(t, h.file, pair)
	o := h.overrides()
	o.Nodes = "redis1"
	if _, _, err = Load(o, Options{Fallback: true}); err == nil || !strings.HasPrefix(err.Error(), "--nodes") {
		t.Errorf("a wrong flag: %v", err)
	}
}

// A secret that cannot be read breaks every host as surely as a typo. With a
// copy that names a readable one, that serves; else the group is served without
// the secret, for a server that says "wrong password" is alive.
func TestUnreadableSecret(t *testing.T) {
	h := newHost(t, "")
	old := put(t, filepath.Join(h.dir, "old"), "pass")
	with := func(path string) string {
		return "[group.a]\nnodes = ['10.0.0.1']\npassword_file = '" + path + "'\n[group.a.tls]\nca = '/none/ca'\n"
	}
	without := "[group.a]\nnodes = ['10.0.0.1']\npassword_file = '" + old + "'\n"

	put(t, h.file, with("/none/password"))
	g, source := h.load(t)
	if source.LastGood || len(source.Warnings) != 2 || !g.Password.IsZero() || g.TLS == nil || g.TLS.RootCAs == nil {
		t.Errorf("no copy: %+v %+v", g, source)
	}
	if _, err := os.Stat(h.copy()); err == nil {
		t.Error("kept as good")
	}
	put(t, h.file, without)
	h.load(t)
	put(t, h.file, with("/none/password"))
	g, source = h.load(t)
	if !source.LastGood || g.Password.Reveal() != "pass" || g.TLS != nil {
		t.Errorf("copy: %+v %+v", g, source)
	}
	remove(t, old)
	put(t, h.file, broken)
	g, source = h.load(t)
	if !source.LastGood || len(source.Warnings) != 2 || !g.Password.IsZero() {
		t.Errorf("copy without its secret: %+v %+v", g, source)
	}
}

// Root may have to use a copy that the programs' own user has written. It must
// not read or write more for it than that user could.
func TestForeignCopy(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	h := newHost(t, pair)
	own(t, h.state, stranger, stranger)
	h.load(t)
	info, err := os.Stat(h.copy())
	check(t, err)
	if of := ownerOf(info); of != (owner{stranger, stranger}) {
		t.Errorf("the copy belongs to %v", of)
	}

	secret := put(t, filepath.Join(h.dir, "shadow"), "root:x")
	put(t, h.copy(), fmt.Sprintf("state_dir = '/etc/cron.d'\nrun_dir = '/etc/cron.d'\n[group.a]\nnodes = ['10.0.0.1']\npassword_file = '%s'\n", secret))
	own(t, h.copy(), stranger, stranger)
	put(t, h.file, broken)
	g, source := h.load(t)
	if !source.LastGood || !g.Password.IsZero() || g.StateDir != h.state || g.RunDir != DefaultRunDir {
		t.Errorf("%+v %+v", g, source)
	}
	if len(source.Warnings) != 2 || !strings.Contains(source.Warnings[1].Error(), secret+" is beyond the owner of the last good copy") {
		t.Errorf("%v", source.Warnings)
	}
	own(t, secret, stranger, stranger)
	if g, source = h.load(t); g.Password.Reveal() != "root:x" || len(source.Warnings) != 1 {
		t.Errorf("%+v %+v", g, source)
	}

	own(t, h.copy(), stranger+1, 0)
	if _, _, err := Load(h.overrides(), Options{Fallback: true}); err == nil || !strings.Contains(err.Error(), "belongs to user") {
		t.Errorf("a third user's copy: %v", err)
	}
}

// The same as an unprivileged user, as keepalived runs the programs, with its
// umask.
func TestUnprivileged(t *testing.T) {
	if dir := os.Getenv("CONFIG_TEST_DIR"); dir != "" {
		syscall.Umask(0o177)
		h := host{dir, filepath.Join(dir, "redis-vip.toml"), filepath.Join(dir, "state")}
		_, source, err := Load(h.overrides(), Options{Fallback: true})
		fmt.Printf("good=%v warnings=%v err=%v\n", source.LastGood, source.Warnings, err)
		return
	}
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	h := newHost(t, pair)
	// t.TempDir lies in a folder of this test's own, closed to others.
	for dir := h.dir; len(dir) > len(os.TempDir()); dir = filepath.Dir(dir) {
		check(t, os.Chmod(dir, 0o755))
	}
	program := filepath.Join(h.dir, "test")
	self, err := os.ReadFile("/proc/self/exe")
	check(t, err)
	check(t, os.WriteFile(program, self, 0o755))
	check(t, os.Chmod(program, 0o755))
	run := func() string {
		t.Helper()
		args := []string{"-test.run=^TestUnprivileged$"}
		if testing.CoverMode() != "" {
			args = append(args, "-test.gocoverdir="+h.state)
		}
		cmd := exec.Command(program, args...)
		cmd.Dir = "/"
		cmd.Env = append(os.Environ(), "CONFIG_TEST_DIR="+h.dir)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: stranger, Gid: stranger}}
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("%v: %s", err, out)
		}
		text, _, _ := strings.Cut(string(out), "\nPASS")
		return text
	}
	own(t, h.file, 0, stranger)
	mode(0o640)(t, h.file)
	own(t, h.state, stranger, stranger)
	if got := run(); got != "good=false warnings=[] err=<nil>" {
		t.Error(got)
	}
	info, err := os.Stat(h.copy())
	check(t, err)
	if of := ownerOf(info); of != (owner{stranger, stranger}) || info.Mode() != 0o600 {
		t.Errorf("%v %v", of, info.Mode())
	}
	mode(0o600)(t, h.file) // cannot be read any more
	if got := run(); !strings.HasPrefix(got, "good=true warnings=["+h.copy()+": the configuration is broken") ||
		!strings.Contains(got, fmt.Sprintf("%s: cannot be read by user %d: let its group be one of the user's, mode 0640", h.file, stranger)) {
		t.Error(got)
	}
	// A folder that somebody else may write holds nothing believable.
	own(t, h.state, stranger+1, stranger)
	mode(0o770)(t, h.state)
	if got := run(); !strings.Contains(got, fmt.Sprintf("there is no last good copy either: %s: belongs to user %d", h.state, stranger+1)) {
		t.Error(got)
	}
}
