package vip

import (
	"context"
	"fmt"
	"net"
	"net/netip"

	"github.com/mdlayher/arp"
	"github.com/mdlayher/ethernet"
	"github.com/mdlayher/packet"
)

// An arpAnnouncer sends gratuitous ARP for one address on one link.
type arpAnnouncer struct {
	ifi  *net.Interface
	ip   netip.Addr
	conn *packet.Conn

	// client is nil until the interface has an IPv4 address, which arp.New
	// insists on although WriteTo does not use it.
	client *arp.Client
}

func newARPAnnouncer(ifi *net.Interface, ip netip.Addr) (*arpAnnouncer, error) {
	conn, err := packet.Listen(ifi, packet.Raw, int(ethernet.EtherTypeARP), nil)
	if err != nil {
		return nil, fmt.Errorf("opening a packet socket: %w", err)
	}
	a := &arpAnnouncer{ifi: ifi, ip: ip, conn: conn}
	// Usually the interface has an address and the client is ready now. If it
	// has none, the VIP is its first and Announce tries again.
	a.client, _ = arp.New(ifi, conn)
	return a, nil
}

// Announce implements announcer.
func (a *arpAnnouncer) Announce(ctx context.Context) error {
	if a.client == nil {
		client, err := arp.New(a.ifi, a.conn)
		if err != nil {
			return fmt.Errorf("opening an ARP client: %w", err)
		}
		a.client = client
	}
	packets, err := gratuitous(a.ifi.HardwareAddr, a.ip)
	if err != nil {
		return err
	}
	return writeWithin(ctx, a.client, func() error {
		for _, p := range packets {
			if err := a.client.WriteTo(p, ethernet.Broadcast); err != nil {
				return fmt.Errorf("sending an ARP %s: %w", p.Operation, err)
			}
		}
		return nil
	})
}

// Close implements announcer.
func (a *arpAnnouncer) Close() error { return a.conn.Close() }

// gratuitous returns the two forms of gratuitous ARP, both with the address as
// sender and target, because some systems update their caches from the one
// only and some from the other.
//
// The request is an ARP announcement of RFC 5227, section 2.3: the target
// hardware address is not used and zero. The reply follows RFC 5944, section
// 4.6 (RFC 2002's, which first described it): its target hardware address is
// the sender's own. Linux insists on that: to one with another it applies
// locktime, as to any reply, and so may ignore it (arp_is_garp in
// net/ipv4/arp.c).
func gratuitous(mac net.HardwareAddr, ip netip.Addr) ([]*arp.Packet, error) {
	request, err := arp.NewPacket(arp.OperationRequest, mac, ip, make(net.HardwareAddr, len(mac)), ip)
	if err != nil {
		return nil, fmt.Errorf("building an ARP request: %w", err)
	}
	reply, err := arp.NewPacket(arp.OperationReply, mac, ip, mac, ip)
	if err != nil {
		return nil, fmt.Errorf("building an ARP reply: %w", err)
	}
	return []*arp.Packet{request, reply}, nil
}
