// Package host knows which addresses this host holds.
package host

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
)

// Addresses lists every address on every interface of this host, as the kernel
// reports them over netlink now. IPv4 addresses are never in IPv6 form.
func Addresses() ([]netip.Addr, error) {
	list, err := net.InterfaceAddrs()
	if err != nil {
		return nil, fmt.Errorf("cannot read this host's addresses: %w", err)
	}
	addresses := make([]netip.Addr, 0, len(list))
	for _, entry := range list {
		if network, ok := entry.(*net.IPNet); ok {
			if address, ok := netip.AddrFromSlice(network.IP); ok {
				addresses = append(addresses, address.Unmap())
			}
		}
	}
	return addresses, nil
}

// Holds says whether this host holds any of the addresses given. Addresses are
// compared as numbers: 10.0.0.1 is not 10.0.0.10.
func Holds(wanted ...netip.Addr) (bool, error) {
	held, err := Addresses()
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(wanted, func(a netip.Addr) bool {
		return slices.Contains(held, a.Unmap().WithZone(""))
	}), nil
}
