package vip

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"slices"

	"github.com/vishvananda/netlink"
)

// link returns the interface that the address is to be added to, which is up.
func (v VIP) link(k kernel) (netlink.Link, error) {
	if v.Interface == "" {
		return v.linkBySubnet(k)
	}
	link, err := k.LinkByName(v.Interface)
	if notFound := (netlink.LinkNotFoundError{}); errors.As(err, &notFound) {
		return nil, fmt.Errorf("vip: %w: there is no %s on this host: correct interface = %q in the group (ip -br link lists them)",
			ErrNoInterface, v.Interface, v.Interface)
	}
	if err != nil {
		return nil, fmt.Errorf("vip: looking up interface %s: %w", v.Interface, err)
	}
	return link, v.up(link)
}

// linkBySubnet returns the interface that carries an address whose subnet
// contains the VIP. The order among several is documented at Add.
func (v VIP) linkBySubnet(k kernel) (netlink.Link, error) {
	if v.addr().IsLinkLocalUnicast() && v.addr().Is6() {
		return nil, fmt.Errorf(`vip: %w: every interface has an address in the subnet of %s: set interface = "…" in the group`, ErrNoInterface, v)
	}
	all, err := k.addresses(v.addr())
	if err != nil {
		return nil, err
	}

	type candidate struct {
		link netlink.Link
		bits int
	}
	var candidates []candidate
	for _, a := range all {
		// The VIP itself is there only if it failed duplicate address
		// detection, or came this instant: it says nothing about the subnet.
		if !subnet(a).Contains(v.addr()) || local(a) == v.addr() {
			continue
		}
		link, err := k.LinkByIndex(a.LinkIndex)
		if notFound := (netlink.LinkNotFoundError{}); errors.As(err, &notFound) {
			continue // Gone since.
		}
		if err != nil {
			return nil, fmt.Errorf("vip: looking up interface %d: %w", a.LinkIndex, err)
		}
		candidates = append(candidates, candidate{link, subnet(a).Bits()})
	}
	if len(candidates) == 0 {
		if v.Prefix.IsSingleIP() {
			return nil, fmt.Errorf(`vip: %w: no interface here has an address whose subnet contains %s: set interface = "…" in the group`, ErrNoInterface, v.addr())
		}
		return nil, fmt.Errorf(`vip: %w: no interface here has an address in %s: set interface = "…" in the group`, ErrNoInterface, v.Prefix.Masked())
	}

	best := slices.MinFunc(candidates, func(a, b candidate) int {
		x, y := a.link.Attrs(), b.link.Attrs()
		return cmp.Or(
			compareBool(y.Flags&net.FlagUp != 0, x.Flags&net.FlagUp != 0),
			compareBool(x.Flags&net.FlagLoopback != 0, y.Flags&net.FlagLoopback != 0),
			cmp.Compare(b.bits, a.bits),
			cmp.Compare(x.Index, y.Index),
		)
	})
	return best.link, v.up(best.link)
}

// up returns an error if link is administratively down: an address added there
// would serve nobody, while this host believed that it holds it.
func (v VIP) up(link netlink.Link) error {
	if link.Attrs().Flags&net.FlagUp != 0 {
		return nil
	}
	name := link.Attrs().Name
	return fmt.Errorf("vip: %s not added: %s: %w: ip link set %s up", v, name, ErrInterfaceDown, name)
}

// compareBool orders false before true.
func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}
