package netlab

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// AddAddress adds an address to the host's eth0. It can be used at once.
func (h *Host) AddAddress(p netip.Prefix) error {
	link, err := h.links.LinkByName(nic)
	if err != nil {
		return err
	}
	if err := h.links.AddrAdd(link, address(p)); err != nil {
		return fmt.Errorf("%s: add %s: %w", h.Name, p, err)
	}
	// The kernel lists an IPv6 address before it takes packets for it.
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return Until(ctx, func(context.Context) error {
		routes, err := h.links.RouteGet(p.Addr().AsSlice())
		if err == nil && (len(routes) == 0 || routes[0].Type != unix.RTN_LOCAL) {
			err = fmt.Errorf("%s: %s is not local yet", h.Name, p.Addr())
		}
		return err
	})
}

// RemoveAddress removes an address from the host's eth0, whatever its prefix length.
func (h *Host) RemoveAddress(p netip.Prefix) error {
	link, err := h.links.LinkByName(nic)
	if err != nil {
		return err
	}
	list, err := h.AddressList()
	if err != nil {
		return err
	}
	for _, a := range list {
		if a.Addr() == p.Addr() {
			p = a
		}
	}
	if err := h.links.AddrDel(link, address(p)); err != nil {
		return fmt.Errorf("%s: remove %s: %w", h.Name, p, err)
	}
	return nil
}

func address(p netip.Prefix) *netlink.Addr {
	a, err := netlink.ParseAddr(p.String())
	if err != nil {
		panic(err) // a netip.Prefix always parses, unless it is the zero value
	}
	if p.Addr().Is6() {
		a.Flags = unix.IFA_F_NODAD // else it is no source address for a moment
	}
	return a
}

// AddressList returns the addresses of the host's eth0 as they are now, in
// order, without IPv6 link-local ones.
func (h *Host) AddressList() ([]netip.Prefix, error) {
	link, err := h.links.LinkByName(nic)
	if err != nil {
		return nil, err
	}
	found, err := h.links.AddrList(link, netlink.FAMILY_ALL)
	if err != nil {
		return nil, fmt.Errorf("%s: list addresses: %w", h.Name, err)
	}
	var list []netip.Prefix
	for _, a := range found {
		if p, ok := prefix(a.IP, a.Mask); ok && !p.Addr().IsLinkLocalUnicast() {
			list = append(list, p)
		}
	}
	slices.SortFunc(list, func(a, b netip.Prefix) int { return a.Addr().Compare(b.Addr()) })
	return list, nil
}

// Holds tells whether the host's eth0 has the address now.
func (h *Host) Holds(a netip.Addr) (bool, error) {
	list, err := h.AddressList()
	return slices.ContainsFunc(list, func(p netip.Prefix) bool { return p.Addr() == a }), err
}

func prefix(ip []byte, mask []byte) (netip.Prefix, bool) {
	a, ok := netip.AddrFromSlice(ip)
	ones := 0
	for _, b := range mask {
		for ; b&0x80 != 0; b <<= 1 {
			ones++
		}
	}
	return netip.PrefixFrom(a.Unmap(), ones), ok
}

// AddressEvent tells that an address came to a host or went.
type AddressEvent struct {
	At      time.Time
	Address netip.Prefix
	Added   bool // or removed
}

// WatchAddresses records from now on, until ctx ends, which addresses come to
// the host and go.
func (h *Host) WatchAddresses(ctx context.Context) (*Record[AddressEvent], error) {
	updates := make(chan netlink.AddrUpdate, 64)
	if err := netlink.AddrSubscribeWithOptions(updates, ctx.Done(), netlink.AddrSubscribeOptions{
		Namespace: &h.namespace,
		ErrorCallback: func(err error) {
			if ctx.Err() == nil { // else the socket was closed on purpose
				h.Note("watching addresses broke off: %v", err)
			}
		},
	}); err != nil {
		return nil, fmt.Errorf("%s: watch addresses: %w", h.Name, err)
	}
	events := newRecord[AddressEvent]()
	go func() {
		for u := range updates {
			if p, ok := prefix(u.LinkAddress.IP, u.LinkAddress.Mask); ok {
				events.Add(AddressEvent{At: time.Now(), Address: p, Added: u.NewAddr})
			}
		}
	}()
	return events, nil
}
