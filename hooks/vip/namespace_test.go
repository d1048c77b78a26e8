package vip_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// needRoot skips the test without root, except in CI, where nothing is skipped.
func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() == 0 {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatal("network namespaces need root, and CI skips nothing")
	}
	t.Skip("network namespaces need root")
}

// enter moves the test into a network namespace of its own. The thread is never
// unlocked, so it ends with the test's goroutine and takes the namespace along.
func enter(t *testing.T) {
	t.Helper()
	needRoot(t)
	runtime.LockOSThread()
	must(t, unix.Unshare(unix.CLONE_NEWNET))
	up(t, "lo")
}

// A namespace is another network namespace than the test's.
type namespace struct{ handle netns.NsHandle }

// current returns the namespace that the test is in.
func current(t *testing.T) namespace {
	t.Helper()
	h, err := netns.Get()
	must(t, err)
	t.Cleanup(func() { h.Close() })
	return namespace{h}
}

// newNamespace returns a new one.
func newNamespace(t *testing.T) namespace {
	t.Helper()
	c := make(chan netns.NsHandle, 1)
	var err error
	go func() {
		runtime.LockOSThread() // Never unlocked: the thread is thrown away.
		defer close(c)
		if err = unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return
		}
		var h netns.NsHandle
		if h, err = netns.Get(); err == nil {
			c <- h
		}
	}()
	h, ok := <-c
	if !ok {
		t.Fatalf("making a namespace: %v", err)
	}
	t.Cleanup(func() { h.Close() })
	return namespace{h}
}

// do runs f on a thread inside the namespace and waits for it. As f does not
// run in the test's goroutine, it returns its error instead of failing.
func (n namespace) do(f func() error) error {
	c := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		if err := netns.Set(n.handle); err != nil {
			c <- err
			return
		}
		c <- f()
	}()
	return <-c
}

// serial makes the names of interfaces unique: the net package remembers for a
// minute which index a name had, in whatever namespace.
var serial atomic.Int32

func ifname() string { return fmt.Sprintf("t%d", serial.Add(1)) }

// iface adds an interface that is up, has a carrier and the given addresses: a
// cable to nowhere, because not every kernel has dummies.
func iface(t *testing.T, addrs ...string) string {
	t.Helper()
	name, end := ifname(), ifname()
	must(t, netlink.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: name}, PeerName: end}))
	up(t, end)
	up(t, name)
	running(t, name)
	address(t, name, addrs...)
	return name
}

// cable joins the test's namespace and peer by a pair of interfaces that are
// both up, and returns their names. No router or DAD speaks on it.
func cable(t *testing.T, peer namespace) (here, there string) {
	t.Helper()
	here, there = ifname(), ifname()
	must(t, netlink.LinkAdd(&netlink.Veth{
		LinkAttrs:     netlink.LinkAttrs{Name: here},
		PeerName:      there,
		PeerNamespace: netlink.NsFd(peer.handle),
	}))
	up(t, here)
	must(t, peer.do(func() error {
		link, err := netlink.LinkByName(there)
		if err != nil {
			return err
		}
		return netlink.LinkSetUp(link)
	}))
	running(t, here)
	return here, there
}

func up(t *testing.T, name string)   { t.Helper(); must(t, netlink.LinkSetUp(link(t, name))) }
func down(t *testing.T, name string) { t.Helper(); must(t, netlink.LinkSetDown(link(t, name))) }

// running waits until the kernel has noticed an interface's carrier: before, it
// drops what is sent.
func running(t *testing.T, name string) {
	t.Helper()
	eventually(t, name+" has a carrier", func() bool {
		return link(t, name).Attrs().OperState == netlink.OperUp
	})
}

// eventually waits for a condition that nothing announces.
func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !f(); time.Sleep(100 * time.Microsecond) {
		if time.Now().After(end) {
			t.Fatalf("waited %v in vain until %s", patience, what)
		}
	}
}

func link(t *testing.T, name string) netlink.Link {
	t.Helper()
	l, err := netlink.LinkByName(name)
	must(t, err)
	return l
}

// mac returns the hardware address of an interface in the test's namespace.
func mac(t *testing.T, name string) net.HardwareAddr {
	t.Helper()
	return link(t, name).Attrs().HardwareAddr
}

// address adds addresses as another program would.
func address(t *testing.T, name string, addrs ...string) {
	t.Helper()
	for _, s := range addrs {
		a, err := netlink.ParseAddr(s)
		must(t, err)
		if a.IP.To4() == nil {
			a.Flags = unix.IFA_F_NODAD
		}
		must(t, netlink.AddrAdd(link(t, name), a))
	}
}

// addresses lists an interface's addresses in the kernel's order, without the
// link-local ones that it makes itself.
func addresses(t *testing.T, name string) []netlink.Addr {
	t.Helper()
	all, err := netlink.AddrList(link(t, name), netlink.FAMILY_ALL)
	must(t, err)
	var out []netlink.Addr
	for _, a := range all {
		if !a.IP.IsLinkLocalUnicast() {
			out = append(out, a)
		}
	}
	return out
}

// cidrs lists an interface's addresses as text.
func cidrs(t *testing.T, name string) []string {
	t.Helper()
	out := []string{}
	for _, a := range addresses(t, name) {
		out = append(out, a.IPNet.String())
	}
	return out
}

// sysctl writes a setting of the test's namespace.
func sysctl(t *testing.T, value string, path ...string) {
	t.Helper()
	must(t, os.WriteFile(filepath.Join(append([]string{"/proc/sys/net"}, path...)...), []byte(value), 0o644))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
