package lint

import (
	"net/netip"
	"slices"
	"strconv"

	"redis-vip/checks/lint/redisconf"
)

var sentinelRules = []rule{
	{
		"sentinel-unknown-option", Error, "unknown option: sentinel $1", "Sentinel does not start: at the next restart, not before.", "write sentinel $2", unknownOptions,
	},
	{
		"no-monitor", Error, "no sentinel monitor", "This Sentinel watches nothing, and says nothing.", "write sentinel monitor NAME ADDRESS PORT QUORUM", noMonitor,
	},
	{
		"monitor-name", Error, "$1 is no group of redis-vip.toml, which has $2", "The programs ask the Sentinels for the group's name, and nobody knows it: the VIP stays where it is.",
		"write the same name in both files", monitorName,
	},
	{
		"monitor-loopback", Error, "sentinel monitor names $1", "Each host would watch its own Redis under that address, tell the others of it, and the replicas would follow themselves.",
		"write the master's address in the network", monitorLoopback,
	},
	{
		"monitor-vip", Error, "sentinel monitor names the VIP $1", "The VIP is whoever has it: Sentinel takes a move for another master, and tells replicas to follow the address that they hold.",
		"write the master's own address", monitorVIP,
	},
	{
		"monitor-stranger", Error, "sentinel monitor names $1, which is no node of group $2: $3", "The programs touch the nodes of redis-vip.toml alone: a master that is none of them never gets the VIP.",
		"write a node's address", monitorStranger,
	},
	{
		"monitor-by-name", Error, "sentinel monitor names the host name $1", "When the resolver is away, so is the failover; and the programs go by addresses.", "write the address", monitorByName,
	},
	{
		"announce-hostnames", Error, "announce-hostnames yes", "Sentinel then gives its scripts names, or nothing where one cannot be resolved: sentinel-reconfig refuses both, because it goes by addresses.",
		"write sentinel announce-hostnames no", announceHostnames,
	},
	{
		"no-auth-pass", Error, "no sentinel auth-pass for $1, and $2 sets requirepass", "Sentinel takes a Redis that refuses it for dead, and can promote none.", "write sentinel auth-pass $1 and the password", noAuthPass,
	},
	{
		"sentinel-bind", Error, "bind leaves out every address but the loopback's", "The other Sentinels do not reach this one: no majority, no failover.", "take the line out, or write bind 0.0.0.0 -::*", sentinelBind,
	},
	{
		"sentinel-port", Error, "port $1 is no Sentinel's in redis-vip.toml: $2", "The programs ask elsewhere, and nobody answers.", "write the same port in both files", sentinelPort,
	},
	{
		"sentinel-protected-mode", Error, "protected-mode yes", "Sentinel answers 127.0.0.1 alone then: no other Sentinel gets in.", "write protected-mode no", sentinelProtected,
	},
}

// monitor is one line "sentinel monitor NAME ADDRESS PORT QUORUM".
type monitor struct {
	redisconf.Directive
	name   string
	quorum int
	group  Group // the one of redis-vip.toml by that name, if there is one
	known  bool
}

func monitors(h *Host) (list []monitor) {
	if h.Sentinel == nil {
		return nil
	}
	for _, d := range h.Sentinel.Of("monitor", "") {
		m := monitor{Directive: d, name: d.Arg(1)}
		m.quorum, _ = strconv.Atoi(d.Arg(4))
		for _, g := range h.Groups {
			if g.Name == m.name {
				m.group, m.known = g, true
			}
		}
		list = append(list, m)
	}
	return list
}

func (m monitor) addr() (netip.Addr, bool) {
	addr, err := netip.ParseAddr(m.Arg(2))
	return addr.Unmap(), err == nil
}

// sentinels counts those that watch the master, if that is known: those that it has
// learnt of, or else those of redis-vip.toml, where one name is enough and says nothing.
func (h *Host) sentinels(m monitor) (int, bool) {
	if h.Live != nil && h.Live.Sentinels[m.name] > 0 {
		return h.Live.Sentinels[m.name], true
	}
	if n := len(h.Sentinel.Of("known-sentinel", m.name)); n > 0 {
		return n + 1, true
	}
	return len(m.group.Sentinels), len(m.group.Sentinels) > 1
}

func unknownOptions(h *Host) (hits []hit) {
	if h.Sentinel == nil {
		return nil
	}
	for _, d := range h.Sentinel.All("sentinel") {
		if meant := redisconf.MeantOption(d.Arg(0)); meant != "" {
			hits = append(hits, at(d.Position, d.Arg(0), meant))
		}
	}
	return hits
}

func noMonitor(h *Host) []hit {
	// A misspelled one is another rule's mistake.
	if h.Sentinel == nil || len(monitors(h)) > 0 || len(unknownOptions(h)) > 0 {
		return nil
	}
	return []hit{at(h.Sentinel.Position)}
}

func monitorName(h *Host) (hits []hit) {
	var names []string
	for _, g := range h.Groups {
		if len(g.Sentinels) > 0 {
			names = append(names, g.Name)
		}
	}
	// One Sentinel may watch others as well: only if none is ours, something is wrong.
	if len(names) == 0 || slices.ContainsFunc(monitors(h), func(m monitor) bool { return m.known }) {
		return nil
	}
	for _, m := range monitors(h) {
		hits = append(hits, at(m.Position, m.name, joinTexts(names)))
	}
	return hits
}

func monitorLoopback(h *Host) (hits []hit) {
	for _, m := range monitors(h) {
		addr, ok := m.addr()
		nodes := make([]netip.Addr, 0, len(m.group.Nodes))
		for _, n := range m.group.Nodes {
			nodes = append(nodes, n.Addr())
		}
		if ok && addr.IsLoopback() && (len(nodes) == 0 || !loopback(nodes)) {
			hits = append(hits, at(m.Position, addr.String()))
		}
	}
	return hits
}

func monitorVIP(h *Host) (hits []hit) {
	for _, m := range monitors(h) {
		addr, ok := m.addr()
		if ok && slices.ContainsFunc(m.group.VIPs, func(p netip.Prefix) bool { return p.Addr() == addr }) {
			hits = append(hits, at(m.Position, addr.String()))
		}
	}
	return hits
}

func monitorStranger(h *Host) (hits []hit) {
	for _, m := range monitors(h) {
		addr, ok := m.addr()
		if !ok || !m.known || len(monitorVIP(h)) > 0 || len(monitorLoopback(h)) > 0 {
			continue
		}
		port, _ := strconv.ParseUint(m.Arg(3), 10, 16)
		if node := netip.AddrPortFrom(addr, uint16(port)); !slices.Contains(m.group.Nodes, node) {
			hits = append(hits, at(m.Position, node.String(), m.name, join(m.group.Nodes)))
		}
	}
	return hits
}

func monitorByName(h *Host) (hits []hit) {
	for _, m := range monitors(h) {
		if _, ok := m.addr(); !ok {
			hits = append(hits, at(m.Position, m.Arg(2)))
		}
	}
	return hits
}

func announceHostnames(h *Host) (hits []hit) {
	if h.Sentinel == nil {
		return nil
	}
	for _, d := range h.Sentinel.Of("announce-hostnames", "") {
		if d.Arg(1) == "yes" {
			hits = append(hits, at(d.Position))
		}
	}
	return hits
}

func noAuthPass(h *Host) (hits []hit) {
	d, found := password(h.Redis)
	if !found {
		return nil
	}
	for _, m := range monitors(h) {
		if g, ours := h.group(); ours && m.known && g.Name != m.name {
			continue
		}
		if len(h.Sentinel.Of("auth-pass", m.name)) == 0 {
			hits = append(hits, at(m.Position, m.name, d.File))
		}
	}
	return hits
}

func sentinelBind(h *Host) []hit {
	if h.Sentinel == nil {
		return nil
	}
	place, list, everything := bind(h.Sentinel)
	alone := slices.ContainsFunc(monitors(h), func(m monitor) bool { return m.known && !slices.ContainsFunc(m.group.Sentinels, remote) })
	if everything || !loopback(list) || alone {
		return nil
	}
	return []hit{at(place)}
}

func remote(addr netip.AddrPort) bool { return !addr.Addr().IsLoopback() }

func sentinelPort(h *Host) []hit {
	if h.Sentinel == nil {
		return nil
	}
	port, place := uint16(26379), h.Sentinel.Position
	if d, found := last(h.Sentinel, "port"); found {
		n, err := strconv.ParseUint(d.Arg(0), 10, 16)
		if err != nil || n == 0 {
			return nil
		}
		port, place = uint16(n), d.Position
	}
	for _, m := range monitors(h) {
		same := func(s netip.AddrPort) bool { return s.Port() == port }
		if len(m.group.Sentinels) > 0 && !slices.ContainsFunc(m.group.Sentinels, same) {
			return []hit{at(place, strconv.Itoa(int(port)), join(m.group.Sentinels))}
		}
	}
	return nil
}

func sentinelProtected(h *Host) []hit {
	mode, found := last(h.Sentinel, "protected-mode")
	if _, secured := password(h.Sentinel); !found || mode.Arg(0) != "yes" || secured {
		return nil
	}
	return []hit{at(mode.Position)}
}
