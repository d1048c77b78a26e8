package vip

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"

	"github.com/mdlayher/ethernet"
	"github.com/mdlayher/ndp"
	"golang.org/x/net/bpf"
	"golang.org/x/net/ipv6"
	"golang.org/x/sys/unix"
)

// newNDPProber probes for an IPv6 address with neighbour solicitations.
//
// They come from this interface's link-local address, so that the answer goes to us
// alone (RFC 4861, section 7.2.4). One from the unspecified address, which duplicate
// address detection uses (RFC 4862, section 5.4.2), would be answered to all nodes,
// with Override set: where two hosts have the address, our question would make all
// neighbours prefer the other. It is used only where there is no link-local address.
func newNDPProber(k kernel, ifi *net.Interface, ip netip.Addr) (*prober, error) {
	from, err := k.linkLocal(ifi.Index, ip)
	if err != nil {
		return nil, err
	}
	to, err := ndp.SolicitedNodeMulticast(ip)
	if err != nil {
		return nil, fmt.Errorf("building a neighbour solicitation: %w", err)
	}
	ns := &ndp.NeighborSolicitation{TargetAddress: ip}
	if !from.IsUnspecified() {
		ns.Options = []ndp.Option{&ndp.LinkLayerAddress{Direction: ndp.Source, Addr: ifi.HardwareAddr}}
	}
	message, err := ndp.MarshalMessageChecksum(ns, from, to)
	if err != nil {
		return nil, fmt.Errorf("building a neighbour solicitation: %w", err)
	}
	frame := ethernet.Frame{
		Destination: multicastMAC(to),
		Source:      ifi.HardwareAddr,
		EtherType:   ethernet.EtherTypeIPv6,
		Payload:     append(ipv6Header(len(message), from, to), message...),
	}
	return newProber(ifi, frame, advertisements, func(f ethernet.Frame) net.HardwareAddr { return advertiser(f, ip) })
}

// advertiser returns who advertises ip in a frame, or nil. A router may not have
// passed the message on (RFC 4861, section 7.1.2). The checksum is not looked at:
// between virtual interfaces it is often not there yet.
func advertiser(f ethernet.Frame, ip netip.Addr) net.HardwareAddr {
	h, err := ipv6.ParseHeader(f.Payload)
	if err != nil || h.NextHeader != unix.IPPROTO_ICMPV6 || h.HopLimit != ndp.HopLimit || len(f.Payload) < ipv6.HeaderLen+h.PayloadLen {
		return nil
	}
	m, err := ndp.ParseMessage(f.Payload[ipv6.HeaderLen:][:h.PayloadLen])
	if err != nil {
		return nil
	}
	na, ok := m.(*ndp.NeighborAdvertisement)
	if !ok || na.TargetAddress != ip {
		return nil
	}
	for _, option := range na.Options {
		if o, ok := option.(*ndp.LinkLayerAddress); ok && o.Direction == ndp.Target {
			return o.Addr
		}
	}
	return f.Source // it may leave the option out (section 4.4)
}

// linkLocal returns an address of the interface to ask from, or the unspecified one.
func (k kernel) linkLocal(index int, not netip.Addr) (netip.Addr, error) {
	all, err := k.addresses(not)
	if err != nil {
		return netip.Addr{}, err
	}
	for _, a := range all {
		unusable := a.Flags & (unix.IFA_F_TENTATIVE | unix.IFA_F_DADFAILED)
		if a.LinkIndex == index && local(a).IsLinkLocalUnicast() && local(a) != not && unusable == 0 {
			return local(a), nil
		}
	}
	return netip.IPv6Unspecified(), nil
}

// ipv6Header is RFC 8200, section 3, for a message of ICMPv6 to this link.
func ipv6Header(length int, from, to netip.Addr) []byte {
	h := make([]byte, 0, ipv6.HeaderLen+length)
	h = append(h, ipv6.Version<<4, 0, 0, 0)
	h = binary.BigEndian.AppendUint16(h, uint16(length))
	h = append(h, unix.IPPROTO_ICMPV6, ndp.HopLimit)
	h = append(h, from.AsSlice()...)
	return append(h, to.AsSlice()...)
}

// multicastMAC is RFC 2464, section 7.
func multicastMAC(group netip.Addr) net.HardwareAddr {
	low := group.As16()
	return append(net.HardwareAddr{0x33, 0x33}, low[12:]...)
}

// advertisements lets a socket pass neighbour advertisements alone, or it would have
// to read all IPv6 traffic of the interface.
var advertisements = []bpf.Instruction{
	bpf.LoadAbsolute{Off: ethernetHeaderLen + 6, Size: 1}, // Next Header
	bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: unix.IPPROTO_ICMPV6, SkipTrue: 3},
	bpf.LoadAbsolute{Off: ethernetHeaderLen + ipv6.HeaderLen, Size: 1}, // Type
	bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: uint32(ipv6.ICMPTypeNeighborAdvertisement), SkipTrue: 1},
	bpf.RetConstant{Val: maxFrame},
	bpf.RetConstant{Val: 0},
}
