package main

import (
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"redis-vip/examples/lab/netlab"
	"redis-vip/examples/lab/site"
)

// The lesson as a newcomer runs it: an ordinary user, on a host where nothing else is.
func TestOneHostTutorial(t *testing.T) {
	t.Parallel()
	netlab.Require(t, "redis-server", "redis-sentinel")
	lab, err := netlab.New(t.Context(), netlab.Plan{Name: "laptop", Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.0.1/24")}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { lab.Close() })
	host := lab.Host("laptop")
	if err := host.AddUser("student", "/home/student"); err != nil {
		t.Fatal(err)
	}
	root, err := site.ModuleRoot()
	if err != nil {
		t.Fatal(err)
	}
	const folder = "/opt/redis-vip/"
	put := func(path, from string, mode os.FileMode) {
		t.Helper()
		if err := host.WriteFile(netlab.File{Path: folder + path, Content: read(t, from), Mode: mode}); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"lab", "redis-vip", "redis-check", "sentinel-reconfig"} {
		put("bin/"+name, filepath.Join(programs, name), 0o755)
	}
	for _, name := range []string{"redis.conf", "sentinel.conf", "variables"} {
		put("examples/one-host-tutorial/"+name, filepath.Join(root, "examples/one-host-tutorial", name), 0o644)
	}
	status, err := host.Run(t.Context(), netlab.Command{
		Args: []string{folder + "bin/lab", "one-host-tutorial", "--programs", folder + "bin", "--examples", folder + "examples"},
		User: "student", Dir: "/tmp", Capture: true,
	})
	out := string(status.Stdout)
	t.Logf("%v %v\n%s%s", status, err, out, status.Stderr)
	if err != nil || status.Code != 0 {
		t.Fatal("the lesson ended early")
	}
	for _, says := range []string{
		"FIT (master)", "UNFIT (unreachable)", "UNFIT (not_elected)", "3 of 3 answer, 3 name 127.0.0.1:7002",
		"Sentinel: knows the new master", "Redis: is a replica of 127.0.0.1:7002 now",
		"redis-check NOT_USED NOT_USED 127.0.0.1 7001\n  [exit 1]", "redis-check NOT_USED NOT_USED 127.0.0.1 7002\n  [exit 0]",
		"redis-cli -p 7001 set late write\n  OK",
	} {
		if !strings.Contains(out, says) {
			t.Errorf("it does not say %q", says)
		}
	}
	if strings.Contains(out, "The VIP is not where") {
		t.Error("there is no VIP, and it tells to move it")
	}
	if !regexp.MustCompile(`127\.0\.0\.1:7001 +127\.0\.0\.1:7002 +\d+ +resp +no`).MatchString(out) {
		t.Error("what the old master has taken is not preserved")
	}
	if !regexp.MustCompile(`acknowledged writes \d{4,} · of them lost 0`).MatchString(out) {
		t.Error("writes are lost")
	}
	if out, err := host.Output(t.Context(), "pgrep", "-l", "redis"); err == nil {
		t.Errorf("it leaves %s behind", out)
	}
}
