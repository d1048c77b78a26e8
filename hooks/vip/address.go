package vip

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"slices"
	"syscall"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// forever is the kernel's INFINITY_LIFE_TIME. It is a variable because an int
// of 32 bits cannot hold it as a constant: there it becomes negative, netlink
// leaves the lifetimes out, and the address lives for ever without being
// deprecated.
var forever uint32 = 0xffffffff

// Held reports whether exactly this address is on any interface of this host,
// with whatever prefix length. An IPv6 address that failed duplicate address
// detection does not count: the kernel does not use it.
//
// It needs no privilege.
func (v VIP) Held() (bool, error) {
	if err := v.valid(); err != nil {
		return false, err
	}
	k, err := dial()
	if err != nil {
		return false, err
	}
	defer k.Close()

	holders, err := k.holders(v.addr())
	return len(holders) > 0, err
}

// Add puts the address on its interface and reports whether it was missing. An
// address that is already here stays as it is, on whatever interface and with
// whatever prefix length.
//
// Without a configured Interface, it is the one that carries an address whose
// subnet contains the VIP: one that is up before one that is down, any before
// the loopback, the longest prefix first, then the oldest interface. If there
// is none, or the configured one does not exist, the error matches
// ErrNoInterface; if it is down, ErrInterfaceDown. Nothing is changed then.
//
// IPv6: the address is added without duplicate address detection
// (IFA_F_NODAD), which would keep it unusable for one to two seconds and, after
// a split network has healed, for ever; keepalived does the same. It is also
// marked deprecated (RFC 4862, section 5.5.4), so that it serves those who
// connect to it but is not chosen as the source of this host's own connections
// (RFC 6724, section 5, rule 3), which would break when it moves. keepalived
// does this only for a /128.
//
// IPv4: where the interface has another address in the VIP's subnet, the VIP is
// added as a /32, as keepalived does without a length. It is then no address of
// that subnet for the kernel. A secondary one would become the primary, and the
// source of the host's own connections, for good, when the network's manager takes
// the host's address away and puts it back (promote_secondaries, which systemd
// sets): Sentinel would announce itself at the VIP. Where nothing else brings the
// subnet, the VIP does, with the length given.
func (v VIP) Add() (changed bool, err error) {
	if err := v.valid(); err != nil {
		return false, err
	}
	k, err := dial()
	if err != nil {
		return false, err
	}
	defer k.Close()

	holders, err := k.holders(v.addr())
	if err != nil || len(holders) > 0 {
		return false, err
	}
	link, err := v.link(k)
	if err != nil {
		return false, err
	}
	return v.add(k, link)
}

// Remove takes the address off every interface that carries it and reports
// whether there was one. It removes no other address: where the address is the
// primary one of its subnet, so that the kernel would delete the secondaries
// with it, promote_secondaries is first set on that interface, as systemd does
// for all of them at boot. The setting stays.
func (v VIP) Remove() (changed bool, err error) {
	if err := v.valid(); err != nil {
		return false, err
	}
	k, err := dial()
	if err != nil {
		return false, err
	}
	defer k.Close()

	all, err := k.addresses(v.addr())
	if err != nil {
		return false, err
	}
	for _, a := range all {
		if local(a) != v.addr() {
			continue
		}
		removed, err := v.remove(k, a, all)
		if err != nil {
			return changed, err
		}
		changed = changed || removed
	}
	return changed, nil
}

// add puts the address on link, whoever else may be doing the same.
func (v VIP) add(k kernel, link netlink.Link) (changed bool, err error) {
	all, err := k.addresses(v.addr())
	if err != nil {
		return false, err
	}
	a := &netlink.Addr{IPNet: ipNet(v.Prefix)}
	if v.addr().Is4() {
		if v.covered(link, all) {
			a.IPNet = ipNet(netip.PrefixFrom(v.addr(), v.addr().BitLen()))
		}
		// As ip-address(8) and keepalived: no broadcast address. The subnet's
		// own address already has it.
		a.Broadcast = net.IPv4zero
	} else {
		if err := v.clearDuplicate(k, link, all); err != nil {
			return false, err
		}
		a.Flags = unix.IFA_F_NODAD
		a.ValidLft = int(forever)
		a.PreferedLft = 0
	}

	switch err := k.AddrAdd(link, a); {
	case err == nil:
		return true, nil
	case errors.Is(err, syscall.EEXIST):
		return false, nil
	case errors.Is(err, syscall.EACCES) && v.addr().Is6():
		// The kernel says EACCES, which would read as a missing privilege.
		name := link.Attrs().Name
		return false, fmt.Errorf("vip: adding %s to %s: IPv6 is disabled there: sysctl -w net.ipv6.conf.%s.disable_ipv6=0", v, name, name)
	default:
		return false, v.refused("adding", "to", link.Attrs().Name, err)
	}
}

// covered reports whether another address of the interface brings the VIP's subnet, or
// a larger one.
func (v VIP) covered(link netlink.Link, all []netlink.Addr) bool {
	return slices.ContainsFunc(all, func(a netlink.Addr) bool {
		return a.LinkIndex == link.Attrs().Index && local(a) != v.addr() && subnet(a).Bits() <= v.Prefix.Bits() && subnet(a).Contains(v.addr())
	})
}

// clearDuplicate removes the address from link if an earlier duplicate address
// detection found it in use elsewhere: the kernel keeps such an address, does
// not use it, and would refuse to add it again.
func (v VIP) clearDuplicate(k kernel, link netlink.Link, all []netlink.Addr) error {
	for _, a := range all {
		if local(a) != v.addr() || a.LinkIndex != link.Attrs().Index || a.Flags&unix.IFA_F_DADFAILED == 0 {
			continue
		}
		if _, err := v.remove(k, a, all); err != nil {
			return err
		}
	}
	return nil
}

// remove deletes one address of this host. Those of all that are secondary to
// it survive.
func (v VIP) remove(k kernel, a netlink.Addr, all []netlink.Addr) (removed bool, err error) {
	if hasSecondaries(a, all) {
		err = promoteSecondaries(a.LinkIndex)
	}
	if err == nil {
		// Only what identifies the address: the label and lifetimes of the
		// dump are of no use here and could have changed since.
		err = k.AddrDel(nil, &netlink.Addr{IPNet: a.IPNet, Peer: a.Peer, LinkIndex: a.LinkIndex})
	}
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, syscall.EADDRNOTAVAIL), errors.Is(err, syscall.ENODEV):
		// Gone since, alone or with its interface.
		return false, nil
	default:
		return false, v.refused("removing", "from", k.name(a.LinkIndex), err)
	}
}

// refused explains an error of the kernel.
func (v VIP) refused(doing, where, name string, err error) error {
	err = fmt.Errorf("vip: %s %s %s %s: %w", doing, v, where, name, err)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: run as root or with CAP_NET_ADMIN", err)
	case errors.Is(err, syscall.ENODEV):
		return fmt.Errorf("%w: %w", err, ErrNoInterface)
	}
	return err
}

// local returns the address itself, which for a point-to-point interface is
// not the one that names the subnet.
func local(a netlink.Addr) netip.Addr {
	ip, _ := netip.AddrFromSlice(a.IP)
	return ip.Unmap()
}

// subnet returns the network that the address is in: for a point-to-point
// interface, its peer's.
func subnet(a netlink.Addr) netip.Prefix {
	n := a.IPNet
	if a.Peer != nil {
		n = a.Peer
	}
	ip, _ := netip.AddrFromSlice(n.IP)
	ones, _ := n.Mask.Size()
	return netip.PrefixFrom(ip.Unmap(), ones).Masked()
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{
		IP:   p.Addr().AsSlice(),
		Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen()),
	}
}
