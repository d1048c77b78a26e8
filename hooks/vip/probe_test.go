package vip_test

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"redis-vip/hooks/vip"
)

// unanswered is how long a probe is given that nobody answers.
const unanswered = 150 * time.Millisecond

func nobody(t *testing.T, v vip.VIP) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), unanswered)
	defer cancel()
	start := time.Now()
	mac, found, err := v.Probe(ctx)
	must(t, err)
	if found || mac != nil {
		t.Fatalf("%s is held by %s", v, mac)
	}
	if took := time.Since(start); took > unanswered+promptness*10 {
		t.Errorf("took %v, and had %v", took, unanswered)
	}
}

func somebody(t *testing.T, v vip.VIP, want ...net.HardwareAddr) {
	t.Helper()
	mac, found, err := v.Probe(bounded(t))
	must(t, err)
	for _, w := range want {
		if found && mac.String() == w.String() {
			return
		}
	}
	t.Fatalf("%s is held by %s (%v), want one of %s", v, mac, found, want)
}

// there runs something with an interface of another namespace.
func (n namespace) with(name string, f func(netlink.Link) error) error {
	return n.do(func() error {
		l, err := netlink.LinkByName(name)
		if err != nil {
			return err
		}
		return f(l)
	})
}

// holds gives an interface of another namespace an address that it defends, and
// returns its hardware address.
func (n namespace) holds(t *testing.T, name, address string) (mac net.HardwareAddr) {
	t.Helper()
	must(t, n.with(name, func(l netlink.Link) error {
		mac = l.Attrs().HardwareAddr
		a, err := netlink.ParseAddr(address)
		if err != nil {
			return err
		}
		if a.IP.To4() == nil {
			a.Flags = unix.IFA_F_NODAD
		}
		return netlink.AddrAdd(l, a)
	}))
	return mac
}

// The address is here or not yet, the interface has other addresses or none.
func TestProbe(t *testing.T) {
	for _, tt := range []struct{ name, own, vip string }{
		{"IPv4", "192.0.2.1/24", "192.0.2.4/24"},
		{"IPv4, single", "192.0.2.1/24", "192.0.2.4/32"},
		{"IPv4, no address", "", "192.0.2.4/24"},
		{"IPv6", "2001:db8::1/64", "2001:db8::4/64"},
		{"IPv6, link-local", "fe80::1/64", "2001:db8::4/64"},
		{"IPv6, itself link-local", "", "fe80::4/64"},
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

			nobody(t, v)
			changed(t, true)(v.Add())
			nobody(t, v)
			other := peer.holds(t, there, tt.vip)
			somebody(t, v, other)
			changed(t, true)(v.Remove())
			somebody(t, v, other)
		})
	}
}

// Where the address is decides, not where it would be added.
func TestProbeWhereHeld(t *testing.T) {
	enter(t)
	peer := newNamespace(t)
	here, there := cable(t, peer)
	elsewhere := iface(t, "192.0.2.1/24")
	address(t, here, "192.0.2.4/32")
	somebody(t, on(elsewhere, "192.0.2.4/24"), peer.holds(t, there, "192.0.2.4/24"))
}

// One of two is reported; it is not said which.
func TestProbeTwoHolders(t *testing.T) {
	for _, s := range []string{"192.0.2.4/24", "2001:db8::4/64"} {
		t.Run(s, func(t *testing.T) {
			enter(t)
			bridge := ifname()
			must(t, netlink.LinkAdd(&netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: bridge}}))
			up(t, bridge)
			var macs []net.HardwareAddr
			for range 2 {
				peer := newNamespace(t)
				here, there := cable(t, peer)
				must(t, netlink.LinkSetMaster(link(t, here), link(t, bridge)))
				macs = append(macs, peer.holds(t, there, s))
			}
			running(t, bridge)
			forwarding(t, bridge)
			somebody(t, on(bridge, s), macs...)
		})
	}
}

// forwarding waits until all ports of a bridge pass frames on.
func forwarding(t *testing.T, bridge string) {
	t.Helper()
	eventually(t, "the ports of "+bridge+" forward", func() bool {
		links, err := netlink.LinkList()
		must(t, err)
		for _, l := range links {
			if l.Attrs().MasterIndex == link(t, bridge).Attrs().Index && l.Attrs().OperState != netlink.OperUp {
				return false
			}
		}
		return true
	})
}

// Two interfaces of this host on one link: each answers for the other's addresses
// (arp_ignore=0), and neither is another holder.
func TestProbeOurselves(t *testing.T) {
	for _, s := range []string{"192.0.2.4/24", "2001:db8::4/64"} {
		t.Run(s, func(t *testing.T) {
			enter(t)
			peer := newNamespace(t)
			here, there := cable(t, peer)
			second, thereToo := cable(t, peer)
			bridge := ifname()
			must(t, peer.do(func() error {
				b := &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: bridge}}
				if err := errors.Join(netlink.LinkAdd(b), netlink.LinkSetUp(b)); err != nil {
					return err
				}
				for _, name := range []string{there, thereToo} {
					l, err := netlink.LinkByName(name)
					if err != nil {
						return err
					}
					if err := netlink.LinkSetMaster(l, b); err != nil {
						return err
					}
				}
				return nil
			}))
			address(t, second, s)
			address(t, here, s)
			nobody(t, on(here, s))
			must(t, netlink.AddrDel(link(t, here), func() *netlink.Addr { a, _ := netlink.ParseAddr(s); return a }()))
			nobody(t, on(here, s))
		})
	}
}

// The neighbours that know the address here still do after the other holder has been
// found. From the unspecified address, our question would have made it answer all.
func TestProbeMovesNobody(t *testing.T) {
	for _, s := range []string{"192.0.2.4/24", "2001:db8::4/64"} {
		t.Run(s, func(t *testing.T) {
			enter(t)
			bridge := ifname()
			must(t, netlink.LinkAdd(&netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: bridge}}))
			up(t, bridge)
			join := func() (namespace, string) {
				peer := newNamespace(t)
				here, there := cable(t, peer)
				must(t, netlink.LinkSetMaster(link(t, here), link(t, bridge)))
				return peer, there
			}
			rival, there := join()
			client, clients := join()
			running(t, bridge)
			forwarding(t, bridge)
			address(t, bridge, "fe80::1/64")
			v := on(bridge, s)
			other := rival.holds(t, there, s)
			changed(t, true)(v.Add())
			ours := mac(t, bridge)
			must(t, client.with(clients, func(l netlink.Link) error {
				return netlink.NeighSet(&netlink.Neigh{
					LinkIndex: l.Attrs().Index, IP: v.Prefix.Addr().AsSlice(),
					HardwareAddr: ours, State: netlink.NUD_STALE,
				})
			}))

			somebody(t, v, other)

			time.Sleep(quiet)
			must(t, client.with(clients, func(l netlink.Link) error {
				all, err := netlink.NeighList(l.Attrs().Index, netlink.FAMILY_ALL)
				for _, n := range all {
					if n.IP.Equal(v.Prefix.Addr().AsSlice()) {
						if n.HardwareAddr.String() == other.String() {
							t.Errorf("a neighbour was moved to the other holder")
						}
						return err
					}
				}
				return errors.Join(err, errors.New("the neighbour has forgotten the address"))
			}))
		})
	}
}

// Beside Take, from another goroutine, as a caller uses it: neither disturbs the
// other.
func TestProbeBesideTake(t *testing.T) {
	for _, s := range []string{"192.0.2.4/24", "2001:db8::4/64"} {
		t.Run(s, func(t *testing.T) {
			enter(t)
			peer := newNamespace(t)
			here, there := cable(t, peer)
			other := peer.holds(t, there, s)
			v := on(here, s)
			type answer struct {
				mac   net.HardwareAddr
				found bool
				err   error
			}
			answers := make(chan answer, 1)
			ours := current(t)
			ctx := bounded(t)
			go func() {
				var a answer
				a.err = ours.do(func() (err error) { a.mac, a.found, err = v.Probe(ctx); return err })
				answers <- a
			}()
			changed(t, true)(v.Take(bounded(t)))
			a := <-answers
			must(t, a.err)
			equal(t, "holder", a.mac.String(), other.String())
			held(t, v, true)
		})
	}
}

func TestProbeNoNeighbours(t *testing.T) {
	enter(t)
	for _, v := range []vip.VIP{on("lo", "192.0.2.4/32"), on("lo", "2001:db8::4/128")} {
		_, found, err := v.Probe(context.Background())
		must(t, err)
		equal(t, "found", found, false)
	}
}

// An error is told from "nobody": what was not asked is not known.
func TestProbeFails(t *testing.T) {
	enter(t)
	peer := newNamespace(t)
	here, there := cable(t, peer)
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	late, cancel := context.WithTimeout(context.Background(), -time.Second)
	defer cancel()
	for _, tt := range []struct {
		ctx    context.Context
		vip    vip.VIP
		kind   error
		remedy string
	}{
		{cancelled, on(here, "192.0.2.4/24"), context.Canceled, "probing for 192.0.2.4/24"},
		{late, on(here, "2001:db8::4/64"), context.DeadlineExceeded, "probing for 2001:db8::4/64"},
		{bounded(t), on("eth77", "192.0.2.4/24"), vip.ErrNoInterface, "there is no eth77"},
		{bounded(t), at("192.0.2.4/24"), vip.ErrNoInterface, "set interface"},
	} {
		_, _, err := tt.vip.Probe(tt.ctx)
		fails(t, err, tt.kind, tt.remedy)
	}
	soon, cancel := context.WithCancel(context.Background())
	time.AfterFunc(unanswered/3, cancel)
	_, _, err := on(here, "192.0.2.4/24").Probe(soon)
	fails(t, err, context.Canceled, "")

	must(t, peer.with(there, netlink.LinkSetDown))
	eventually(t, "no carrier", func() bool { return link(t, here).Attrs().RawFlags&unix.IFF_RUNNING == 0 })
	if _, _, err := on(here, "192.0.2.4/24").Probe(bounded(t)); err == nil || !strings.Contains(err.Error(), "no carrier") {
		t.Errorf("without carrier: %v", err)
	}
	down(t, here)
	_, _, err = on(here, "192.0.2.4/24").Probe(bounded(t))
	fails(t, err, vip.ErrInterfaceDown, "ip link set "+here+" up")

	// Without CAP_NET_RAW: the thread is thrown away with the test's goroutine.
	up(t, here)
	must(t, peer.with(there, netlink.LinkSetUp))
	running(t, here)
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var none [2]unix.CapUserData
	must(t, unix.Capset(&header, &none[0]))
	for _, v := range []vip.VIP{on(here, "192.0.2.4/24"), on(here, "2001:db8::4/64")} {
		_, _, err := v.Probe(bounded(t))
		fails(t, err, fs.ErrPermission, "CAP_NET_RAW")
	}
}

// With all the time in the world it ends by itself, and leaves nothing behind.
func TestProbeEnds(t *testing.T) {
	enter(t)
	here, _ := cable(t, newNamespace(t))
	nobody(t, on(here, "192.0.2.4/24"))
	goroutines, files := runtime.NumGoroutine(), descriptors(t)
	start := time.Now()
	_, found, err := on(here, "192.0.2.4/24").Probe(context.Background())
	must(t, err)
	equal(t, "found", found, false)
	if took := time.Since(start); took < 4*time.Second || took > 5*time.Second {
		t.Errorf("took %v", took)
	}
	for range 20 {
		_, _, err := on(here, "2001:db8::4/64").Probe(func() context.Context {
			ctx, cancel := context.WithTimeout(context.Background(), 30*time.Millisecond)
			t.Cleanup(cancel)
			return ctx
		}())
		must(t, err)
	}
	equal(t, "goroutines", runtime.NumGoroutine(), goroutines)
	equal(t, "open files", descriptors(t), files)
}
