package vip

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"

	"github.com/mdlayher/ndp"
	"golang.org/x/net/ipv6"
	"golang.org/x/sys/unix"
)

// tentativePoll is how often an address is looked at that the kernel does not
// let us send from yet. Without duplicate address detection this takes one
// turn of a kernel work queue.
const tentativePoll = 100 * time.Microsecond

// allNodes is the link-local all-nodes address of RFC 4291, section 2.7.1.
var allNodes = netip.MustParseAddr("ff02::1")

// An ndpAnnouncer sends unsolicited neighbour advertisements for one address on
// one link.
type ndpAnnouncer struct {
	k    kernel
	ifi  *net.Interface
	ip   netip.Addr
	conn *ndp.Conn
}

func newNDPAnnouncer(k kernel, ifi *net.Interface, ip netip.Addr) (*ndpAnnouncer, error) {
	// Not bound to the address, which may not be here yet: the source is
	// chosen with each message.
	conn, _, err := ndp.Listen(ifi, ndp.Unspecified)
	if err != nil {
		return nil, fmt.Errorf("opening an ICMPv6 socket: %w", err)
	}
	return &ndpAnnouncer{k: k, ifi: ifi, ip: ip, conn: conn}, nil
}

// Announce implements announcer. The message is that of RFC 4861, section
// 7.2.6: to all nodes, not solicited, with Override set so that caches are
// updated, and from the address itself.
func (a *ndpAnnouncer) Announce(ctx context.Context) error {
	na := &ndp.NeighborAdvertisement{
		Override:      true,
		TargetAddress: a.ip,
		Options: []ndp.Option{&ndp.LinkLayerAddress{
			Direction: ndp.Target,
			Addr:      a.ifi.HardwareAddr,
		}},
	}
	from := &ipv6.ControlMessage{
		HopLimit: ndp.HopLimit,
		Src:      a.ip.AsSlice(),
		IfIndex:  a.ifi.Index,
	}
	for settled := false; ; {
		err := writeWithin(ctx, a.conn, func() error { return a.conn.WriteTo(na, from, allNodes) })
		if err == nil {
			return nil
		}
		err = fmt.Errorf("sending a neighbour advertisement: %w", err)

		// EINVAL is the kernel's word for a source address that is not here or
		// still tentative. Once it is settled, the reason must be another.
		if settled || !errors.Is(err, syscall.EINVAL) {
			return err
		}
		held, lookErr := a.k.heldOn(a.ip, a.ifi.Index)
		switch {
		case lookErr != nil:
			return errors.Join(err, lookErr)
		case held == nil:
			return ErrNotHeld
		case held.Flags&unix.IFA_F_TENTATIVE == 0:
			settled = true
			continue
		}
		select {
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		case <-time.After(tentativePoll):
		}
	}
}

// Close implements announcer.
func (a *ndpAnnouncer) Close() error { return a.conn.Close() }
