package lint

import (
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"redis-vip/checks/node/nodetest"
)

// A real folder tree, whose files belong to root as they would.
func TestLook(t *testing.T) {
	nodetest.Root(t)
	root := t.TempDir()
	for _, folder := range []string{"usr/bin", "opt/open", "opt/group", "opt/theirs", "opt/sticky"} {
		must(t, os.MkdirAll(filepath.Join(root, folder), 0o755))
	}
	must(t, os.Chmod(filepath.Join(root, "opt/open"), 0o777))
	must(t, os.Chmod(filepath.Join(root, "opt/sticky"), fs.ModeSticky|0o777))
	must(t, os.Chown(filepath.Join(root, "opt/group"), 0, 990))
	must(t, os.Chmod(filepath.Join(root, "opt/group"), 0o775))
	must(t, os.Chown(filepath.Join(root, "opt/theirs"), 1000, 0))
	binary, err := os.ReadFile("/proc/self/exe")
	must(t, err)
	foreign := append([]byte(nil), binary[:256]...)
	foreign[18], foreign[19] = 8, 0 // MIPS
	write := func(path string, mode fs.FileMode, content string) {
		must(t, os.WriteFile(filepath.Join(root, path), []byte(content), mode))
		must(t, os.Chmod(filepath.Join(root, path), mode))
	}
	write("usr/bin/dash", 0o755, string(binary[:256]))
	must(t, os.Symlink("dash", filepath.Join(root, "usr/bin/sh")))
	must(t, os.Symlink("/usr/bin", filepath.Join(root, "bin")))
	write("opt/ok", 0o755, string(binary[:256]))
	write("opt/script", 0o755, "#! /bin/sh -e\nexit 0\n")
	write("opt/lost", 0o755, "#!/usr/local/bin/bash\n")
	write("opt/text", 0o755, "exit 0\n")
	write("opt/empty", 0o755, "")
	write("opt/short", 0o755, "\x7fELF")
	write("opt/foreign", 0o755, string(foreign))
	write("opt/open/x", 0o755, "#!/bin/sh\n")
	write("opt/group/x", 0o755, "#!/bin/sh\n")
	write("opt/theirs/x", 0o755, "#!/bin/sh\n")
	write("opt/sticky/x", 0o755, "#!/bin/sh\n")
	write("opt/writable", 0o757, "#!/bin/sh\n")
	must(t, os.Symlink("/opt/open/x", filepath.Join(root, "opt/link")))
	must(t, os.Symlink("/opt/round", filepath.Join(root, "opt/round")))

	r := Root(root)
	for _, tt := range []struct {
		path                   string
		exists                 bool
		real, loose, how, runs string
		format                 Format
	}{
		{path: "/opt/ok", exists: true, real: "/opt/ok", format: Binary},
		{path: "/opt/../opt//./ok", exists: true, real: "/opt/ok", format: Binary},
		{path: "/opt/script", exists: true, real: "/opt/script", runs: "/usr/bin/dash", format: Script},
		{path: "/bin/sh", exists: true, real: "/usr/bin/dash", format: Binary},
		{path: "/opt/lost", exists: true, real: "/opt/lost", format: Script},
		{path: "/opt/text", exists: true, real: "/opt/text"},
		{path: "/opt/empty", exists: true, real: "/opt/empty"},
		{path: "/opt/short", exists: true, real: "/opt/short"},
		{path: "/opt/foreign", exists: true, real: "/opt/foreign"},
		{path: "/opt/open/x", exists: true, real: "/opt/open/x", loose: "/opt/open", how: "everybody", runs: "/usr/bin/dash", format: Script},
		{path: "/opt/link", exists: true, real: "/opt/open/x", loose: "/opt/open", how: "everybody", runs: "/usr/bin/dash", format: Script},
		{path: "/opt/group/x", exists: true, real: "/opt/group/x", loose: "/opt/group", how: "group 990", runs: "/usr/bin/dash", format: Script},
		{path: "/opt/theirs/x", exists: true, real: "/opt/theirs/x", loose: "/opt/theirs", how: "user 1000", runs: "/usr/bin/dash", format: Script},
		{path: "/opt/sticky/x", exists: true, real: "/opt/sticky/x", runs: "/usr/bin/dash", format: Script},
		{path: "/opt/writable", exists: true, real: "/opt/writable", loose: "/opt/writable", how: "everybody", runs: "/usr/bin/dash", format: Script},
		{path: "/opt/round"},
		{path: "/opt/none"},
		{path: "/opt/ok/below"},
	} {
		p := r.Look(tt.path)
		if p.Exists != tt.exists || p.Real != tt.real || p.Loose != tt.loose || !strings.Contains(p.LooseFor, tt.how) || p.Format != tt.format || p.Interpreter != tt.runs {
			t.Errorf("%s: %+v", tt.path, p)
		}
	}
}

// Nothing makes a reader wait, and a link does not lead out of the root.
func TestReadIsBounded(t *testing.T) {
	root := t.TempDir()
	must(t, os.MkdirAll(filepath.Join(root, "etc"), 0o755))
	must(t, os.Symlink("/etc/../../../etc/passwd", filepath.Join(root, "etc/shadow")))
	listener, err := net.Listen("unix", filepath.Join(root, "etc/socket"))
	must(t, err)
	defer listener.Close()
	for _, path := range []string{"/etc", "/etc/shadow", "/etc/socket"} {
		start := time.Now()
		if data, err := Root(root).Read(path); err == nil || time.Since(start) > 5*time.Second {
			t.Errorf("%s: %q", path, data)
		}
	}
}

func TestUsers(t *testing.T) {
	root := t.TempDir()
	must(t, os.MkdirAll(filepath.Join(root, "etc"), 0o755))
	must(t, os.WriteFile(filepath.Join(root, "etc/passwd"), []byte("root:x:0:0::/:/bin/sh\nredis:x:990:991::/:/bin/false\nbad:x:a:b\n"), 0o644))
	if u, found := Root(root).user("redis"); !found || u != (User{990, 991}) {
		t.Error(u, found)
	}
	for _, name := range []string{"bad", "redi", "nobody"} {
		if u, found := Root(root).user(name); found {
			t.Error(name, u)
		}
	}
	if _, found := Root("").user("root"); !found {
		t.Error("this host has no root")
	}
}

func TestPermits(t *testing.T) {
	p := Path{UID: 10, GID: 20, Mode: 0o750}
	for _, tt := range []struct {
		user User
		want bool
	}{{User{10, 1}, true}, {User{1, 20}, true}, {User{1, 1}, false}, {User{0, 0}, true}} {
		if got := p.executableBy(tt.user); got != tt.want {
			t.Errorf("%+v: %v", tt.user, got)
		}
	}
	if (Path{Mode: 0o644}).executableBy(User{0, 0}) {
		t.Error("root runs what nobody may run")
	}
}

func TestUnits(t *testing.T) {
	units := parseUnits([]byte("Id=redis-server.service\nLoadState=loaded\nUser=redis\nRestart=always\nNoExecPaths=/\nExecPaths=/usr/bin/redis-server /usr/lib /lib\n\n" +
		"Id=valkey.service\nLoadState=not-found\nUser=\n"))
	u, found := units["redis-server"]
	if !found || len(units) != 1 || u.User != "redis" || u.Restart != "always" {
		t.Fatalf("%+v", units)
	}
	for path, want := range map[string]bool{
		"/usr/lib/redis-vip/sentinel-reconfig": true, "/usr/bin/redis-server": true, "/usr/bin/redis-server2": false,
		"/usr/libexec/x": false, "/var/lib/redis/x": false, "/lib": true,
	} {
		if got := u.executes(path); got != want {
			t.Errorf("%s: %v", path, got)
		}
	}
	if !(Unit{}).executes("/anything") {
		t.Error("a unit without a sandbox executes anything")
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
