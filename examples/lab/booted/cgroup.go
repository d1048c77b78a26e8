package booted

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"
	"time"

	"redis-vip/examples/lab/netlab"
)

// cgroupRoot is where a host of netlab gets the machine's control groups
// mounted: systemd needs one of its own to live in.
const cgroupRoot = "/sys/fs/cgroup"

// cgroups are a lab's control groups, one below another: the lab's, the hosts',
// their units'. Processes end by themselves with a lab, empty groups do not.
type cgroups struct {
	parent *os.Root // our own process's group
	path   string   // the lab's, below cgroupRoot
	name   string   // the same, below parent
}

// groupPrefix is how their names begin; the lab's process comes next.
const groupPrefix = "redis-vip-lab."

// newCgroups makes a lab's group, as a host with the mount sees it.
func newCgroups(h *netlab.Host) (_ *cgroups, err error) {
	own, err := ownGroup()
	if err != nil {
		return nil, err
	}
	c := &cgroups{name: fmt.Sprintf("%s%d.%s", groupPrefix, os.Getpid(), rand.Text()[:6])}
	c.path = path.Join(cgroupRoot, own, c.name)
	if c.parent, err = os.OpenRoot(fmt.Sprintf("/proc/%d/root%s", h.PID(), path.Join(cgroupRoot, own))); err != nil {
		return nil, err
	}
	if err := errors.Join(c.sweep(), c.parent.Mkdir(c.name, 0o755)); err != nil {
		return nil, errors.Join(fmt.Errorf("control groups: %w", err), c.parent.Close())
	}
	return c, nil
}

// ownGroup is the group of this process in the unified hierarchy.
func ownGroup() (string, error) {
	table, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(table)) {
		if own, ok := strings.CutPrefix(strings.TrimSpace(line), "0::"); ok && !strings.Contains(own, "..") {
			return own, nil
		}
	}
	return "", fmt.Errorf("no control group to start in: %q", table)
}

// host makes the group of a host and returns its path there.
func (c *cgroups) host(name string) (string, error) {
	return path.Join(c.path, name), c.parent.Mkdir(path.Join(c.name, name), 0o755)
}

// sweep removes what killed labs left behind.
func (c *cgroups) sweep() error {
	groups, err := c.children(".")
	for _, name := range groups {
		rest, ours := strings.CutPrefix(name, groupPrefix)
		if !ours {
			continue
		}
		number, _, _ := strings.Cut(rest, ".")
		if pid, bad := strconv.Atoi(number); bad == nil && !there(fmt.Sprintf("/proc/%d", pid)) {
			c.remove(name) // it is busy if its lab is of another container
		}
	}
	return err
}

// close removes the lab's groups, once its hosts are gone.
func (c *cgroups) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	return errors.Join(
		netlab.Until(ctx, func(context.Context) error { return c.remove(c.name) }), // it stays busy for a moment
		c.parent.Close(),
	)
}

// remove removes a group with those below it.
func (c *cgroups) remove(name string) error {
	below, err := c.children(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, child := range below {
		err = errors.Join(err, c.remove(path.Join(name, child)))
	}
	return errors.Join(err, c.parent.Remove(name))
}

func (c *cgroups) children(name string) (names []string, err error) {
	dir, err := c.parent.Open(name)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	entries, err := dir.ReadDir(-1)
	for _, e := range entries {
		if e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names, err
}
