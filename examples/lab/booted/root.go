package booted

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"redis-vip/examples/lab/netlab"
)

// suite is the release that the hosts run.
const suite = "bookworm"

// packages are what they have beyond the essential ones.
var packages = []string{
	"systemd", "systemd-sysv", "dbus", "iproute2", "procps", "redis-server", "redis-sentinel", "keepalived",
	"haproxy", "curl",
}

// cache holds the roots. A host of netlab sees it, unlike /tmp and /run, and
// root owns it, unlike the cache of whoever called sudo.
const cache = "/var/cache/redis-vip-lab"

// recipe is to be raised with every change to how a root is built.
const recipe = 1

// Root returns a root file system with Debian 12 on it, where nothing starts by
// itself. It is built when there is none, which takes a minute or two, and
// kept: remove the folder to get newer packages. Two labs that need it at once
// build it once.
func Root(ctx context.Context) (string, error) {
	key := sha256.Sum256(fmt.Appendln(nil, recipe, suite, packages))
	root := filepath.Join(cache, fmt.Sprintf("%s-%x", suite, key[:6]))
	if there(root) {
		return root, nil
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", err
	}
	unlock, err := lock(ctx, filepath.Join(cache, "lock"))
	if err != nil {
		return "", fmt.Errorf("wait for another lab that builds the root: %w", err)
	}
	defer unlock()
	if there(root) {
		return root, nil
	}
	if err := clean(); err != nil {
		return "", err
	}
	building, err := os.MkdirTemp(cache, unfinished)
	if err != nil {
		return "", err
	}
	if err := os.Chmod(building, 0o755); err != nil { // it becomes the hosts' /
		return "", err
	}
	if err := build(ctx, building); err != nil {
		return "", errors.Join(fmt.Errorf("build a root: %w", err), os.RemoveAll(building))
	}
	return root, os.Rename(building, root)
}

// unfinished is how the names of roots begin that are not whole.
const unfinished = "building-"

// clean removes what killed labs left half-built. Only who has the lock may.
func clean() error {
	entries, err := os.ReadDir(cache)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), unfinished) {
			if err := os.RemoveAll(filepath.Join(cache, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

func there(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// lock waits for a lock that ends with its process.
func lock(ctx context.Context, path string) (unlock func() error, err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := netlab.Until(ctx, func(context.Context) error {
		return unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	}); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f.Close, nil
}
