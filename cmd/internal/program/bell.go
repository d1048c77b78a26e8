package program

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"slices"
	"syscall"
	"time"

	"redis-vip/cmd/internal/config"

	"golang.org/x/sys/unix"
)

// bellPath is where redis-vip-reconcile.socket listens.
const bellPath = "/run/redis-vip/reconcile.sock"

// ring asks for a run of reconcile by a process that has the rights which that takes, and
// waits until it has ended or the context has. Nothing is sent: who rings can cause
// the truth to be read again, and nothing else. Whether the run did well is for its own
// record to say.
//
// When many wait already, the connection is closed at once. That is as good as a run:
// the one that they wait for has not begun yet, and will read everything that ours
// would.
func ring(ctx context.Context, path string) error {
	conn, err := new(net.Dialer).DialContext(ctx, "unix", path)
	if err != nil {
		return noBell(path, err)
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()

	switch _, err := io.Copy(io.Discard, conn); {
	case err == nil, errors.Is(err, syscall.ECONNRESET):
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("rang %s, and the run did not end in time; it goes on: see journalctl -t sentinel-reconfig: %w", path, ctx.Err())
	default:
		return fmt.Errorf("rang %s: %w", path, err)
	}
}

// noBell explains why there was nothing to ring.
func noBell(path string, err error) error {
	var cause syscall.Errno
	if errors.As(err, &cause) {
		err = cause // without net's "dial unix PATH: connect:"
	}
	why := "cannot ring " + path
	switch {
	case errors.Is(err, fs.ErrNotExist), cause == syscall.ECONNREFUSED:
		return fmt.Errorf("%s: nobody listens there, and this user may not do it itself: systemctl enable --now redis-vip-reconcile.socket: %w", why, err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%s: user %d with group %d has no right to: name its group as SocketGroup= in systemctl edit redis-vip-reconcile.socket: %w", why, os.Geteuid(), os.Getegid(), err)
	case cause == syscall.EAGAIN:
		return fmt.Errorf("%s: too many wait there already: see who with ss -xp; the timer goes on: %w", why, err)
	default:
		return fmt.Errorf("%s: %w", why, err)
	}
}

// capable says whether this process may do itself what the groups need. To change
// addresses takes a capability; without a VIP it is enough to write down what a deposed
// master has taken.
func capable(groups []config.Group) bool {
	return privileged() || !slices.ContainsFunc(groups, func(g config.Group) bool {
		return len(g.VIPs) > 0 || !writable(g.StateDir) || !writable(g.RunDir)
	})
}

// writable says whether this process may make files in a folder. To ask does no harm in a
// sandbox that kills for most other questions: see [privileged].
func writable(folder string) bool { return unix.Access(folder, unix.W_OK|unix.X_OK) == nil }

// privileged says whether this process may change the addresses of the network it is
// in. Having CAP_NET_ADMIN is not enough for that: in a unit with PrivateUsers= it
// reaches nothing but the unit's own user namespace (user_namespaces(7)), and
// RestrictAddressFamilies= may leave no netlink socket to use it through.
//
// It must not end the process. Sentinel's unit on Debian kills whoever calls capset,
// setuid or chown, which Sentinel answers with a retry; capget, ioctl and socket are
// in @system-service and not in the groups that it denies (systemd.exec(5)).
func privileged() bool {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var sets [2]unix.CapUserData // two, for 64 capabilities
	err := unix.Capget(&header, &sets[0])
	return err == nil && sets[0].Effective&(1<<unix.CAP_NET_ADMIN) != 0 && networkIsOurs() && hasNetlink()
}

// networkIsOurs says whether the network namespace belongs to our user namespace or
// to one below it. The kernel does not show the owner otherwise (ioctl_nsfs(2)).
func networkIsOurs() bool {
	network, err := os.Open("/proc/self/ns/net")
	if err != nil {
		return true // no /proc, or none with namespaces: the capability has to do
	}
	defer network.Close()
	owner, err := unix.IoctlRetInt(int(network.Fd()), unix.NS_GET_USERNS)
	if err != nil {
		return !errors.Is(err, fs.ErrPermission)
	}
	unix.Close(owner)
	return true
}

func hasNetlink() bool {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err == nil {
		unix.Close(fd)
	}
	return err == nil
}
