package vip

import (
	"fmt"
	"net"
	"net/netip"

	"github.com/mdlayher/arp"
	"github.com/mdlayher/ethernet"
)

// newARPProber probes for an IPv4 address as RFC 5227, section 2.1.1, describes: a
// request whose sender is 0.0.0.0, so that no cache learns from it, and which needs
// no address of our own. Its answer goes to us alone.
func newARPProber(_ kernel, ifi *net.Interface, ip netip.Addr) (*prober, error) {
	request, err := arp.NewPacket(arp.OperationRequest, ifi.HardwareAddr, netip.IPv4Unspecified(), make(net.HardwareAddr, ethernetAddrLen), ip)
	if err != nil {
		return nil, fmt.Errorf("building an ARP probe: %w", err)
	}
	payload, err := request.MarshalBinary()
	if err != nil {
		return nil, fmt.Errorf("building an ARP probe: %w", err)
	}
	frame := ethernet.Frame{Destination: ethernet.Broadcast, Source: ifi.HardwareAddr, EtherType: ethernet.EtherTypeARP, Payload: payload}
	return newProber(ifi, frame, nil, func(f ethernet.Frame) net.HardwareAddr { return sender(f, ip) })
}

// sender returns who names itself as the sender with ip in a frame, in a request as in a
// reply, or nil.
func sender(f ethernet.Frame, ip netip.Addr) net.HardwareAddr {
	p := new(arp.Packet)
	if p.UnmarshalBinary(f.Payload) != nil || p.SenderIP != ip || len(p.SenderHardwareAddr) != ethernetAddrLen {
		return nil
	}
	return p.SenderHardwareAddr
}
