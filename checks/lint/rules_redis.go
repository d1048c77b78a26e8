package lint

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"redis-vip/checks/lint/redisconf"
)

// smallBacklog is what a busy master writes in less time than a standby needs to come
// back. The examples have 256 MB; Redis's default is 1 MB.
const smallBacklog = 64 << 20

var redisRules = []rule{
	{
		"redis-include-missing", Error, "no such file: $1", "Redis does not start: at the next restart, not before.", "correct the path, or take the line out",
		redisProblems(redisconf.MissingInclude),
	},
	{
		"redis-include-unreadable", Error, "cannot read $1", "What it says was not looked at.", "run this as root", redisProblems(redisconf.UnreadableInclude),
	},
	{
		"redis-include-loop", Error, "$1 is included again, or too deep", "Redis reads it until it crashes.", "take the line out", redisProblems(redisconf.IncludeLoop),
	},
	{
		"redis-open-quote", Error, "a quote is not closed", "Redis does not start: at the next restart, not before.", `close it: "…"`, redisProblems(redisconf.OpenQuote),
	},
	{
		"redis-too-large", Error, "there is more in $1 than is looked at", "The rest may hold any mistake.", "take apart what grew so large", redisProblems(redisconf.TooLarge),
	},
	{
		"redis-unknown-directive", Error, "unknown directive $1", "Redis does not start: at the next restart, not before.", "write $2", unknownDirectives,
	},
	{
		"no-masterauth", Error, "requirepass without masterauth", "As a replica it cannot log in to the other node: after the next failover there is no replication.",
		"write masterauth and the same password, on every host", noMasterauth,
	},
	{
		"passwords-differ", Error, "masterauth is not the requirepass of $1", "As a replica it cannot log in to that node: after a failover there is no replication.",
		"write the same password for both, on every host", passwordsDiffer,
	},
	{
		"no-password-for-programs", Warning, "requirepass, and redis-vip.toml names no password", "The programs are refused: they can neither promote nor demote.",
		"write password_file into the group, and the password into that file", noPassword,
	},
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
	{
		"backlog-small", Warning, "repl-backlog-size $1", "A standby that was away longer needs a full copy, and of a master that yields, fewer of the writes that the other lacks can be saved out of it.",
		"write repl-backlog-size 256mb", backlogSmall,
	},
	{
		"min-replicas", Warning, "$1 $2 among $3 nodes", "After a failover the new master has too few replicas, and takes no writes until the dead host is back.", "write $1 0", minReplicas,
	},
	{
		"no-persistence", Warning, "neither save nor appendonly, and systemd restarts Redis", "After a crash it is back in a second, and empty: what the other node has is the only copy, and when both lose power there is none.",
		"take save \"\" out, or write appendonly yes", noPersistence,
	},
	{
		"config-folder-unwritable", Error, "$1 may not write $2", "CONFIG REWRITE makes a temporary file there: it fails, and a restart forgets the node's role and every CONFIG SET.",
		"chown $1: $2, or chmod g+w where its group is $1", configFolder,
	},
}

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

func redisProblems(kinds ...redisconf.ProblemKind) func(*Host) []hit {
	return func(h *Host) (hits []hit) {
		for _, f := range []*redisconf.File{h.Redis, h.Sentinel} {
			if f == nil {
				continue
			}
			for _, p := range f.Problems {
				if slices.Contains(kinds, p.Kind) {
					hits = append(hits, at(p.Position, p.Text))
				}
			}
		}
		return hits
	}
}

func unknownDirectives(h *Host) (hits []hit) {
	for _, f := range []*redisconf.File{h.Redis, h.Sentinel} {
		if f == nil {
			continue
		}
		for _, d := range f.Directives {
			if meant := redisconf.Meant(d.Name); meant != "" {
				hits = append(hits, at(d.Position, d.Name, meant))
			}
		}
	}
	return hits
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

// last is the directive that counts. A nil file has none.
func last(f *redisconf.File, names ...string) (redisconf.Directive, bool) {
	if f == nil {
		return redisconf.Directive{}, false
	}
	return f.Last(names...)
}

// password is the default user's, and where it is set.
func password(f *redisconf.File) (redisconf.Directive, bool) {
	d, found := last(f, "requirepass")
	return d, found && d.Arg(0) != ""
}

// DefaultPassword is the default user's by redis.conf; empty if there is none.
func (h *Host) DefaultPassword() string {
	d, _ := password(h.Redis)
	return d.Arg(0)
}

func noMasterauth(h *Host) []hit {
	d, found := password(h.Redis)
	if auth, has := last(h.Redis, "masterauth", "primaryauth"); !found || has && auth.Arg(0) != "" {
		return nil
	}
	return []hit{at(d.Position)}
}

// passwordsDiffer compares with the other host's file, or else with the node's own
// password, for they are the same on every host. It says none of them. A masteruser
// has a password of its own.
func passwordsDiffer(h *Host) []hit {
	auth, found := last(h.Redis, "masterauth", "primaryauth")
	if _, other := last(h.Redis, "masteruser", "primaryuser"); !found || other {
		return nil
	}
	there := h.Redis
	if h.Other.Redis != nil {
		there = h.Other.Redis
	}
	if d, has := password(there); has && d.Arg(0) != auth.Arg(0) {
		return []hit{at(auth.Position, there.File)}
	}
	return nil
}

func noPassword(h *Host) []hit {
	d, found := password(h.Redis)
	if g, known := h.group(); !found || !known || g.Password {
		return nil
	}
	return []hit{at(d.Position)}
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

func backlogSmall(h *Host) []hit {
	if h.Redis == nil {
		return nil
	}
	d, found := last(h.Redis, "repl-backlog-size")
	if !found {
		return []hit{at(h.Redis.Position, "is not set, and the default is 1mb")}
	}
	if bytes, ok := redisconf.Bytes(d.Arg(0)); ok && bytes < smallBacklog {
		return []hit{at(d.Position, d.Arg(0))}
	}
	return nil
}

func minReplicas(h *Host) []hit {
	d, found := last(h.Redis, "min-replicas-to-write", "min-slaves-to-write")
	g, known := h.group()
	n, err := strconv.Atoi(d.Arg(0))
	if !found || !known || err != nil || n == 0 || n < len(g.Nodes)-1 {
		return nil
	}
	return []hit{at(d.Position, d.Name, d.Arg(0), strconv.Itoa(len(g.Nodes)))}
}

// noPersistence believes that the unit restarts Redis, as the packages' units do, unless
// it is known that it does not.
func noPersistence(h *Host) []hit {
	if h.Redis == nil {
		return nil
	}
	if unit, known := h.unit(redisUnits); known && unit.Restart == "no" {
		return nil
	}
	if d, found := last(h.Redis, "appendonly"); found && strings.EqualFold(d.Arg(0), "yes") {
		return nil
	}
	var off *redisconf.Directive
	for _, d := range h.Redis.All("save") {
		off = nil
		if d.Arg(0) == "" {
			off = &d
		}
	}
	if off == nil {
		return nil
	}
	return []hit{at(off.Position)}
}

// redisUsers are the accounts that the packages run Redis as.
var redisUsers = []string{"redis", "valkey"}

func configFolder(h *Host) []hit {
	if h.Redis == nil || h.Copies {
		return nil
	}
	folder := h.Disk.Paths[folderOf(h.Redis.File)]
	name := ""
	if unit, known := h.unit(redisUnits); known {
		name = unit.User
	}
	for _, n := range redisUsers {
		if _, found := h.Disk.Users[n]; found && name == "" {
			name = n
		}
	}
	user, known := h.Disk.Users[name]
	if !known || !folder.Exists || folder.writableBy(user) {
		return nil
	}
	return []hit{at(h.Redis.Position, name, folderOf(h.Redis.File))}
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
