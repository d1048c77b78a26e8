package lint

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"redis-vip/checks/lint/redisconf"
)

var bootRules = []rule{
	{
		"never-boot-missing", Error, "nothing keeps this Redis from booting as a master",
		"A master that crashed comes back as one, older than the other or empty, and whoever follows it throws its own data away.",
		"write as the last line: include /etc/redis-vip/never-boot-as-master.conf", neverBootMissing,
	},
	{
		"never-boot-not-last", Warning, "$1 stands below the include of $2", "What stands below may undo it, now or after the next edit.", "move the include to the end", neverBootNotLast,
	},
	{
		"never-boot-undone", Error, "$1 $2 stands below the include of $3, and counts", "After a restart this node copies that server's data before any program could look which is newer.", "take the line out", neverBootUndone,
	},
	{
		"never-boot-names-node", Error, "replicaof $1 is $2", "A master that crashed and came back copies that node's data, and its own newer writes are gone, before any program could look.",
		"write replicaof 127.0.0.1 1: nothing listens there", neverBootNamesNode,
	},
	{
		"replicaof-above", Warning, "$1 has no effect: the include of $2 below it counts", "CONFIG REWRITE says OK and writes the role here, where no restart looks at it.", "take the line out", replicaofAbove,
	},
}

// replicaofs are the lines that say whom the server follows when it starts: those of
// included files, and those of the file itself.
func replicaofs(f *redisconf.File) (included, own []redisconf.Directive) {
	if f == nil {
		return nil, nil
	}
	for _, d := range f.All("replicaof", "slaveof") {
		if d.Included.Line > 0 {
			included = append(included, d)
		} else {
			own = append(own, d)
		}
	}
	return included, own
}

func neverBootMissing(h *Host) []hit {
	included, own := replicaofs(h.Redis)
	if h.Redis == nil || len(included) > 0 || len(h.Redis.Problems) > 0 {
		return nil // an include that is not there is another rule's mistake
	}
	if len(own) > 0 {
		return []hit{at(own[len(own)-1].Position)}
	}
	return []hit{at(h.Redis.Position)}
}

// neverBoot is the include that keeps Redis from booting as a master: the last one with
// a replicaof in it.
func neverBoot(f *redisconf.File) (redisconf.Directive, bool) {
	included, _ := replicaofs(f)
	if len(included) == 0 {
		return redisconf.Directive{}, false
	}
	return included[len(included)-1], true
}

func below(d redisconf.Directive, include redisconf.Position) bool {
	return d.Included.Line == 0 && d.Line > include.Line
}

func neverBootNotLast(h *Host) []hit {
	boot, found := neverBoot(h.Redis)
	if !found {
		return nil
	}
	for _, d := range h.Redis.Directives {
		// What CONFIG REWRITE appends below cannot be helped, and does no harm.
		if below(d, boot.Included) && !d.Rewritten && d.Name != "replicaof" && d.Name != "slaveof" {
			return []hit{at(d.Position, d.Name, boot.File)}
		}
	}
	return nil
}

// neverBootUndone leaves out what Sentinel does: it has every replica rewrite its file
// (sentinelSendSlaveOf), and takes the line out again from one that it promotes. What
// such a replica has is its master's anyway.
func neverBootUndone(h *Host) (hits []hit) {
	boot, found := neverBoot(h.Redis)
	_, own := replicaofs(h.Redis)
	g, _ := h.group()
	for _, d := range own {
		if found && below(d, boot.Included) && !(d.Rewritten && len(g.Sentinels) > 0) {
			hits = append(hits, at(d.Position, d.Name, strings.Join(d.Args, " "), boot.File))
		}
	}
	return hits
}

func replicaofAbove(h *Host) (hits []hit) {
	boot, found := neverBoot(h.Redis)
	_, own := replicaofs(h.Redis)
	for _, d := range own {
		if found && d.Line < boot.Included.Line {
			hits = append(hits, at(d.Position, d.Name, boot.File))
		}
	}
	return hits
}

func neverBootNamesNode(h *Host) []hit {
	boot, found := neverBoot(h.Redis)
	if !found || strings.EqualFold(boot.Arg(0), "no") {
		return nil
	}
	target := strings.Join(boot.Args, " ")
	addr, err := netip.ParseAddr(boot.Arg(0))
	g, _ := h.group()
	switch {
	case err != nil:
		return []hit{at(boot.Position, target, "a name, and somebody may answer to it")}
	case slices.ContainsFunc(g.Nodes, func(n netip.AddrPort) bool { return n.Addr() == addr && strconv.Itoa(int(n.Port())) == boot.Arg(1) }):
		return []hit{at(boot.Position, target, "a node of group "+g.Name)}
	case slices.ContainsFunc(g.VIPs, func(p netip.Prefix) bool { return p.Addr() == addr }):
		return []hit{at(boot.Position, target, "at the VIP of group "+g.Name)}
	case addr.IsLoopback() && boot.Arg(1) == strconv.Itoa(int(redisPort(h.Redis))):
		return []hit{at(boot.Position, target, "this Redis itself")}
	case !addr.IsLoopback():
		return []hit{at(boot.Position, target, "not on this host, where you know that nothing listens")}
	}
	return nil
}
