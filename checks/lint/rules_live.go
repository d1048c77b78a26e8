package lint

import (
	"net/netip"
	"slices"
	"strings"

	"redis-vip/checks/node"
)

var liveRules = []rule{
	{
		"acl-rights", Error, "user $1 may not run $2 on $3", "A program is refused in the middle of its work: a hook that may promote and not persist, or not demote.",
		"on $3: redis-cli acl setuser $1 $4, then config rewrite or acl save", aclRights,
	},
	{
		"sentinel-acl-rights", Error, "user $1 may not run $2 on the Sentinel $3", "The programs do not learn who the master is there.",
		"on $3: redis-cli acl setuser $1 $4, then sentinel flushconfig", sentinelACLRights,
	},
	{
		"witness-acl-rights", Error, "user $1 may not run $2 on the witness $3", "The programs cannot hold the lease there: that vote is lost.",
		"on $3: redis-cli acl setuser $1 '~redis-vip:lease:*' $4, then config rewrite or acl save", witnessACLRights,
	},
	{
		"vip-taken", Error, "at the VIP $1 answers a Redis that is no node of group $2", "Clients are there already, and two hosts would have the address.", "find that host and take the address off it, or choose another VIP", vipTaken,
	},
	{
		"vip-twice", Error, "the VIP $1 is here, and $2 says that it has it too", "Clients reach the one or the other by chance, and both may take their writes.", "look which one is right: redis-vip explain on every host", vipTwice,
	},
	{
		"node-unreachable", Error, "$1 cannot be reached from here: $2", "This host cannot tell whether that node is newer, and cannot demote it.", "look at its bind, at the firewall and at the network", nodeUnreachable,
	},
	{
		"node-refuses", Error, "$1 refuses us: $2", "The programs can neither look nor act there.", "correct username and password_file, or protected-mode there", nodeRefuses,
	},
	{
		"link-down", Error, "$1 does not reach its master $2, and this host does", "Replication does not run: the standby grows old, and a failover loses what it lacks.", "look at masterauth on $1, and at bind and the firewall of $2", linkDown,
	},
	{
		"not-listed", Error, "$1 says that it follows $2, which lists no such replica", "A drained hand-over waits for a replica that the master lists; behind address translation it never sees this one.", "set replica-announce-ip on $1 to its address in redis-vip.toml", notListed,
	},
	{
		"no-config-file", Error, "$1 runs without a configuration file", "CONFIG REWRITE fails, and nothing keeps it from booting as a master.", "start it with one: redis-server /etc/redis/redis.conf", noConfigFile,
	},
	{
		"other-config-file", Warning, "the Redis that runs here reads $1", "What is looked at here is not what counts.", "redis-vip lint --redis $1", otherConfigFile,
	},
	{
		"interface-missing", Error, "there is no interface $1", "keepalived's instance stays in FAULT, and keepalived -t fails.", "write one of these: $2", interfaceMissing,
	},
}

// Live is what was seen of the running system.
type Live struct {
	Interfaces []string
	Nodes      map[string][]Node // by group; this host's node too
	Holders    []Holder
	Denied     []Denied
	Sentinels  map[string]int // how many watch each group's master
	Skipped    []string       // what could not be looked at, and why
}

// Node is what one Redis of a group shows.
type Node struct {
	Addr netip.AddrPort
	Here bool
	node.Facts
}

// Holder is who has a VIP.
type Holder struct {
	Group string
	VIP   netip.Addr
	RunID string // of the Redis that answers there; empty: none does
	Here  bool
	Twice string // who else says that it has it
}

// Denied is a command that a user may not run.
type Denied struct {
	Group, User string
	On          Kind
	Server      netip.AddrPort
	Command     Command
}

// denied is the rule of commands that are refused.
func denied(on Kind, key string) func(*Host) []hit {
	return func(h *Host) (hits []hit) {
		if h.Live == nil {
			return nil
		}
		for _, g := range h.Groups {
			type login struct {
				user   string
				server netip.AddrPort
			}
			lacks := map[login][]Command{} // one finding for each server
			var order []login
			for _, d := range h.Live.Denied {
				if d.Group != g.Name || d.On != on {
					continue
				}
				who := login{d.User, d.Server}
				if lacks[who] == nil {
					order = append(order, who)
				}
				lacks[who] = append(lacks[who], d.Command)
			}
			for _, who := range order {
				var names, rights []string
				for _, c := range lacks[who] {
					names, rights = append(names, c.String()), append(rights, "'"+c.Right+"'")
				}
				hits = append(hits, at(g.at(key), who.user, joinTexts(names), who.server.String(), strings.Join(rights, " ")))
			}
		}
		return hits
	}
}

var (
	aclRights         = denied(OnNode, "username")
	sentinelACLRights = denied(OnSentinel, "sentinel_username")
	witnessACLRights  = denied(OnWitness, "witness_username")
)

// groups visits what was seen of each group.
func (h *Host) seen(visit func(g Group, nodes []Node)) {
	if h.Live == nil {
		return
	}
	for _, g := range h.Groups {
		visit(g, h.Live.Nodes[g.Name])
	}
}

func vipTaken(h *Host) (hits []hit) {
	h.seen(func(g Group, nodes []Node) {
		if slices.ContainsFunc(nodes, func(n Node) bool { return !n.Class.Answers() || n.RunID == "" }) {
			return // it may be the one that could not be asked
		}
		for _, holder := range h.Live.Holders {
			ours := slices.ContainsFunc(nodes, func(n Node) bool { return n.RunID == holder.RunID })
			if holder.Group == g.Name && holder.RunID != "" && !ours {
				hits = append(hits, at(g.at("vips"), holder.VIP.String(), g.Name))
			}
		}
	})
	return hits
}

func vipTwice(h *Host) (hits []hit) {
	h.seen(func(g Group, _ []Node) {
		for _, holder := range h.Live.Holders {
			if holder.Group == g.Name && holder.Here && holder.Twice != "" {
				hits = append(hits, at(g.at("vips"), holder.VIP.String(), holder.Twice))
			}
		}
	})
	return hits
}

func nodeUnreachable(h *Host) (hits []hit) {
	h.seen(func(g Group, nodes []Node) {
		for _, n := range nodes {
			if !n.Class.Answers() && n.Class != node.Unknown {
				hits = append(hits, at(g.at("nodes"), n.Addr.String(), problem(n)))
			}
		}
	})
	return hits
}

func problem(n Node) string {
	if n.Problem == "" {
		return n.Class.String()
	}
	return n.Class.String() + ": " + n.Problem
}

func nodeRefuses(h *Host) (hits []hit) {
	h.seen(func(g Group, nodes []Node) {
		for _, n := range nodes {
			switch n.Class {
			case node.NoAuth, node.NoPerm, node.Protected, node.Untrusted:
				hits = append(hits, at(g.at("nodes"), n.Addr.String(), problem(n)))
			}
		}
	})
	return hits
}

// links visits each replica that follows a node of its group, with that node.
func (h *Host) links(visit func(g Group, replica, master Node)) {
	h.seen(func(g Group, nodes []Node) {
		for _, replica := range nodes {
			for _, master := range nodes {
				if replica.Follows(master.Addr) && replica.Class == node.Alive && master.Class == node.Alive && master.Role == node.Master {
					visit(g, replica, master)
				}
			}
		}
	})
}

func linkDown(h *Host) (hits []hit) {
	h.links(func(g Group, replica, master Node) {
		if !replica.Upstream.Up && !replica.Upstream.Syncing {
			hits = append(hits, at(g.at("nodes"), replica.Addr.String(), master.Addr.String()))
		}
	})
	return hits
}

func notListed(h *Host) (hits []hit) {
	h.links(func(g Group, replica, master Node) {
		listed := slices.ContainsFunc(master.Downstream, func(d node.Downstream) bool { return d.Addr == replica.Addr })
		if replica.Upstream.Up && !listed {
			hits = append(hits, at(g.at("nodes"), replica.Addr.String(), master.Addr.String()))
		}
	})
	return hits
}

func noConfigFile(h *Host) (hits []hit) {
	h.seen(func(g Group, nodes []Node) {
		for _, n := range nodes {
			if n.Class == node.Alive && n.ConfigFile == "" {
				hits = append(hits, at(g.at("nodes"), n.Addr.String()))
			}
		}
	})
	return hits
}

func otherConfigFile(h *Host) (hits []hit) {
	h.seen(func(_ Group, nodes []Node) {
		for _, n := range nodes {
			if h.Redis != nil && n.Here && n.Class == node.Alive && n.ConfigFile != "" && n.ConfigFile != h.Redis.File {
				hits = append(hits, at(h.Redis.Position, n.ConfigFile))
			}
		}
	})
	return hits
}

func interfaceMissing(h *Host) (hits []hit) {
	if h.Live == nil || len(h.Live.Interfaces) == 0 {
		return nil
	}
	for _, v := range instances(h.Keepalived) {
		s := v.Last("interface")
		if name := s.Value(1); name != "" && !slices.Contains(h.Live.Interfaces, name) && !strings.Contains(name, "$") {
			hits = append(hits, at(s.Position, name, joinTexts(h.Live.Interfaces)))
		}
	}
	return hits
}
