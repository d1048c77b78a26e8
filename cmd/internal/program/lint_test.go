package program_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"redis-vip/checks/node/nodetest"
)

// image is a host's files below a folder: the example of the pair, installed as the
// README says.
func image(t *testing.T) string {
	t.Helper()
	nodetest.Root(t) // whose the files are matters
	root := t.TempDir()
	write := func(path, content string, mode os.FileMode) {
		t.Helper()
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	shipped := func(name string) string {
		text, err := os.ReadFile("../../../examples/active-standby/" + name)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	program, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"lib/redis-vip/redis-check", "lib/redis-vip/notify-master", "lib/redis-vip/notify-backup", "bin/redis-vip"} {
		write("usr/"+path, string(program[:512]), 0o755)
	}
	write("etc/passwd", "root:x:0:0::/:/bin/sh\nredis:x:990:990::/:/bin/false\nredis-vip:x:998:998::/:/bin/false\n", 0o644)
	write("etc/keepalived/keepalived.conf", shipped("keepalived.conf"), 0o644)
	write("etc/redis/redis.conf", shipped("redis.conf"), 0o644)
	write("etc/redis-vip/redis-vip.toml", shipped("redis-vip.toml"), 0o644)
	write("etc/redis-vip/never-boot-as-master.conf", shipped("never-boot-as-master.conf"), 0o644)
	if err := os.Chown(filepath.Join(root, "etc/redis"), 990, 990); err != nil {
		t.Fatal(err)
	}
	return root
}

// edit replaces text in a file of an image.
func edit(t *testing.T, path, old, text string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil || !strings.Contains(string(data), old) {
		t.Fatalf("%s has no %q: %v", path, old, err)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(string(data), old, text, 1)), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestLint(t *testing.T) {
	for _, tt := range []struct {
		name           string
		file, old, new string
		args           []string
		code           int
		says           string // all that is printed, or a part that ends in …
	}{
		{name: "nothing", says: ""},
		{
			name: "error", file: "etc/keepalived/keepalived.conf", old: "    nopreempt ", new: "    nopreermpt ", code: 1,
			says: `/etc/keepalived/keepalived.conf:28: error: unknown keyword "nopreermpt" [unknown-keyword]
    keepalived passes over the line. Of a block it passes over the first line only, and the
    } then ends the block around it.
    → write nopreempt
1 error, 0 warnings
`,
		},
		{name: "warning", file: "etc/redis/redis.conf", old: "256mb", new: "1mb", says: "/etc/redis/redis.conf:13: warning: repl-backlog-size 1mb [backlog-small]\n…"},
		{name: "strict", file: "etc/redis/redis.conf", old: "256mb", new: "1mb", args: []string{"--strict"}, code: 1, says: "/etc/redis/redis.conf:13: warning:…"},
		{name: "redis-vip.toml", file: "etc/redis-vip/redis-vip.toml", old: "nodes ", new: "nodez ", code: 1, says: "/etc/redis-vip/redis-vip.toml:6: error: nodez: unknown key [configuration]\n…"},
		{name: "deadline by flag", args: []string{"--timeout", "3s"}, code: 1, says: "/etc/keepalived/keepalived.conf:13: error: redis-check may take 3s, and keepalived ends it after 2s [check-deadline]\n…"},
		{name: "another host", args: []string{"--config-id", "db1"}, code: 1, says: "/etc/keepalived/keepalived.conf: error: no @ line is for db1, only for redis1, redis2 [wrong-host-name]\n…"},
		{name: "named files", file: "etc/redis/redis.conf", old: "256mb", new: "1mb", args: []string{"/etc/keepalived/keepalived.conf"}, says: ""},
		{name: "no such file", args: []string{"--redis", "/etc/redis/no.conf"}, code: 2, says: "redis-vip: /etc/redis/no.conf: no such file or directory\n"},
		{name: "no such other", args: []string{"--other", "/no/keepalived.conf"}, code: 2, says: "redis-vip: /no/keepalived.conf: no such file or directory\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			root := image(t)
			if tt.file != "" {
				edit(t, filepath.Join(root, tt.file), tt.old, tt.new)
			}
			args := append([]string{"lint", "--offline", "--root", root, "--config-id", "redis1"}, tt.args...)
			code, out := run(t, t.TempDir(), "redis-vip", args...)
			part, isPart := strings.CutSuffix(tt.says, "…")
			if code != tt.code || !isPart && out != tt.says || !strings.HasPrefix(out, part) {
				t.Errorf("exit %d, want %d:\n%s\nwant:\n%s", code, tt.code, out, tt.says)
			}
		})
	}
}

func TestLintUsage(t *testing.T) {
	empty := t.TempDir()
	for _, tt := range []struct {
		args []string
		says string
	}{
		{[]string{"--offline", "--root", empty}, "there is nothing to look at"},
		{[]string{"--root", empty}, "add --offline"},
		{[]string{empty + "/keepalived.conf"}, "no such file"},
		{[]string{"--timeout", "soon"}, "soon"},
	} {
		if code, out := run(t, t.TempDir(), "redis-vip", append([]string{"lint"}, tt.args...)...); code != 2 || !strings.Contains(out, tt.says) {
			t.Errorf("%v: exit %d: %s", tt.args, code, out)
		}
	}
}

func TestLintJSON(t *testing.T) {
	type finding struct {
		File, Severity, Rule, Message, Why, Fix string
		Line                                    int
	}
	root := image(t)
	lint := func(want int, args ...string) (list []finding) {
		t.Helper()
		code, out := run(t, t.TempDir(), "redis-vip", append([]string{"lint", "--json", "--offline", "--root", root, "--config-id", "redis1"}, args...)...)
		if err := json.Unmarshal([]byte(out), &list); code != want || err != nil || list == nil {
			t.Fatalf("exit %d, %v:\n%s", code, err, out)
		}
		return list
	}
	if list := lint(0); len(list) != 0 {
		t.Errorf("%+v", list)
	}
	other := filepath.Join(t.TempDir(), "keepalived.conf")
	text, err := os.ReadFile(filepath.Join(root, "etc/keepalived/keepalived.conf"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(other, text, 0o644); err != nil {
		t.Fatal(err)
	}
	if list := lint(0, "--other", other); len(list) != 0 {
		t.Errorf("the same file on both hosts: %+v", list)
	}
	edit(t, other, "virtual_router_id 51", "virtual_router_id 52")
	list := lint(1, "--other", other)
	if len(list) != 1 || list[0].Rule != "vrid-differs" || list[0].File != "/etc/keepalived/keepalived.conf" || list[0].Line != 30 ||
		list[0].Severity != "error" || list[0].Message == "" || list[0].Why == "" || list[0].Fix == "" {
		t.Errorf("%+v", list)
	}
}

// No finding says a password that a file holds.
func TestLintSaysNoSecret(t *testing.T) {
	const secret = "hunter2-and-more"
	root := image(t)
	edit(t, filepath.Join(root, "etc/redis/redis.conf"), "protected-mode no", "requirepass "+secret+"\nmasterauth \""+secret+"x")
	edit(t, filepath.Join(root, "etc/keepalived/keepalived.conf"), "    advert_int 1\n", "    advert_int 1\n    authentication {\n    auth_pass "+secret+"\n    }\n")
	for _, args := range [][]string{nil, {"--json"}} {
		code, out := run(t, t.TempDir(), "redis-vip", append([]string{"lint", "--offline", "--root", root, "--config-id", "redis1"}, args...)...)
		if code != 1 || strings.Contains(out, secret) || !strings.Contains(out, "auth-pass-long") {
			t.Errorf("exit %d:\n%s", code, out)
		}
	}
}
