package checks

import (
	"net/netip"
	"slices"
	"time"

	"redis-vip/checks/node"
)

// Facts is all that a verdict rests on: what this node shows, and, where that does
// not settle the matter, what the other nodes and the network show.
type Facts struct {
	Node                       // this one
	VIP       Presence         `json:"vip"`
	Group     []netip.AddrPort `json:"-"`                // the addresses of the other nodes, by the configuration
	Asked     bool             `json:"asked"`            // whether Peers and Gateway were looked at
	Peers     []Node           `json:"peers,omitempty"`  // the other nodes
	Holder    string           `json:"holder,omitempty"` // run_id of the Redis that answers at the VIP, if that is elsewhere
	Gateway   Reach            `json:"gateway"`
	Contested bool             `json:"contested,omitempty"` // keepalived hears another node announce the VIP
	Lease     Lease            `json:"lease,omitzero"`
	Election  Election         `json:"election,omitempty"`
	Named     netip.AddrPort   `json:"named,omitzero"` // whom the majority of the Sentinels names
	Memory    Memory           `json:"memory,omitzero"`
	Now       time.Time        `json:"-"`
}

// Node is one Redis of the group.
type Node struct {
	Addr  netip.AddrPort `json:"addr"`
	Order int            `json:"order"` // its place in the configuration, the last thing to decide between two
	node.Facts
}

// Presence says whether the VIP is on this host.
type Presence uint8

// Whether the VIP is here.
const (
	Unasked Presence = iota
	Absent
	Here
)

var presences = [...]string{Unasked: "unknown", Absent: "absent", Here: "here"}

func (p Presence) String() string { return presences[p] }

// MarshalText gives the presence's name.
func (p Presence) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// Reach says whether something on the network answers.
type Reach uint8

// Whether the gateway answers. Without one there is nothing to tell "the other
// node is dead" from "I am cut off".
const (
	NoGateway Reach = iota // none configured, or not asked
	GatewayAnswers
	GatewaySilent
)

var reaches = [...]string{NoGateway: "none", GatewayAnswers: "answers", GatewaySilent: "silent"}

func (r Reach) String() string { return reaches[r] }

// MarshalText gives the reach's name.
func (r Reach) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// Memory is what this node remembers of itself over restarts. The zero Memory is
// that of a node that remembers nothing.
type Memory struct {
	Role        node.Role `json:"role"`             // the last one it had
	ReplID      string    `json:"replid,omitempty"` // of the data it had then
	Offset      int64     `json:"offset,omitempty"` // bytes
	Keys        int64     `json:"keys,omitempty"`
	Online      bool      `json:"online,omitempty"`      // as a master: a replica was online, and may have been promoted since
	Master      string    `json:"master,omitempty"`      // run_id of the one that a hook last made it follow: what that lacks is saved
	Called      bool      `json:"called,omitempty"`      // as a replica: the VIP came, so it may have become a master since
	Missing     Sighting  `json:"missing,omitzero"`      // of a master whose writes this node misses, as far as it knows: since when
	Missed      time.Time `json:"missed,omitzero"`       // since when the VIP has been here without the role
	Better      Sighting  `json:"better,omitzero"`       // of another node with more, where there is no master
	Provisional bool      `json:"provisional,omitempty"` // a master for the time of a preservation only
	At          time.Time `json:"at,omitzero"`           // when this was written down
}

// Silence is how long a master may be silent towards a replica whose link is up.
// It sends at least a PING every repl-ping-replica-period, 10 s by default; a hung
// one keeps the link up (facts of INFO alone do not show it).
const Silence = 12 * time.Second

// Unacknowledged is how long a replica may owe its master an acknowledgement. It
// sends one every second (replication.c, replicationCron).
const Unacknowledged = 2 * time.Second

// Linked says whether n is a replica that hears its master.
func (n Node) Linked() bool {
	return n.Role == node.Replica && n.Upstream.Up && !n.Upstream.Syncing && n.Upstream.LastIO >= 0 && n.Upstream.LastIO <= Silence
}

// Restarted says whether n is a replica that has heard no master since its process
// began: what a Redis is that never boots as a master.
func (n Node) Restarted() bool {
	return n.Role == node.Replica && !n.Upstream.Up && !n.Upstream.Syncing && n.Upstream.DownSince < 0
}

// IsMaster says whether n answers and is a master, and not only one for as long as its
// data is saved: that one is about to follow.
func (n Node) IsMaster() bool {
	return n.Class.Answers() && n.Class != node.Loading && n.Role == node.Master && !n.Saved()
}

// Reached says whether n's host is there, whatever its Redis does: a refusal comes
// from somewhere.
func (n Node) Reached() bool {
	return n.Class.Answers() || n.Class == node.Refused || n.Class == node.Closed
}

// Online says whether n is a master with a replica that acknowledges.
func (n Node) Online() bool {
	return n.Role == node.Master && slices.ContainsFunc(n.Downstream, func(d node.Downstream) bool {
		return d.State == "online" && d.Lag <= Unacknowledged
	})
}

// acknowledged says whether this node is a master whose replica is a node of the
// group and has acknowledged within lag. Servers that are no nodes do not count.
func (f Facts) acknowledged(lag time.Duration) bool {
	return f.Role == node.Master && slices.ContainsFunc(f.Downstream, func(d node.Downstream) bool {
		return d.State == "online" && d.Lag <= lag && slices.Contains(f.Group, d.Addr)
	})
}

// Conclusive says whether this node's own facts settle the verdict, so that a
// healthy check of a pair is one conversation with one Redis: a master with the VIP
// whose replica acknowledges, or a replica without the VIP that hears its master. Where
// votes are counted, a second without either is a question. Where Sentinels vote, theirs
// is the answer.
func (f Facts) Conclusive() bool {
	switch {
	case !f.Class.Answers(), f.Class == node.Loading, f.Role == node.NoRole, f.Election != NoElection:
		return true
	case f.Role == node.Master:
		lag := Unacknowledged
		if f.Lease.Witnesses > 0 {
			lag = voteLag
		}
		return f.VIP == Here && !f.Contested && f.acknowledged(lag)
	default:
		// Among three, what it hears may be a replica as well; and a replica that has
		// replicas of its own is half of a ring, or of a chain.
		return f.Linked() && (f.Lease.Witnesses == 0 || f.hears()) && f.VIP == Absent && len(f.Downstream) == 0 && len(f.Group) == 1 && f.Follows(f.Group[0])
	}
}

// Unprepared says whether this node waits for m, or copies it, and no program of ours has seen
// to what it has that m lacks: neither was it told to follow that process, nor has it heard
// that history. (A master without a backlog takes another ID for its first replica,
// replication.c, syncCommand.)
func (f Facts) Unprepared(m Node) bool {
	return f.Follows(m.Addr) && !f.Linked() && f.Keys > 0 &&
		(f.Memory.Role != node.Replica || f.Memory.ReplID != m.ReplID && f.Memory.Master != m.RunID)
}

// Abandoned says whether this replica has long waited for a master that is none any
// more, and nobody has made it the master instead. If that one comes back with older
// data, Redis copies it at once, before any program can look.
func (f Facts) Abandoned() bool {
	waited := max(f.Upstream.LastIO, f.Upstream.DownSince)
	if f.Restarted() { // or never linked since it was made a replica, of which only its memory tells
		waited = min(f.Uptime, f.Now.Sub(f.Memory.At))
	}
	if f.Role != node.Replica || f.Upstream.Syncing || waited <= Silence {
		return false
	}
	return slices.ContainsFunc(f.Peers, func(n Node) bool {
		return f.Follows(n.Addr) && (!n.Class.Answers() || n.Class == node.Loading || n.Role == node.Replica)
	})
}

// Strange says whether n replicates from a server that is no node of the group.
func (f Facts) Strange() bool {
	return f.Role == node.Replica && len(f.Group) > 0 && !f.Restarted() && !f.Follows(node.Nobody) &&
		!slices.ContainsFunc(f.Group, func(addr netip.AddrPort) bool { return f.Follows(addr) })
}
