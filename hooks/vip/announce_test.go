package vip_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/mdlayher/arp"
	"github.com/mdlayher/ethernet"
	"github.com/mdlayher/ndp"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"redis-vip/checks/node/nodetest"
	"redis-vip/hooks/vip"
)

// promptness is the longest time between an address and its first frame.
const promptness = 10 * time.Millisecond

// gratuitous checks that the next two frames are the two forms of gratuitous
// ARP for ip, and returns when the first arrived.
func (c *capture) gratuitous(t *testing.T, ip netip.Addr, mac net.HardwareAddr) (first time.Time) {
	t.Helper()
	for _, want := range []struct {
		op     arp.Operation
		target net.HardwareAddr
	}{
		{arp.OperationRequest, make(net.HardwareAddr, 6)},
		{arp.OperationReply, mac},
	} {
		f, p := c.arp(t)
		if first.IsZero() {
			first = f.at
		}
		equal(t, "operation", p.Operation, want.op)
		equal(t, "Ethernet destination", f.Destination, ethernet.Broadcast)
		equal(t, "Ethernet source", f.Source, mac)
		equal(t, "sender's hardware address", p.SenderHardwareAddr, mac)
		equal(t, "target's hardware address", p.TargetHardwareAddr, want.target)
		equal(t, "sender", p.SenderIP, ip)
		equal(t, "target", p.TargetIP, ip)
	}
	return first
}

// unsolicited checks that the next advertisement for ip is as RFC 4861, section
// 7.2.6, wants it.
func (c *capture) unsolicited(t *testing.T, ip netip.Addr, mac net.HardwareAddr) {
	t.Helper()
	f, h, na := c.advertisement(t, ip)
	equal(t, "Ethernet destination", f.Destination, net.HardwareAddr{0x33, 0x33, 0, 0, 0, 1})
	equal(t, "destination", h.Dst.String(), "ff02::1")
	equal(t, "source", h.Src.String(), ip.String())
	equal(t, "hop limit", h.HopLimit, 255)
	equal(t, "override, solicited, router", [3]bool{na.Override, na.Solicited, na.Router}, [3]bool{true, false, false})
	equal(t, "options", len(na.Options), 1)
	option, ok := na.Options[0].(*ndp.LinkLayerAddress)
	if !ok || option.Direction != ndp.Target || !bytes.Equal(option.Addr, mac) {
		t.Fatalf("option: %+v", na.Options[0])
	}
}

// announcement checks that the next announcement of ip is complete.
func (c *capture) announcement(t *testing.T, ip netip.Addr, mac net.HardwareAddr) {
	t.Helper()
	if ip.Is4() {
		c.gratuitous(t, ip, mac)
	} else {
		c.unsolicited(t, ip, mac)
	}
}

// announced skips what has been captured until a frame that announces ip, and
// returns its time. The rest of that announcement is skipped, too.
func (c *capture) announced(t *testing.T, ip netip.Addr) (first time.Time) {
	t.Helper()
	for {
		f, ok := c.next(t, quiet)
		switch {
		case !ok && first.IsZero():
			t.Fatalf("no announcement of %s was captured", ip)
		case !ok:
			return first
		case first.IsZero() && announces(f, ip):
			first = f.at
		}
	}
}

func etherType(ip netip.Addr) ethernet.EtherType {
	if ip.Is4() {
		return ethernet.EtherTypeARP
	}
	return ethernet.EtherTypeIPv6
}

// The first frame leaves within 10 ms of the address, on an interface with and
// without an address of its own.
func TestTakeIsPrompt(t *testing.T) {
	const rounds = 20
	for _, tt := range []struct{ name, own, vip string }{
		{"IPv4", "192.0.2.1/24", "192.0.2.4/24"},
		{"IPv4, single", "192.0.2.1/24", "192.0.2.4/32"},
		{"IPv4, no address", "", "192.0.2.4/24"},
		{"IPv6", "2001:db8::1/64", "2001:db8::4/64"},
		{"IPv6, single", "2001:db8::1/64", "2001:db8::4/128"},
		{"IPv6, no address", "", "2001:db8::4/64"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			enter(t)
			peer := newNamespace(t)
			here, there := cable(t, peer)
			if tt.own != "" {
				address(t, here, tt.own)
			}
			v := on(here, tt.vip)
			ip := v.Prefix.Addr()
			// What the peer receives is checked there, but its time is taken
			// here, when it leaves: the peer's kernel takes frames from a
			// virtual cable when it gets round to it, now and then 13 ms later.
			c := newCapture(t, peer, there, etherType(ip))
			tap := newCapture(t, current(t), here, unix.ETH_P_ALL)
			events := watch(t)
			// Other tests may keep all processors busy meanwhile.
			must(t, unix.Setpriority(unix.PRIO_PROCESS, 0, -20))

			var afterEvent, afterCall []time.Duration
			for range rounds {
				called := time.Now()
				changed(t, true)(v.Take(bounded(t)))
				c.announcement(t, ip, mac(t, here))
				sent := tap.announced(t, ip)
				added := waitFor(t, events, "the address", isNew(ip)).at
				afterEvent = append(afterEvent, sent.Sub(added))
				afterCall = append(afterCall, sent.Sub(called))
				changed(t, true)(v.Remove())
			}
			t.Logf("first frame after the address's event: median %v, worst %v; after the call: median %v, worst %v",
				median(afterEvent), slices.Max(afterEvent), median(afterCall), slices.Max(afterCall))
			late := 0
			for _, d := range afterEvent {
				if d > promptness {
					late++
				}
			}
			// One is the scheduler's; more are ours.
			if late > 1 {
				t.Errorf("%d of %d first frames were late: %v", late, rounds, afterEvent)
			}
			// The event is read by a thread that may itself be late; the time
			// since the call bounds what that could hide.
			if m := median(afterCall); m > promptness {
				t.Errorf("first frame %v after the call, in the median", m)
			}
			if ip.Is4() {
				c.empty(t)
			}
		})
	}
}

func median(d []time.Duration) time.Duration {
	d = slices.Sorted(slices.Values(d))
	return d[len(d)/2]
}

// A neighbour that knew the address elsewhere knows it here after Take, even
// when its entry is younger than the locktime of one second.
func TestTakeMovesNeighbours(t *testing.T) {
	for _, tt := range []struct{ name, peer, own, vip string }{
		{"IPv4", "192.0.2.2/24", "192.0.2.1/24", "192.0.2.4/24"},
		{"IPv6", "2001:db8::2/64", "2001:db8::1/64", "2001:db8::4/64"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			enter(t)
			peer := newNamespace(t)
			here, there := cable(t, peer)
			address(t, here, tt.own)
			v := at(tt.vip)
			elsewhere := net.HardwareAddr{2, 0, 0, 0, 0, 0x99}
			must(t, peer.do(func() error {
				l, err := netlink.LinkByName(there)
				if err != nil {
					return err
				}
				a, _ := netlink.ParseAddr(tt.peer)
				a.Flags = unix.IFA_F_NODAD
				if v.Prefix.Addr().Is4() {
					a.Flags = 0
				}
				return errors.Join(netlink.AddrAdd(l, a), netlink.NeighSet(&netlink.Neigh{
					LinkIndex: l.Attrs().Index, IP: v.Prefix.Addr().AsSlice(),
					HardwareAddr: elsewhere, State: netlink.NUD_REACHABLE,
				}))
			}))

			changed(t, true)(v.Take(bounded(t)))

			eventually(t, "the neighbour finds "+tt.vip+" here", func() bool {
				var got net.HardwareAddr
				must(t, peer.do(func() error {
					l, err := netlink.LinkByName(there)
					if err != nil {
						return err
					}
					all, err := netlink.NeighList(l.Attrs().Index, netlink.FAMILY_ALL)
					for _, n := range all {
						if n.IP.Equal(v.Prefix.Addr().AsSlice()) {
							got = n.HardwareAddr
						}
					}
					return err
				}))
				return bytes.Equal(got, mac(t, here))
			})
		})
	}
}

// What is held is announced again, wherever it is, and not added.
func TestTakeHeld(t *testing.T) {
	for _, s := range []string{"192.0.2.4/24", "2001:db8::4/64"} {
		t.Run(s, func(t *testing.T) {
			enter(t)
			peer := newNamespace(t)
			here, there := cable(t, peer)
			address(t, here, s)
			v := on(iface(t), s)
			c := newCapture(t, peer, there, etherType(v.Prefix.Addr()))
			changed(t, false)(v.Take(bounded(t)))
			c.announcement(t, v.Prefix.Addr(), mac(t, here))
			equal(t, "addresses", cidrs(t, here), []string{s})
		})
	}
}

// Interfaces on top of others announce through them, with their own hardware
// address. Which kinds there are depends on the kernel.
func TestTakeOnStackedInterfaces(t *testing.T) {
	own := net.HardwareAddr{2, 0, 0, 0, 0, 0x42}
	const vlanID = 42
	tested := 0
	for _, kind := range []struct {
		name string
		// add returns the interface on top of lower, and whether lower is to
		// become a port of it.
		add func(name string, lower netlink.Link) (l netlink.Link, port bool)
	}{
		{"macvlan", func(name string, lower netlink.Link) (netlink.Link, bool) {
			return &netlink.Macvlan{LinkAttrs: netlink.LinkAttrs{Name: name, HardwareAddr: own, ParentIndex: lower.Attrs().Index}, Mode: netlink.MACVLAN_MODE_BRIDGE}, false
		}},
		{"bridge", func(name string, _ netlink.Link) (netlink.Link, bool) {
			return &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: name, HardwareAddr: own}}, true
		}},
		{"vlan", func(name string, lower netlink.Link) (netlink.Link, bool) {
			return &netlink.Vlan{LinkAttrs: netlink.LinkAttrs{Name: name, HardwareAddr: own, ParentIndex: lower.Attrs().Index}, VlanId: vlanID}, false
		}},
		{"bond", func(name string, _ netlink.Link) (netlink.Link, bool) {
			b := netlink.NewLinkBond(netlink.LinkAttrs{Name: name, HardwareAddr: own})
			b.Mode = netlink.BOND_MODE_ACTIVE_BACKUP
			return b, true
		}},
	} {
		t.Run(kind.name, func(t *testing.T) {
			enter(t)
			peer := newNamespace(t)
			here, there := cable(t, peer)
			name := ifname()
			lower := link(t, here)
			l, port := kind.add(name, lower)
			err := netlink.LinkAdd(l)
			if errors.Is(err, unix.EOPNOTSUPP) {
				t.Logf("not tested: this kernel has no %s interfaces", kind.name)
				return
			}
			must(t, err)
			tested++
			if port {
				down(t, here)
				must(t, netlink.LinkSetMaster(lower, link(t, name)))
				up(t, here)
			}
			up(t, name)
			running(t, name)
			listen := there
			if kind.name == "vlan" {
				listen = ifname()
				must(t, peer.do(func() error {
					parent, err := netlink.LinkByName(there)
					if err != nil {
						return err
					}
					l := &netlink.Vlan{LinkAttrs: netlink.LinkAttrs{Name: listen, ParentIndex: parent.Attrs().Index}, VlanId: vlanID}
					return errors.Join(netlink.LinkAdd(l), netlink.LinkSetUp(l))
				}))
			}
			for _, s := range []string{"192.0.2.4/24", "2001:db8::4/64"} {
				v := on(name, s)
				c := newCapture(t, peer, listen, etherType(v.Prefix.Addr()))
				changed(t, true)(v.Take(bounded(t)))
				c.announcement(t, v.Prefix.Addr(), own)
			}
		})
	}
	if tested == 0 {
		t.Error("this kernel has none of them")
	}
}

// Where nobody listens nothing is announced, and that is no error.
func TestTakeOnSilentInterfaces(t *testing.T) {
	enter(t)
	peer := newNamespace(t)
	name, there := cable(t, peer)
	must(t, netlink.LinkSetARPOff(link(t, name)))
	c := newCapture(t, peer, there, ethernet.EtherTypeARP)
	for _, v := range []vip.VIP{
		on("lo", "192.0.2.4/32"), on("lo", "2001:db8::4/128"),
		on(name, "192.0.2.5/24"), on(name, "2001:db8::5/64"),
	} {
		changed(t, true)(v.Take(bounded(t)))
		changed(t, false)(v.Take(bounded(t)))
		must(t, v.Announce(bounded(t)))
	}
	c.empty(t)
}

func TestAnnounceNotHeld(t *testing.T) {
	enter(t)
	peer := newNamespace(t)
	here, there := cable(t, peer)
	address(t, here, "192.0.2.1/24", "2001:db8::1/64")
	c := newCapture(t, peer, there, ethernet.EtherTypeARP)
	for _, s := range []string{"192.0.2.4/24", "2001:db8::4/64"} {
		fails(t, on(here, s).Announce(bounded(t)), vip.ErrNotHeld, s)
	}
	c.empty(t)
}

// An address that another program added with duplicate address detection cannot
// be announced before that has ended. Announce waits, within its context.
func TestAnnounceTentative(t *testing.T) {
	enter(t)
	peer := newNamespace(t)
	here, there := cable(t, peer)
	c := newCapture(t, peer, there, ethernet.EtherTypeIPv6)
	v := on(here, "2001:db8::4/64")
	a, err := netlink.ParseAddr("2001:db8::4/64")
	must(t, err)
	must(t, netlink.AddrAdd(link(t, here), a))

	short, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	err = v.Announce(short)
	fails(t, err, vip.ErrNotAnnounced, "")
	fails(t, err, context.DeadlineExceeded, "")

	must(t, v.Announce(bounded(t)))
	c.announcement(t, v.Prefix.Addr(), mac(t, here))
}

func TestTakeCancelled(t *testing.T) {
	enter(t)
	here, _ := cable(t, newNamespace(t))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for _, s := range []string{"192.0.2.4/24", "2001:db8::4/64"} {
		v := on(here, s)
		got, err := v.Take(ctx)
		equal(t, "changed", got, false)
		fails(t, err, context.Canceled, "not added")
		held(t, v, false)
	}
}

// An interface without carrier takes the address, but nobody can have heard of
// it, and that is said. With the next announcement after the cable is back they
// do.
func TestTakeWithoutCarrier(t *testing.T) {
	enter(t)
	peer := newNamespace(t)
	here, there := cable(t, peer)
	set := func(f func(netlink.Link) error) {
		must(t, peer.do(func() error {
			l, err := netlink.LinkByName(there)
			if err != nil {
				return err
			}
			return f(l)
		}))
	}
	set(netlink.LinkSetDown)
	vips := []vip.VIP{on(here, "192.0.2.4/24"), on(here, "2001:db8::4/64")}
	for _, v := range vips {
		got, err := v.Take(bounded(t))
		equal(t, "changed", got, true)
		fails(t, err, vip.ErrNotAnnounced, "no carrier")
		held(t, v, true)
	}
	set(netlink.LinkSetUp)
	running(t, here)
	for _, v := range vips {
		c := newCapture(t, peer, there, etherType(v.Prefix.Addr()))
		must(t, v.Repeat(bounded(t), 1, time.Millisecond))
		c.announcement(t, v.Prefix.Addr(), mac(t, here))
	}
}

// Nothing is left behind: no goroutine, no descriptor.
func TestTakeLeavesNothing(t *testing.T) {
	enter(t)
	here, _ := cable(t, newNamespace(t))
	round := func() {
		for _, s := range []string{"192.0.2.4/24", "2001:db8::4/64"} {
			v := on(here, s)
			changed(t, true)(v.Take(bounded(t)))
			must(t, v.Repeat(bounded(t), 1, time.Millisecond))
			changed(t, true)(v.Remove())
			fails(t, v.Announce(bounded(t)), vip.ErrNotHeld, "")
		}
	}
	round()
	goroutines, files := runtime.NumGoroutine(), descriptors(t)
	for range 20 {
		round()
	}
	nodetest.Eventually(t, "closed sockets", func() error { // the kernel takes its time
		if g, f := runtime.NumGoroutine(), descriptors(t); g > goroutines || f > files {
			return fmt.Errorf("%d goroutines and %d open files, before that %d and %d", g, f, goroutines, files)
		}
		return nil
	})
}
