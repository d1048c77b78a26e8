package history_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"redis-vip/checks/node/nodetest"
	"redis-vip/cmd/internal/history"
)

var start = time.Date(2026, 11, 21, 3, 12, 13, 0, time.UTC)

func entry(n int) history.Entry {
	return history.Entry{At: start.Add(time.Duration(n) * time.Hour), Program: "notify-master", Event: fmt.Sprint(n), From: "replica", To: "master", Reason: "candidate", MS: 84}
}

func read(t *testing.T, l history.Log) []history.Entry {
	t.Helper()
	entries, err := l.Read()
	if err != nil {
		t.Fatal(err)
	}
	return entries
}

func TestAppend(t *testing.T) {
	l := history.Log{Path: filepath.Join(t.TempDir(), "mymaster.history")}
	if got := read(t, l); len(got) != 0 {
		t.Errorf("before the first: %v", got)
	}
	umask := syscall.Umask(0o177) // keepalived's
	defer syscall.Umask(umask)
	for n := range 3 {
		if err := l.Append(entry(n)); err != nil {
			t.Fatal(err)
		}
	}
	got := read(t, l)
	if len(got) != 3 || got[0].Event != "0" || got[2].Event != "2" {
		t.Errorf("%v", got)
	}
	if info, err := os.Stat(l.Path); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

// It does not grow, and the newest entries are always there.
func TestBounded(t *testing.T) {
	dir := t.TempDir()
	l := history.Log{Path: filepath.Join(dir, "mymaster.history")}
	const all = 4000
	for n := range all {
		e := entry(n)
		e.Note = strings.Repeat("x", n)
		if err := l.Append(e); err != nil {
			t.Fatal(err)
		}
	}
	files, _ := os.ReadDir(dir)
	var sum int64
	for _, f := range files {
		info, _ := f.Info()
		sum += info.Size()
	}
	if len(files) > 2 || sum > 300<<10 {
		t.Errorf("%d files, %d bytes", len(files), sum)
	}
	got := read(t, l)
	if len(got) < 200 {
		t.Fatalf("only %d are left", len(got))
	}
	for i, e := range got {
		if want := fmt.Sprint(all - len(got) + i); e.Event != want {
			t.Fatalf("entry %d of %d is %s, want %s", i, len(got), e.Event, want)
		}
	}
}

// A hook that fails once a second does not push out what happened before; and what
// happens again later is said again.
func TestRepeated(t *testing.T) {
	l := history.Log{Path: filepath.Join(t.TempDir(), "mymaster.history")}
	for n := range 1000 {
		e := entry(0)
		e.At, e.MS, e.Note = start.Add(time.Duration(n)*time.Second), float64(n), fmt.Sprint("took ", n)
		if err := l.Append(e); err != nil {
			t.Fatal(err)
		}
	}
	if got := read(t, l); len(got) != 2 || got[1].At.Sub(got[0].At) != 10*time.Minute {
		t.Errorf("%d entries: %v", len(got), got)
	}
	different := entry(0)
	different.At, different.Outcome = start.Add(1001*time.Second), "done"
	if l.Append(different); len(read(t, l)) != 3 {
		t.Errorf("%v", read(t, l))
	}
}

// Whatever lies there: an entry that is added is there afterwards, and the others
// that are whole.
func TestBrokenFile(t *testing.T) {
	whole, _ := json.Marshal(entry(0))
	for name, text := range map[string]string{
		"torn":                  string(whole) + "\n" + string(whole[:40]),
		"binary":                string(whole) + "\n\x00\xff\x00\n\n",
		"no json":               string(whole) + "\nhello\n[1,2]\n42\n",
		"a line without an end": string(whole) + "\n" + strings.Repeat("x", 10<<10),
	} {
		t.Run(name, func(t *testing.T) {
			l := history.Log{Path: filepath.Join(t.TempDir(), "mymaster.history")}
			if err := os.WriteFile(l.Path, []byte(text), 0o640); err != nil {
				t.Fatal(err)
			}
			if err := l.Append(entry(1)); err != nil {
				t.Fatal(err)
			}
			if got := read(t, l); len(got) != 2 || got[1].Event != "1" {
				t.Errorf("%v", got)
			}
		})
	}
}

// What is no plain file is refused, and nothing waits for it.
func TestNoPlainFile(t *testing.T) {
	dir := t.TempDir()
	target := filepath.Join(dir, "target")
	os.WriteFile(target, nil, 0o600)
	for name, make := range map[string]func(path string) error{
		"link":   func(path string) error { return os.Symlink(target, path) },
		"pipe":   func(path string) error { return syscall.Mkfifo(path, 0o600) },
		"folder": func(path string) error { return os.Mkdir(path, 0o700) },
	} {
		l := history.Log{Path: filepath.Join(dir, name)}
		if err := make(l.Path); err != nil {
			t.Fatal(err)
		}
		if err := l.Append(entry(0)); err == nil {
			t.Errorf("%s: was written", name)
		}
		if _, err := l.Read(); err == nil {
			t.Errorf("%s: was read", name)
		}
	}
	if text, _ := os.ReadFile(target); len(text) > 0 {
		t.Errorf("written through the link: %s", text)
	}
}

// Many runs write at the same time, just as the file becomes full, and no line is
// broken or lost. A lock is the descriptor's, so it does not matter that they are not
// processes.
func TestConcurrent(t *testing.T) {
	const rounds, writers, each = 100, 16, 4
	filler, _ := json.Marshal(history.Entry{At: start, Program: "filler", Note: strings.Repeat("x", 200)})
	filler = append(filler, '\n')
	many := 128<<10/len(filler) - writers
	for range rounds {
		l := history.Log{Path: filepath.Join(t.TempDir(), "mymaster.history")}
		if err := os.WriteFile(l.Path, bytes.Repeat(filler, many), 0o640); err != nil {
			t.Fatal(err)
		}
		var busy sync.WaitGroup
		for writer := range writers {
			busy.Go(func() {
				for n := range each {
					e := entry(n)
					e.Program, e.Note = fmt.Sprint("writer-", writer), strings.Repeat("x", 200)
					if err := l.Append(e); err != nil {
						t.Error(err)
					}
				}
			})
		}
		busy.Wait()
		if got := read(t, l); len(got) != many+writers*each {
			t.Fatalf("%d entries of %d", len(got), many+writers*each)
		}
	}
}

// root's run and keepalived's, which is another user's, write the same file, whoever
// is first.
func TestTwoUsers(t *testing.T) {
	if path := os.Getenv("HISTORY_PATH"); path != "" && path == os.Getenv("HISTORY_DENIED") {
		begun := time.Now()
		err := (history.Log{Path: path}).Append(entry(0))
		if took := time.Since(begun); !errors.Is(err, fs.ErrPermission) || took > 100*time.Millisecond {
			t.Fatal(took, err)
		}
		return
	} else if path != "" {
		if err := (history.Log{Path: path}).Append(entry(os.Getpid())); err != nil {
			t.Fatal(err)
		}
		return
	}
	nodetest.Root(t)
	const nobody = 65534
	dir := t.TempDir()
	for _, path := range []string{dir, filepath.Dir(dir)} {
		if err := os.Chmod(path, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	program, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(dir, "worker")
	os.WriteFile(binary, program, 0o755)
	if err := os.Chown(dir, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	for _, first := range []string{"root", "nobody"} {
		l := history.Log{Path: filepath.Join(dir, first+".history")}
		as := func(user string) {
			t.Helper()
			cmd := exec.Command(binary, "-test.run=^"+t.Name()+"$")
			cmd.Env = append(os.Environ(), "HISTORY_PATH="+l.Path)
			if user == "nobody" {
				cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
			}
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%s first: %s: %v: %s", first, user, err, out)
			}
		}
		as(first)
		as(map[string]string{"root": "nobody", "nobody": "root"}[first])
		if got := read(t, l); len(got) != 2 {
			t.Errorf("%s first: %v", first, got)
		}
	}

	// Who may not write there is told at once: a hook does not wait for it.
	if err := os.Chown(dir, 0, 0); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"new.history", "root.history"} {
		path := filepath.Join(dir, name)
		os.Chown(path, 0, 0)
		cmd := exec.Command(binary, "-test.run=^"+t.Name()+"$")
		cmd.Env = append(os.Environ(), "HISTORY_PATH="+path, "HISTORY_DENIED="+path)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v: %s", name, err, out)
		}
	}
}
