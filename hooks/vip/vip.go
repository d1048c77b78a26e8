// Package vip moves one service address: it puts it on an interface of this
// host, takes it off, and tells the neighbours.
//
// The address is written through netlink and announced by gratuitous ARP
// (RFC 5227) or by unsolicited neighbour advertisements (RFC 4861), so that no
// program has to be started between the decision and the first frame. Nothing
// here decides who should hold the address; callers that may run at the same
// time serialise that decision themselves. Two of them at once are harmless to
// the kernel's address list: each call is idempotent and the last one stands.
//
// Changing addresses needs CAP_NET_ADMIN, announcing them CAP_NET_RAW. Errors
// for want of either match fs.ErrPermission.
package vip

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"syscall"
	"time"
)

// How often an address is announced after the first time, and how far apart. A
// switch that is still learning may lose the first frames, and older Linux
// ignores a change of an ARP entry that is younger than its locktime of one
// second (arp(7)): so 1.1 seconds apart, for about five seconds. MetalLB chose
// the same (metallb/metallb#172).
const (
	RepeatTimes = 4
	RepeatEvery = 1100 * time.Millisecond
)

var (
	// ErrNoInterface says that no interface for the address was found, or that
	// the configured one does not exist here.
	ErrNoInterface = errors.New("no interface for the address")

	// ErrInterfaceDown says that the interface for the address is
	// administratively down. The address was not added.
	ErrInterfaceDown = errors.New("interface is down")

	// ErrNotHeld says that nothing was announced because the address is not on
	// any interface here.
	ErrNotHeld = errors.New("address is not held here")

	// ErrNotAnnounced says that the address is here but its neighbours may not
	// have been told.
	ErrNotAnnounced = errors.New("address not announced")
)

// A VIP is one service address and where it lives.
type VIP struct {
	// Prefix is the address and the length of its subnet. The length is used
	// when the address is added and nothing else there brings the subnet; it is
	// no part of the address's identity.
	Prefix netip.Prefix

	// Interface is the name of the interface that carries the address. If
	// empty, it is the one whose subnet holds the address; see Add.
	Interface string
}

// String returns the address in CIDR notation.
func (v VIP) String() string { return v.Prefix.String() }

// Take makes sure that the address is on this host and announces it once. It
// reports whether it added the address.
//
// Whatever takes time (the choice of the interface, the socket) is done before
// the address is added, so the first frame follows the address within a
// fraction of a millisecond. An address that was here already is announced all
// the same, which cures stale caches.
//
// If the address could not be added, the error is that of Add. If it is here
// but the announcement failed, changed tells whether it was added and the error
// matches ErrNotAnnounced: an unannounced address is found by its neighbours
// when their caches expire, an absent one never, so Take does not undo the
// addition. A context that is done before the address is added changes nothing.
func (v VIP) Take(ctx context.Context) (changed bool, err error) {
	if err := v.valid(); err != nil {
		return false, err
	}
	k, err := dial()
	if err != nil {
		return false, err
	}
	defer k.Close()

	holders, err := k.holders(v.addr())
	if err != nil {
		return false, err
	}
	if len(holders) > 0 {
		return false, v.announce(ctx, k, holders)
	}
	link, err := v.link(k)
	if err != nil {
		return false, err
	}
	a, openErr := newAnnouncer(k, link, v.addr())
	if openErr == nil {
		defer release(a)
	}
	if err := ctx.Err(); err != nil {
		return false, fmt.Errorf("vip: %s not added: %w", v, err)
	}

	changed, err = v.add(k, link)
	if err != nil {
		return changed, err
	}
	if openErr == nil {
		openErr = a.Announce(ctx)
	}
	return changed, v.notAnnounced(link.Attrs().Name, openErr)
}

// Repeat announces the address the given number of times, waiting for every
// before each, because a single frame may be lost or ignored: see RepeatTimes
// and RepeatEvery.
//
// It stops with an error that matches ErrNotHeld at the first turn that finds
// the address gone, and with the context's error when that is done. Other
// failures do not stop it; they are returned together at the end.
func (v VIP) Repeat(ctx context.Context, times int, every time.Duration) error {
	ticker := time.NewTicker(every)
	defer ticker.Stop()

	var errs []error
	for range times {
		select {
		case <-ctx.Done():
			return errors.Join(append(errs, ctx.Err())...)
		case <-ticker.C:
		}
		err := v.Announce(ctx)
		if err != nil {
			errs = append(errs, err)
		}
		if errors.Is(err, ErrNotHeld) {
			break
		}
	}
	return errors.Join(errs...)
}

// addr returns the address without its prefix. An IPv4-mapped IPv6 address is
// the IPv4 address it stands for.
func (v VIP) addr() netip.Addr { return v.Prefix.Addr().Unmap() }

// valid rejects what can never be the address of one host: adding 0.0.0.0 or a
// group address through netlink succeeds on some kernels.
func (v VIP) valid() error {
	a := v.addr()
	switch {
	case !v.Prefix.IsValid():
		return errors.New(`vip: no address: write it as "192.0.2.4/24"`)
	case v.Prefix.Addr().Is4In6():
		return fmt.Errorf("vip: %s is an IPv4-mapped address: write it as %s with an IPv4 prefix length", v, a)
	case a.IsUnspecified(), a.IsMulticast(), a == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return fmt.Errorf("vip: %s is not an address that one host can hold", v)
	}
	return nil
}

// notAnnounced wraps an error of an announcement on the named interface.
func (v VIP) notAnnounced(name string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrNotHeld):
		return fmt.Errorf("vip: announcing %s on %s: %w", v, name, err)
	case errors.Is(err, fs.ErrPermission):
		err = fmt.Errorf("%w: run as root or with CAP_NET_RAW", err)
	case errors.Is(err, syscall.ENETDOWN):
		err = fmt.Errorf("%w: ip link set %s up", err, name)
	}
	return fmt.Errorf("vip: %s on %s: %w: %w", v, name, ErrNotAnnounced, err)
}
