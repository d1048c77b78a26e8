package vip_test

import (
	"context"
	"encoding/hex"
	"errors"
	"io/fs"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/mdlayher/arp"
	"github.com/mdlayher/ethernet"
	"github.com/mdlayher/ndp"
	"github.com/mdlayher/packet"
	"github.com/vishvananda/netlink"
	"golang.org/x/net/ipv6"
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

// Somebody who announces the address and does not answer.
func TestProbeHearsAnnouncements(t *testing.T) {
	mac := net.HardwareAddr{2, 0, 0, 0, 0, 0x99}
	for _, tt := range []struct {
		vip   string
		frame func(t *testing.T, ip netip.Addr) ethernet.Frame
	}{
		{"192.0.2.4/24", func(t *testing.T, ip netip.Addr) ethernet.Frame {
			p, err := arp.NewPacket(arp.OperationRequest, mac, ip, make(net.HardwareAddr, 6), ip)
			must(t, err)
			payload, err := p.MarshalBinary()
			must(t, err)
			return ethernet.Frame{Destination: ethernet.Broadcast, Source: mac, EtherType: ethernet.EtherTypeARP, Payload: payload}
		}},
		{"2001:db8::4/64", func(t *testing.T, ip netip.Addr) ethernet.Frame {
			return advertisement(t, ip, mac, 255, true)
		}},
		{"2001:db8::5/64", func(t *testing.T, ip netip.Addr) ethernet.Frame {
			return advertisement(t, ip, mac, 255, false)
		}},
	} {
		t.Run(tt.vip, func(t *testing.T) {
			enter(t)
			peer := newNamespace(t)
			here, there := cable(t, peer)
			v := on(here, tt.vip)
			go func() {
				time.Sleep(unanswered)
				peer.sends(there, tt.frame(t, v.Prefix.Addr()))
			}()
			somebody(t, v, mac)
		})
	}
}

// What says nothing about the address, or cannot be true, is passed over.
func TestProbeIgnores(t *testing.T) {
	mac := net.HardwareAddr{2, 0, 0, 0, 0, 0x99}
	four, six := netip.MustParseAddr("192.0.2.4"), netip.MustParseAddr("2001:db8::4")
	request := func(from, to netip.Addr) ethernet.Frame {
		p, err := arp.NewPacket(arp.OperationRequest, mac, from, make(net.HardwareAddr, 6), to)
		must(t, err)
		payload, err := p.MarshalBinary()
		must(t, err)
		return ethernet.Frame{Destination: ethernet.Broadcast, Source: mac, EtherType: ethernet.EtherTypeARP, Payload: payload}
	}
	cut := advertisement(t, six, mac, 255, true)
	cut.Payload = cut.Payload[:50]
	for name, frame := range map[string]ethernet.Frame{
		"another's probe":       request(netip.IPv4Unspecified(), four),
		"a neighbour who asks":  request(four.Next(), four),
		"no ARP":                {Destination: ethernet.Broadcast, Source: mac, EtherType: ethernet.EtherTypeARP, Payload: []byte{1, 2, 3}},
		"another address":       advertisement(t, six.Next(), mac, 255, true),
		"passed on by a router": advertisement(t, six, mac, 254, true),
		"cut off":               cut,
		"no IPv6":               {Destination: ethernet.Broadcast, Source: mac, EtherType: ethernet.EtherTypeIPv6, Payload: make([]byte, 46)},
	} {
		t.Run(name, func(t *testing.T) {
			enter(t)
			peer := newNamespace(t)
			here, there := cable(t, peer)
			v := on(here, "192.0.2.4/24")
			if frame.EtherType == ethernet.EtherTypeIPv6 {
				v = on(here, "2001:db8::4/64")
			}
			go func() {
				time.Sleep(unanswered / 3)
				peer.sends(there, frame)
			}()
			nobody(t, v)
		})
	}
}

// sends sends a frame from an interface of another namespace.
func (n namespace) sends(name string, f ethernet.Frame) error {
	return n.with(name, func(l netlink.Link) error {
		conn, err := packet.Listen(&net.Interface{Index: l.Attrs().Index, HardwareAddr: l.Attrs().HardwareAddr}, packet.Raw, int(f.EtherType), nil)
		if err != nil {
			return err
		}
		defer conn.Close()
		data, err := f.MarshalBinary()
		if err != nil {
			return err
		}
		_, err = conn.WriteTo(data, &packet.Addr{HardwareAddr: f.Destination})
		return err
	})
}

// advertisement is an unsolicited one, from mac.
func advertisement(t *testing.T, ip netip.Addr, mac net.HardwareAddr, hops byte, option bool) ethernet.Frame {
	t.Helper()
	na := &ndp.NeighborAdvertisement{Override: true, TargetAddress: ip}
	if option {
		na.Options = []ndp.Option{&ndp.LinkLayerAddress{Direction: ndp.Target, Addr: mac}}
	}
	all := netip.MustParseAddr("ff02::1")
	m, err := ndp.MarshalMessageChecksum(na, ip, all)
	must(t, err)
	h := append([]byte{6 << 4, 0, 0, 0, 0, byte(len(m)), unix.IPPROTO_ICMPV6, hops}, ip.AsSlice()...)
	h = append(h, all.AsSlice()...)
	return ethernet.Frame{Destination: net.HardwareAddr{0x33, 0x33, 0, 0, 0, 1}, Source: mac, EtherType: ethernet.EtherTypeIPv6, Payload: append(h, m...)}
}

// What it sends is as the RFCs say, so that no neighbour's cache learns from it.
func TestProbeFrames(t *testing.T) {
	t.Run("IPv4", func(t *testing.T) {
		enter(t)
		peer := newNamespace(t)
		here, there := cable(t, peer)
		address(t, here, "192.0.2.1/24", "192.0.2.4/24")
		c := newCapture(t, peer, there, ethernet.EtherTypeARP)
		nobody(t, at("192.0.2.4/24"))
		for range 3 {
			f, p := c.arp(t)
			equal(t, "Ethernet", [2]string{f.Source.String(), f.Destination.String()}, [2]string{mac(t, here).String(), "ff:ff:ff:ff:ff:ff"})
			equal(t, "operation", p.Operation, arp.OperationRequest)
			equal(t, "sender", p.SenderHardwareAddr.String()+" "+p.SenderIP.String(), mac(t, here).String()+" 0.0.0.0")
			equal(t, "target", p.TargetHardwareAddr.String()+" "+p.TargetIP.String(), "00:00:00:00:00:00 192.0.2.4")
		}
		c.empty(t)
	})
	for _, tt := range []struct{ name, own, from string }{
		{"IPv6", "fe80::1/64", "fe80::1"},
		{"IPv6, no link-local address", "2001:db8::1/64", "::"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			enter(t)
			peer := newNamespace(t)
			here, there := cable(t, peer)
			must(t, netlink.LinkSetIP6AddrGenMode(link(t, here), nl6None))
			all, err := netlink.AddrList(link(t, here), netlink.FAMILY_V6)
			must(t, err)
			for _, a := range all {
				must(t, netlink.AddrDel(link(t, here), &a))
			}
			address(t, here, tt.own, "2001:db8::4/64")
			c := newCapture(t, peer, there, ethernet.EtherTypeIPv6)
			nobody(t, at("2001:db8::4/64"))
			for range 3 {
				f, h, ns := c.solicitation(t)
				equal(t, "Ethernet", f.Source.String()+" "+f.Destination.String(), mac(t, here).String()+" 33:33:ff:00:00:04")
				equal(t, "addresses", h.Src.String()+" "+h.Dst.String(), tt.from+" ff02::1:ff00:4")
				equal(t, "hop limit", h.HopLimit, 255)
				equal(t, "target", ns.TargetAddress.String(), "2001:db8::4")
				if tt.from == "::" {
					equal(t, "options", len(ns.Options), 0) // RFC 4861, section 4.3
					continue
				}
				option := ns.Options[0].(*ndp.LinkLayerAddress)
				equal(t, "option", option.Addr.String(), mac(t, here).String())
				equal(t, "direction", option.Direction, ndp.Source)
			}
		})
	}
}

const nl6None = 1 // IN6_ADDR_GEN_MODE_NONE of linux/if_link.h

// solicitation returns the next neighbour solicitation, which must come, and checks
// its checksum.
func (c *capture) solicitation(t *testing.T) (frame, *ipv6.Header, *ndp.NeighborSolicitation) {
	t.Helper()
	for end := time.Now().Add(patience); ; {
		f, ok := c.next(t, time.Until(end))
		if !ok {
			t.Fatal("no neighbour solicitation was captured")
		}
		h, err := ipv6.ParseHeader(f.Payload)
		must(t, err)
		m, err := ndp.ParseMessage(f.Payload[ipv6.HeaderLen:][:h.PayloadLen])
		ns, ok := m.(*ndp.NeighborSolicitation)
		if h.NextHeader != unix.IPPROTO_ICMPV6 || err != nil || !ok {
			continue
		}
		from, _ := netip.AddrFromSlice(h.Src)
		to, _ := netip.AddrFromSlice(h.Dst)
		want, err := ndp.MarshalMessageChecksum(ns, from, to)
		must(t, err)
		equal(t, "message", hex.EncodeToString(f.Payload[ipv6.HeaderLen:][:h.PayloadLen]), hex.EncodeToString(want))
		return f, h, ns
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
