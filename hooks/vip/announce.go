package vip

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// ethernetAddrLen is the length in bytes of the hardware addresses that the ARP
// and NDP libraries can announce.
const ethernetAddrLen = 6

// An announcer tells the neighbours on one link that an address is at this
// host. It can be opened before the address is added.
type announcer interface {
	// Announce sends the frames once.
	Announce(ctx context.Context) error
	Close() error
}

// Announce tells the neighbours on every link that carries the address that it
// is at this host, once: IPv4 by gratuitous ARP in both its forms, IPv6 by an
// unsolicited neighbour advertisement.
//
// It never announces an address that is not on the interface at that moment:
// the error matches ErrNotHeld. On interfaces without neighbours to tell
// (loopback, and those without ARP such as tunnels and dummies) it does
// nothing and returns nil. Other errors match ErrNotAnnounced.
func (v VIP) Announce(ctx context.Context) error {
	if err := v.valid(); err != nil {
		return err
	}
	k, err := dial()
	if err != nil {
		return err
	}
	defer k.Close()

	holders, err := k.holders(v.addr())
	if err != nil {
		return err
	}
	if len(holders) == 0 {
		return fmt.Errorf("vip: announcing %s: %w", v, ErrNotHeld)
	}
	return v.announce(ctx, k, holders)
}

// announce announces the address on the interfaces of holders.
func (v VIP) announce(ctx context.Context, k kernel, holders []netlink.Addr) error {
	var errs []error
	for _, holder := range holders {
		if err := v.announceOn(ctx, k, holder.LinkIndex); err != nil {
			errs = append(errs, v.notAnnounced(k.name(holder.LinkIndex), err))
		}
	}
	return errors.Join(errs...)
}

func (v VIP) announceOn(ctx context.Context, k kernel, index int) error {
	link, err := k.LinkByIndex(index)
	if err != nil {
		return err
	}
	a, err := newAnnouncer(k, link, v.addr())
	if err != nil {
		return err
	}
	defer release(a)

	// Asked again with the socket open, so that only microseconds are left for
	// the address to move away unseen.
	held, err := k.heldOn(v.addr(), index)
	if err != nil {
		return err
	}
	if held == nil {
		return ErrNotHeld
	}
	return a.Announce(ctx)
}

// heldOn returns ip's entry on the interface with the given index, or nil.
func (k kernel) heldOn(ip netip.Addr, index int) (*netlink.Addr, error) {
	holders, err := k.holders(ip)
	if err != nil {
		return nil, err
	}
	for _, a := range holders {
		if a.LinkIndex == index {
			return &a, nil
		}
	}
	return nil, nil
}

// newAnnouncer opens what is needed to announce ip on link.
func newAnnouncer(k kernel, link netlink.Link, ip netip.Addr) (announcer, error) {
	attrs := link.Attrs()
	if attrs.Flags&net.FlagLoopback != 0 || attrs.RawFlags&unix.IFF_NOARP != 0 {
		return silent{}, nil
	}
	if n := len(attrs.HardwareAddr); n != ethernetAddrLen {
		return nil, fmt.Errorf("hardware addresses of %d bytes (%s) cannot be announced, only Ethernet's", n, attrs.EncapType)
	}
	if attrs.RawFlags&unix.IFF_RUNNING == 0 {
		// The kernel would drop the frames and report success.
		return nil, errors.New("no carrier: is the cable in?")
	}
	// From netlink's answer: net.InterfaceByIndex would list all interfaces.
	ifi := &net.Interface{
		Index:        attrs.Index,
		MTU:          attrs.MTU,
		Name:         attrs.Name,
		HardwareAddr: attrs.HardwareAddr,
		Flags:        attrs.Flags,
	}
	if ip.Is4() {
		return newARPAnnouncer(ifi, ip)
	}
	return newNDPAnnouncer(k, ifi, ip)
}

// release closes an announcer, and waits for nothing: the kernel lets a packet socket
// go only after an RCU grace period (packet_release in af_packet.c), which takes ten
// milliseconds and more.
func release(a announcer) { go a.Close() }

// silent announces nothing.
type silent struct{}

func (silent) Announce(context.Context) error { return nil }
func (silent) Close() error                   { return nil }

// writeWithin calls write, which writes to conn, and makes it return when the
// context is done.
func writeWithin(ctx context.Context, conn interface{ SetWriteDeadline(time.Time) error }, write func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetWriteDeadline(time.Unix(1, 0)) })
	defer stop()

	err := write()
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}
