package packaging_test

import (
	"context"
	"net/netip"
	"path"
	"strings"
	"testing"
	"time"

	"redis-vip/examples/lab/booted"
	"redis-vip/examples/lab/netlab"
)

// tree is where a host of the lab has the root that rpms are installed into.
const tree = "/run/rpm/root"

// rpmHost is a host with a root without any rpm in it: a view of a booted host's, so
// that scriptlets find a shell and systemd's programs. No EL can be had here.
func rpmHost(t *testing.T) (context.Context, *netlab.Host) {
	t.Helper()
	require(t, "rpm", "debootstrap")
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	t.Cleanup(cancel)
	lower, err := booted.Root(ctx)
	if err != nil {
		t.Fatal(err)
	}
	lab, err := netlab.New(ctx, netlab.Plan{Name: "el", Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.0.1/24")}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { lab.Close() })
	h := lab.Host("el")
	within(t, ctx, h, "mkdir", "-p", tree, "/run/rpm/upper", "/run/rpm/work")
	within(t, ctx, h, "mount", "-t", "overlay", "overlay", "-o", "lowerdir="+lower+",upperdir=/run/rpm/upper,workdir=/run/rpm/work", tree)
	within(t, ctx, h, "mount", "-t", "proc", "proc", tree+"/proc") // systemd-tmpfiles needs it
	rpmRun(t, ctx, h, "--initdb")
	return ctx, h
}

// within runs a command on a host that must succeed.
func within(t *testing.T, ctx context.Context, h *netlab.Host, args ...string) string {
	t.Helper()
	out, err := h.Output(ctx, args...)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(out)
}

func rpmRun(t *testing.T, ctx context.Context, h *netlab.Host, args ...string) string {
	t.Helper()
	return within(t, ctx, h, append([]string{"rpm", "--root", tree, "--dbpath", "/var/lib/rpm"}, args...)...)
}

// copyIn puts a file of this machine on a host.
func copyIn(t *testing.T, h *netlab.Host, from, to string) {
	t.Helper()
	if err := h.WriteFile(netlab.File{Path: to, Content: read(t, from), Mode: 0o644}); err != nil {
		t.Fatal(err)
	}
}

func TestRpmOnAnEmptyRoot(t *testing.T) {
	ctx, h := rpmHost(t)
	copyIn(t, h, rpm(t, packages), "/run/rpm/this.rpm")
	copyIn(t, h, rpm(t, newer), "/run/rpm/newer.rpm")

	rpmRun(t, ctx, h, "--install", "--nodeps", "/run/rpm/this.rpm")
	var files []string
	for _, name := range strings.Split(rpmRun(t, ctx, h, "--query", "--list", "redis-vip"), "\n") {
		var want string
		switch kind := within(t, ctx, h, "stat", "--format=%F", tree+name); {
		case kind == "directory":
			want = "755 root root"
		case kind == "symbolic link":
			want = "777 root root"
		case name == "/usr/libexec/keepalived/redis-vip":
			want = "755 root root"
			files = append(files, name)
		default:
			want = "644 root root"
			files = append(files, name)
		}
		if got := within(t, ctx, h, "stat", "--format=%a %U %G", tree+name); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	same(t, files, append(sources(t, "/usr/share/zsh/site-functions/_redis-vip"), "/usr/libexec/keepalived/redis-vip",
		"/usr/share/selinux/packages/redis-vip.cil",
		"/usr/share/doc/redis-vip/CHANGELOG.md", "/usr/share/doc/redis-vip/Apache-2.0"))
	if said := rpmRun(t, ctx, h, "--verify", "--nodeps", "redis-vip"); said != "" {
		t.Errorf("rpm --verify: %s", said)
	}

	// One binary, and every name leads to it.
	for _, name := range []string{"redis-check", "notify-master", "notify-backup", "sentinel-reconfig"} {
		if got := within(t, ctx, h, "chroot", tree, "/usr/libexec/redis-vip/"+name, "--version"); !strings.HasPrefix(got, name+" version ") {
			t.Errorf("%s: %q", name, got)
		}
		// keepalived.conf there names it so.
		if got := within(t, ctx, h, "chroot", tree, "/usr/libexec/keepalived/redis-vip", name, "--version"); !strings.HasPrefix(got, name+" version ") {
			t.Errorf("%s: %q", name, got)
		}
	}
	// What its texts name is there.
	for _, word := range strings.FieldsFunc(within(t, ctx, h, "bash", "-c", `cat "$0"/usr/share/doc/redis-vip/examples/*/*.conf; zcat "$0"/usr/share/man/man8/{redis-,notify-,sentinel-}*.gz`, tree), func(r rune) bool {
		return strings.ContainsRune("\" \t\n'`", r)
	}) {
		if dir := path.Dir(word); (strings.Contains(word, "/libexec/") || strings.HasPrefix(word, "/usr/lib/redis-vip")) && dir != "/usr/libexec" {
			within(t, ctx, h, "test", "-x", tree+strings.TrimRight(word, ",;."))
		}
	}

	// The scriptlets.
	for path, want := range map[string]string{"/run/redis-vip": "1771 redis-vip redis", "/var/lib/redis-vip": "750 redis-vip redis"} {
		if got := within(t, ctx, h, "chroot", tree, "stat", "--format=%a %U %G", path); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
	if got := within(t, ctx, h, "chroot", tree, "id", "-nG", "redis-vip"); got != "redis-vip redis" {
		t.Errorf("the groups of redis-vip: %s", got)
	}
	for _, unit := range []string{"redis-vip-reconcile.socket", "redis-vip-reconcile.timer"} {
		within(t, ctx, h, "systemd-analyze", "verify", "--man=no", "--root="+tree, unit)
		status, err := h.Run(ctx, netlab.Command{Args: []string{"systemctl", "--root=" + tree, "is-enabled", unit}})
		if got := strings.TrimSpace(string(status.Stdout)); err != nil || got != "disabled" {
			t.Errorf("%s is %s, %v", unit, got, err)
		}
	}

	// An upgrade has no moment without a program that runs.
	hook, err := h.Start(ctx, netlab.Command{Args: []string{"chroot", tree, "sh", "-c", hookLoop, "sh", "/usr/libexec/keepalived/redis-vip"}})
	if err != nil {
		t.Fatal(err)
	}
	log := func() string { return within(t, ctx, h, "sh", "-c", "cat "+tree+"/tmp/hooks || true") }
	await(t, ctx, log, "version")
	rpmRun(t, ctx, h, "--upgrade", "--nodeps", "/run/rpm/newer.rpm")
	await(t, ctx, log, newerVersion)
	runs(t, log())

	rpmRun(t, ctx, h, "--erase", "redis-vip")
	await(t, ctx, log, "FAILED") // or the loop would not have seen it
	within(t, ctx, h, "touch", tree+"/tmp/enough")
	if _, err := hook.Wait(ctx); err != nil {
		t.Error(err)
	}
	left := within(t, ctx, h, "chroot", tree, "find", "/", "-xdev", "-name", "*redis-vip*")
	if !sameLines(left, "/run/redis-vip", "/var/lib/redis-vip") {
		t.Errorf("left after the removal:\n%s", left)
	}
}
