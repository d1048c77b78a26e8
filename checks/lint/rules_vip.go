package lint

import (
	"net/netip"
	"slices"
	"strings"

	"redis-vip/checks/lint/keepalived"
)

var vipRules = []rule{
	{
		"vip-missing", Error, "the VIP $1 of group $2 is in no virtual_ipaddress",
		"The hooks look whether $1 is here, and act on that: they would never promote.", "write $1 into virtual_ipaddress, or correct vips in redis-vip.toml", vipMissing,
	},
	{
		"vip-differs", Error, "$1 is not the VIP of group $3, which is $2",
		"The hooks look whether $2 is here, and act on that: they would never promote. Addresses are compared whole: 10.0.0.1 is not 10.0.0.10.",
		"write $2 here, or $1 as vips in redis-vip.toml", vipDiffers,
	},
	{
		"vip-unlisted", Warning, "$1 is no VIP of any group in redis-vip.toml",
		"No program looks at it: clients that use it get no redis-vip.", "add it to vips, on every host", vipUnlisted,
	},
	{
		"vip-managed-twice", Error, "keepalived has the VIP $1 of group $2, which is under Sentinel",
		"keepalived and sentinel-reconfig would each put it where the other does not want it.", "take it out here, or sentinels out of redis-vip.toml", vipManagedTwice,
	},
}

// virtual is one address of a virtual_ipaddress.
type virtual struct {
	*keepalived.Statement
	addr netip.Addr
}

// virtuals lists the addresses of all instances. It is not complete if one of them is
// made of what only keepalived knows.
func virtuals(f *keepalived.File) (list []virtual, complete bool) {
	complete = true
	for _, v := range instances(f) {
		for _, block := range append(v.All("virtual_ipaddress"), v.All("virtual_ipaddress_excluded")...) {
			for _, s := range block.Body {
				text, _, _ := strings.Cut(s.Words[0], "/")
				addr, err := netip.ParseAddr(text)
				if err == nil {
					list = append(list, virtual{s, addr.Unmap()})
				} else if keepalived.Open(text) {
					complete = false
				}
			}
		}
	}
	return list, complete
}

// vipMatch gives the VIPs that keepalived should have and does not, by group, and the
// addresses that it has and that are no group's.
func vipMatch(h *Host) (missing map[string][]netip.Addr, extra []virtual) {
	list, complete := virtuals(h.Keepalived)
	if h.Keepalived == nil || !complete || !callsOurs(h.Keepalived) {
		return nil, nil
	}
	extra = list
	missing = map[string][]netip.Addr{}
	for _, g := range h.Groups {
		for _, vip := range g.VIPs {
			has := func(v virtual) bool { return v.addr == vip.Addr() }
			if len(g.Sentinels) == 0 && !slices.ContainsFunc(list, has) {
				missing[g.Name] = append(missing[g.Name], vip.Addr())
			}
			extra = slices.DeleteFunc(slices.Clone(extra), has)
		}
	}
	return missing, extra
}

func vipMissing(h *Host) (hits []hit) {
	missing, extra := vipMatch(h)
	if len(extra) > 0 || h.Keepalived == nil {
		return nil
	}
	for _, g := range h.Groups {
		for _, vip := range missing[g.Name] {
			place := h.Keepalived.Position
			if list := instances(h.Keepalived); len(list) > 0 {
				place = list[0].Position
			}
			hits = append(hits, at(place, vip.String(), g.Name))
		}
	}
	return hits
}

func vipDiffers(h *Host) []hit {
	missing, extra := vipMatch(h)
	if len(extra) == 0 {
		return nil
	}
	for _, g := range h.Groups {
		for _, vip := range missing[g.Name] {
			return []hit{at(extra[0].Position, extra[0].addr.String(), vip.String(), g.Name)}
		}
	}
	return nil
}

func vipUnlisted(h *Host) (hits []hit) {
	missing, extra := vipMatch(h)
	if len(h.Groups) == 0 || len(missing) > 0 {
		return nil
	}
	for _, v := range extra {
		hits = append(hits, at(v.Position, v.addr.String()))
	}
	return hits
}

func vipManagedTwice(h *Host) (hits []hit) {
	list, _ := virtuals(h.Keepalived)
	for _, g := range h.Groups {
		for _, v := range list {
			same := func(vip netip.Prefix) bool { return vip.Addr() == v.addr }
			if len(g.Sentinels) > 0 && slices.ContainsFunc(g.VIPs, same) {
				hits = append(hits, at(v.Position, v.addr.String(), g.Name))
			}
		}
	}
	return hits
}
