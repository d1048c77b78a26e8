package vip

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// netlinkTimeout bounds each answer of the kernel, which comes from this host
// and at once unless something is badly wrong.
const netlinkTimeout = 2 * time.Second

// dumpTries bounds how often an interrupted dump is repeated. Each repetition
// needs another change of addresses within the microseconds that a dump takes.
const dumpTries = 100

// A kernel is a netlink socket in the network namespace of the thread that
// opened it.
type kernel struct{ *netlink.Handle }

func dial() (kernel, error) {
	h, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return kernel{}, fmt.Errorf("vip: opening a netlink socket: %w", err)
	}
	if err := h.SetSocketTimeout(netlinkTimeout); err != nil {
		h.Close()
		return kernel{}, fmt.Errorf("vip: limiting a netlink socket: %w", err)
	}
	return kernel{h}, nil
}

// addresses returns all addresses of this host of ip's family.
func (k kernel) addresses(ip netip.Addr) ([]netlink.Addr, error) {
	family := netlink.FAMILY_V4
	if ip.Is6() {
		family = netlink.FAMILY_V6
	}
	var err error
	for range dumpTries {
		var all []netlink.Addr
		all, err = k.AddrList(nil, family)
		if err == nil {
			return all, nil
		}
		if !errors.Is(err, netlink.ErrDumpInterrupted) {
			break
		}
		// Addresses changed while they were listed: the list may lack one.
	}
	return nil, fmt.Errorf("vip: listing this host's addresses: %w", err)
}

// holders returns the places where ip is in use on this host.
func (k kernel) holders(ip netip.Addr) ([]netlink.Addr, error) {
	all, err := k.addresses(ip)
	if err != nil {
		return nil, err
	}
	var found []netlink.Addr
	for _, a := range all {
		if local(a) == ip && a.Flags&unix.IFA_F_DADFAILED == 0 {
			found = append(found, a)
		}
	}
	return found, nil
}

// name returns an interface's name for a message.
func (k kernel) name(index int) string {
	link, err := k.LinkByIndex(index)
	if err != nil {
		return fmt.Sprintf("interface %d", index)
	}
	return link.Attrs().Name
}
