package vip

import (
	"bytes"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/mdlayher/arp"
	"github.com/mdlayher/ethernet"
	"github.com/mdlayher/ndp"
	"golang.org/x/net/ipv6"
)

var (
	ourMAC   = net.HardwareAddr{2, 0, 0, 0, 0, 1}
	theirMAC = net.HardwareAddr{2, 0, 0, 0, 0, 2}
)

// claims fuzzes what a prober finds in frames: whoever it is has an Ethernet address,
// not ours, and that and the probed address stand in the frame.
func claims(f *testing.F, ip netip.Addr, holder func(ethernet.Frame) net.HardwareAddr) {
	p := &prober{holder: holder, ours: []net.HardwareAddr{ourMAC}}
	f.Fuzz(func(t *testing.T, data []byte) {
		before := bytes.Clone(data)
		mac := p.other(data)
		if !bytes.Equal(before, data) {
			t.Errorf("%x became %x", before, data)
		}
		if mac == nil {
			return
		}
		if len(mac) != ethernetAddrLen || bytes.Equal(mac, ourMAC) || !bytes.Contains(data, mac) || !bytes.Contains(data, ip.AsSlice()) {
			t.Errorf("%x: %v has %v", data, mac, ip)
		}
	})
}

func FuzzARP(f *testing.F) {
	ip := netip.MustParseAddr("192.0.2.4")
	for _, mac := range []net.HardwareAddr{ourMAC, theirMAC} {
		packets, err := gratuitous(mac, ip)
		if err != nil {
			f.Fatal(err)
		}
		for _, p := range packets {
			payload, err := p.MarshalBinary()
			if err != nil {
				f.Fatal(err)
			}
			f.Add(arpFrame(f, mac, payload))
		}
	}
	for _, length := range []byte{0, 1, 8, 255} { // of a hardware address that is none of Ethernet
		address := bytes.Repeat([]byte{7}, int(length))
		payload := slices.Concat([]byte{0, 1, 8, 0, length, 4, 0, byte(arp.OperationReply)}, address, ip.AsSlice(), address, ip.AsSlice())
		f.Add(arpFrame(f, theirMAC, payload))
	}
	claims(f, ip, func(frame ethernet.Frame) net.HardwareAddr { return sender(frame, ip) })
}

func arpFrame(f *testing.F, mac net.HardwareAddr, payload []byte) []byte {
	data, err := (&ethernet.Frame{Destination: ethernet.Broadcast, Source: mac, EtherType: ethernet.EtherTypeARP, Payload: payload}).MarshalBinary()
	if err != nil {
		f.Fatal(err)
	}
	return data
}

func FuzzNDP(f *testing.F) {
	ip := netip.MustParseAddr("2001:db8::4")
	for _, options := range [][]ndp.Option{
		nil,
		{&ndp.LinkLayerAddress{Direction: ndp.Target, Addr: theirMAC}},
		{&ndp.LinkLayerAddress{Direction: ndp.Target, Addr: ourMAC}},
		{&ndp.DNSSearchList{Lifetime: time.Hour, DomainNames: []string{"xn--mnchen-3ya.example", "example.com"}}}, // decoded by golang.org/x/net/idna
		{&ndp.MTU{MTU: 1500}, &ndp.LinkLayerAddress{Direction: ndp.Source, Addr: ourMAC}},
	} {
		message, err := ndp.MarshalMessageChecksum(&ndp.NeighborAdvertisement{Override: true, TargetAddress: ip, Options: options}, ip, allNodes)
		if err != nil {
			f.Fatal(err)
		}
		frame := ethernet.Frame{
			Destination: multicastMAC(allNodes), Source: theirMAC, EtherType: ethernet.EtherTypeIPv6,
			Payload: append(ipv6Header(len(message), ip, allNodes), message...),
		}
		data, err := frame.MarshalBinary()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
		f.Add(data[:ethernetHeaderLen+ipv6.HeaderLen])
	}
	claims(f, ip, func(frame ethernet.Frame) net.HardwareAddr { return advertiser(frame, ip) })
}
