package hooks

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// folder is a folder with files, by name and text.
func folder(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(strings.ReplaceAll(text, "DIR", dir)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestReplicaOfLines(t *testing.T) {
	for name, test := range map[string]struct {
		files map[string]string
		want  string
	}{
		"none":              {map[string]string{"redis.conf": "port 1\n# replicaof a 1\n"}, ""},
		"the last":          {map[string]string{"redis.conf": "replicaof 10.0.0.1 1\nSLAVEOF 10.0.0.2 2\n"}, "redis.conf:2 10.0.0.2:2"},
		"no one":            {map[string]string{"redis.conf": "replicaof 10.0.0.1 1\nreplicaof no one\n"}, "redis.conf:2 "},
		"quoted":            {map[string]string{"redis.conf": "replicaof \"10.0.0.1\" '1'\n"}, "redis.conf:1 10.0.0.1:1"},
		"in an include":     {map[string]string{"redis.conf": "replicaof 10.0.0.1 1\ninclude \"DIR/a.conf\"\n", "a.conf": "\nreplicaof 127.0.0.1 1\n"}, "a.conf:2 127.0.0.1:1"},
		"above an include":  {map[string]string{"redis.conf": "include DIR/a.conf\nreplicaof 10.0.0.1 1\n", "a.conf": "replicaof 127.0.0.1 1\n"}, "redis.conf:2 10.0.0.1:1"},
		"by a pattern":      {map[string]string{"redis.conf": "include DIR/*.inc\n", "a.inc": "replicaof 10.0.0.1 1\n", "b.inc": "replicaof 10.0.0.2 2\n"}, "b.inc:1 10.0.0.2:2"},
		"includes nothing":  {map[string]string{"redis.conf": "replicaof 10.0.0.1 1\ninclude DIR/none\n"}, "redis.conf:1 10.0.0.1:1"},
		"an unclosed quote": {map[string]string{"redis.conf": "replicaof 10.0.0.1 1\nrequirepass \"a\n"}, "redis.conf:1 10.0.0.1:1"},
	} {
		dir := folder(t, test.files)
		last, err := lastReplicaOf(filepath.Join(dir, "redis.conf"))
		got := ""
		if last.file != "" {
			got = fmt.Sprintf("%s:%d %s", filepath.Base(last.file), last.line, last.master)
		}
		if err != nil || got != test.want {
			t.Errorf("%s: %q, %v; want %q", name, got, err, test.want)
		}
	}
}

// Where the file is, the server says. It may say anything, and a file may include
// anything: no hook waits for that.
func TestReplicaOfLinesAreBounded(t *testing.T) {
	all := strings.Repeat("include DIR/*\n", 20)
	dir := folder(t, map[string]string{
		"redis.conf": all, "a": all, "b": all, "c": all, // 80^16 files
		"zero": "include /dev/zero\n", "pipe": "include DIR/fifo\n", "large": strings.Repeat("#", 3<<20),
	})
	if err := unix.Mkfifo(filepath.Join(dir, "fifo"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/dev/zero", "/dev/urandom", "/", dir, "", "redis.conf", "zero", "pipe", "fifo", "large"} {
		if !strings.HasPrefix(path, "/") && path != "" {
			path = filepath.Join(dir, path)
		}
		start := time.Now()
		_, err := lastReplicaOf(path)
		if took := time.Since(start); took > time.Second || err == nil {
			t.Errorf("%s: %v, after %v", path, err, took)
		}
	}
	if _, err := lastReplicaOf(filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

// Whatever is in a file, the reader ends, and what it finds stands where it says.
func FuzzReplicaOf(f *testing.F) {
	f.Add("replicaof 127.0.0.1 1\n")
	f.Add("include /dev/zero\nslaveof a b\nreplicaof no one\n")
	f.Add("replicaof \"a\\\"\" 'b'\nreplicaof\nreplicaof a b c\n")
	f.Add("include DIR/*\ninclude DIR/redis.conf\n")
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "/") && !strings.Contains(text, "DIR/") {
			return // no file of this host
		}
		path := filepath.Join(folder(t, map[string]string{"redis.conf": text}), "redis.conf")
		all, err := replicaOfLines(path)
		lines := strings.Split(text, "\n")
		for _, d := range all {
			if d.file != path || d.line < 1 || d.line > len(lines) || !strings.Contains(strings.ToLower(lines[d.line-1]), "of") && !strings.ContainsAny(lines[d.line-1], `\"'`) {
				t.Errorf("%+v", d)
			}
		}
		if err != nil && !strings.Contains(err.Error(), path) {
			t.Errorf("%v names no file", err)
		}
	})
}
