package vip_test

import (
	"encoding/hex"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/mdlayher/arp"
	"github.com/mdlayher/ethernet"
	"github.com/mdlayher/ndp"
	"github.com/mdlayher/packet"
	"github.com/vishvananda/netlink"
	"golang.org/x/net/ipv6"
	"golang.org/x/sys/unix"
)

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
