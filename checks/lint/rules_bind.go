package lint

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"redis-vip/checks/lint/redisconf"
)

var bindRules = []rule{
	{
		"port-differs", Error, "port $1 is no node's in redis-vip.toml: $2", "The programs look elsewhere, and find nothing.", "write the same port in both files", portDiffers,
	},
	{
		"bind-unreachable", Error, "bind leaves out $1", "The other nodes and the Sentinels do not reach it.", "write bind 0.0.0.0 -::*, and keep strangers out with a firewall or a password", bindUnreachable,
	},
	{
		"bind-without-vip", Error, "bind leaves out the VIP $1", "Clients are refused at the VIP: Redis listens on the addresses that are listed, and on no other.",
		"write bind 0.0.0.0 -::*, and keep strangers out with a firewall or a password", bindWithoutVIP,
	},
	{
		"protected-mode", Error, "protected-mode without a password", "Redis answers 127.0.0.1 alone then, whatever bind says (from 7.0 on): no replica and no client gets in.",
		"write protected-mode no and keep strangers out with a firewall, or set requirepass and masterauth", protectedMode,
	},
}

// redisPort is where the Redis of the file listens.
func redisPort(f *redisconf.File) uint16 {
	if d, found := last(f, "port"); found {
		n, _ := strconv.ParseUint(d.Arg(0), 10, 16)
		if n != 0 {
			return uint16(n)
		}
	}
	if d, found := last(f, "tls-port"); found {
		n, _ := strconv.ParseUint(d.Arg(0), 10, 16)
		return uint16(n)
	}
	return 6379
}

func portDiffers(h *Host) []hit {
	if _, found := h.group(); h.Redis == nil || found || len(h.Groups) == 0 {
		return nil
	}
	place := h.Redis.Position
	if d, found := last(h.Redis, "port"); found {
		place = d.Position
	}
	return []hit{at(place, strconv.Itoa(int(redisPort(h.Redis))), join(h.Groups[0].Nodes))}
}

// bind is what the server of the file listens on: everything, or a list.
func bind(f *redisconf.File) (place redisconf.Position, list []netip.Addr, everything bool) {
	d, found := last(f, "bind")
	if !found || len(d.Args) == 0 {
		return place, nil, true
	}
	for _, text := range d.Args {
		text = strings.TrimPrefix(text, "-") // "-" means: if there is such an address
		if text == "*" || text == "0.0.0.0" || text == "::" || text == "::*" {
			return d.Position, nil, true
		}
		addr, err := netip.ParseAddr(text)
		if err != nil {
			return d.Position, nil, true // a name: who knows
		}
		list = append(list, addr.Unmap())
	}
	return d.Position, list, false
}

func loopback(list []netip.Addr) bool {
	return !slices.ContainsFunc(list, func(a netip.Addr) bool { return !a.IsLoopback() })
}

func bindUnreachable(h *Host) []hit {
	if h.Redis == nil {
		return nil
	}
	place, list, everything := bind(h.Redis)
	if everything {
		return nil
	}
	g, found := h.group()
	switch {
	case found && g.Self.IsValid():
		if !slices.Contains(list, g.Self.Addr()) && len(g.Nodes) > 1 {
			return []hit{at(place, g.Self.Addr().String())}
		}
	case loopback(list) && (!found || len(g.Nodes) > 1):
		if !slices.ContainsFunc(g.Nodes, func(n netip.AddrPort) bool { return slices.Contains(list, n.Addr()) }) {
			return []hit{at(place, "every address but the loopback's")}
		}
	}
	return nil
}

func bindWithoutVIP(h *Host) (hits []hit) {
	g, found := h.group()
	if !found || len(bindUnreachable(h)) > 0 {
		return nil
	}
	place, list, everything := bind(h.Redis)
	for _, vip := range g.VIPs {
		if !everything && !slices.Contains(list, vip.Addr()) {
			hits = append(hits, at(place, vip.Addr().String()))
		}
	}
	return hits
}

func protectedMode(h *Host) []hit {
	if h.Redis == nil || len(bindUnreachable(h)) > 0 {
		return nil
	}
	mode, said := last(h.Redis, "protected-mode")
	_, hasPassword := password(h.Redis)
	_, hasFile := last(h.Redis, "aclfile")
	hasUser := slices.ContainsFunc(h.Redis.All("user"), func(d redisconf.Directive) bool {
		return d.Arg(0) == "default" && !slices.Contains(d.Args, "nopass")
	})
	g, found := h.group()
	alone := found && !slices.ContainsFunc(g.Nodes, func(n netip.AddrPort) bool { return !n.Addr().IsLoopback() })
	if strings.EqualFold(mode.Arg(0), "no") || hasPassword || hasFile || hasUser || alone {
		return nil
	}
	place := h.Redis.Position
	if said {
		place = mode.Position
	}
	return []hit{at(place)}
}
