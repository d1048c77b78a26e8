package booted

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
)

// started are the units that packages enable and that a host is to start only
// when it is told to, or never: a lab has no use for upkeep.
var started = []string{
	"redis-server.service", "redis-sentinel.service", "keepalived.service", "haproxy.service",
	"apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer",
	"e2scrub_all.timer", "e2scrub_reap.service", "fstrim.timer",
}

// build fills an empty folder.
func build(ctx context.Context, root string) error {
	mirror, err := mirror(ctx)
	if err != nil {
		return err
	}
	if err := alone(ctx, "debootstrap", "--variant=minbase", "--include="+strings.Join(packages, ","), suite, root, mirror); err != nil {
		return err
	}
	for verb, units := range map[string][]string{"disable": started, "enable": {"systemd-networkd.service"}} {
		if err := alone(ctx, "systemctl", append([]string{"--root=" + root, verb}, units...)...); err != nil {
			return err
		}
	}
	// What debootstrap took along of this machine, and its downloads.
	var failed error
	for _, path := range []string{"etc/hostname", "etc/machine-id", "etc/resolv.conf", "var/lib/dbus/machine-id"} {
		if err := os.Remove(filepath.Join(root, path)); !errors.Is(err, os.ErrNotExist) {
			failed = errors.Join(failed, err)
		}
	}
	for _, pattern := range []string{"var/cache/apt/archives/*.deb", "var/lib/apt/lists/*_Packages"} {
		files, err := filepath.Glob(filepath.Join(root, pattern))
		failed = errors.Join(failed, err)
		for _, f := range files {
			failed = errors.Join(failed, os.Remove(f))
		}
	}
	return failed
}

// mirror is where this machine's apt gets the suite from.
func mirror(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "apt-get", "indextargets", "--format", "$(REPO_URI)",
		"Created-By: Packages", "Release: "+suite, "Component: main").Output()
	if err != nil {
		return "", fmt.Errorf("apt-get indextargets: %w", err)
	}
	first, _, _ := strings.Cut(string(out), "\n")
	if first == "" {
		return "", fmt.Errorf("apt's sources on this machine have no %s main", suite)
	}
	return first, nil
}

// alone runs a program whose mounts and processes end with it, and that ends
// with us, however we end.
func alone(ctx context.Context, program string, args ...string) error {
	// The signal comes when the thread ends that made the process.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd := exec.CommandContext(ctx, "unshare", append([]string{
		"--mount", "--pid", "--fork", "--mount-proc", "--kill-child=SIGKILL", "--", program,
	}, args...)...)
	cmd.Env = append(os.Environ(), "LC_ALL=C", "PATH=/usr/sbin:/usr/bin:/sbin:/bin")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		return fmt.Errorf("%s: %w", program, context.Cause(ctx))
	}
	if err != nil {
		return fmt.Errorf("%s: %w: %s", program, err, tail(out, 1000))
	}
	return nil
}

// tail is the end of what a program said.
func tail(text []byte, size int) []byte { return text[max(0, len(text)-size):] }
