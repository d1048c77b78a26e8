package vip

import (
	"fmt"
	"syscall"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// promoteSecondariesConf is IPV4_DEVCONF_PROMOTE_SECONDARIES of linux/ip.h.
const promoteSecondariesConf = 20

// hasSecondaries reports whether the kernel would delete other addresses of all
// along with a: those of the same interface, subnet and prefix length that came
// after it. IPv6 has no such relation; there the flag has another meaning.
func hasSecondaries(a netlink.Addr, all []netlink.Addr) bool {
	if a.IP.To4() == nil || a.Flags&unix.IFA_F_SECONDARY != 0 {
		return false
	}
	for _, b := range all {
		if b.LinkIndex == a.LinkIndex && local(b) != local(a) && subnet(b) == subnet(a) {
			return true
		}
	}
	return false
}

// promoteSecondaries makes the kernel keep an interface's secondary addresses
// when their primary one is deleted: the first of them takes its place, without
// a moment in which any is missing, which adding them again could not promise.
// It is net.ipv4.conf.<if>.promote_secondaries, set through netlink because
// /proc/sys is read-only in a hardened unit (ProtectKernelTunables=).
func promoteSecondaries(index int) error {
	msg := nl.NewIfInfomsg(unix.AF_UNSPEC)
	msg.Index = int32(index)

	spec := nl.NewRtAttr(unix.IFLA_AF_SPEC, nil)
	conf := spec.AddRtAttr(unix.AF_INET, nil).AddRtAttr(unix.IFLA_INET_CONF, nil)
	conf.AddRtAttr(promoteSecondariesConf, nl.Uint32Attr(1))

	req := nl.NewNetlinkRequest(unix.RTM_SETLINK, syscall.NLM_F_ACK)
	req.AddData(msg)
	req.AddData(spec)
	if _, err := req.Execute(unix.NETLINK_ROUTE, 0); err != nil {
		return fmt.Errorf("setting promote_secondaries, so that its secondary addresses survive: %w", err)
	}
	return nil
}
