package checks

import (
	"cmp"
	"time"

	"redis-vip/checks/node"
)

// Ground is why one node ranks above another, from the strongest on.
type Ground uint8

// The grounds. Up to ByLink they are about data: writes would be lost if the other
// node won.
const (
	Equal     Ground = iota
	ByLife           // the other does not answer, or cannot serve yet
	ByData           // the other is empty, and nobody emptied it
	ByRole           // it is a master, the other is none
	ByLineage        // it was promoted out of the other's history, and went on from there
	ByOffset         // the same history, and it has more of it
	ByLink           // it heard the other until the other restarted
	ByVIP            // it has the VIP
	ByUptime         // the other has only just come up
	ByKeys           // it has more keys
	ByOrder          // it stands first in the configuration
)

var grounds = [...]string{
	Equal: "equal", ByLife: "life", ByData: "data", ByRole: "role", ByLineage: "lineage", ByOffset: "offset",
	ByLink: "link", ByVIP: "vip", ByUptime: "uptime", ByKeys: "keys", ByOrder: "order",
}

func (g Ground) String() string { return grounds[g] }

// Strong says whether the ground is about data.
func (g Ground) Strong() bool { return g != Equal && g <= ByLink }

// Rank says which of two nodes of a group should be the master: negative if a,
// positive if b. Both nodes compute it from what both can see, so they agree:
// Rank(a, b) is -Rank(b, a). vip is the node that is known to have the VIP, or nil.
func Rank(a, b Node, vip *Node, bootWait time.Duration) (int, Ground) {
	type side struct{ a, b bool }
	prefer := func(s side) int {
		switch {
		case s.a && !s.b:
			return -1
		case s.b && !s.a:
			return 1
		}
		return 0
	}
	serves := func(n Node) bool { return n.Class.Answers() && n.Class != node.Loading && !n.Upstream.Syncing }
	young := func(n Node) bool { return n.Role != node.NoRole && n.Uptime < bootWait }
	has := func(n Node) bool { return vip != nil && vip.Addr == n.Addr }
	// An empty master that has long had the VIP was emptied by its clients; any other
	// empty node has lost its data, or never had any.
	empty := func(n Node) bool {
		return n.Role != node.NoRole && n.Keys == 0 && (n.Restarted() || young(n) || n.IsMaster() && !has(n))
	}
	filled := func(n Node) bool { return n.Keys > 0 }
	// n's history forked from parent's. A server that has loaded an RDB as a master
	// looks the same, with data from long ago (rdb.c, rdbLoadRioWithLoadingCtx).
	forked := func(n, parent Node) bool {
		return n.SecondOff > 0 && n.ReplID2 == parent.ReplID && (young(parent) || !young(n))
	}
	// Which of the two was written to since: n goes on from its second offset, and
	// parent from there as well. A master without a backlog does not count.
	wrote := func(n Node, since int64) bool { return n.Offset >= since || n.Role == node.Master && !n.Backlog }
	// One that restarted from an older file has not even all that n had before.
	short := func(parent, n Node) bool { return !wrote(parent, n.SecondOff-1) }
	child := func(n, parent Node) bool {
		return forked(n, parent) && (wrote(n, n.SecondOff) || short(parent, n))
	}
	idle := func(n, parent Node) bool {
		return forked(n, parent) && !wrote(n, n.SecondOff) && wrote(parent, n.SecondOff)
	}
	torn := func(n, parent Node) bool { return child(n, parent) && wrote(parent, n.SecondOff) }
	heard := func(n, m Node) bool { // n replicated from m until m restarted, or has let go of it since
		return (n.Follows(m.Addr) || n.Follows(node.Nobody)) && !n.Restarted() && m.Restarted()
	}
	siblings := a.SecondOff > 0 && b.SecondOff > 0 && a.ReplID2 == b.ReplID2

	if d := prefer(side{serves(a), serves(b)}); d != 0 {
		return d, ByLife
	}
	if d := prefer(side{empty(b) && filled(a), empty(a) && filled(b)}); d != 0 {
		return d, ByData
	}
	if d := prefer(side{a.IsMaster(), b.IsMaster()}); d != 0 {
		return d, ByRole
	}
	if d := prefer(side{idle(b, a), idle(a, b)}); d != 0 {
		return d, ByLineage
	}
	// Both were written to: whichever wins, the other's writes go to a file. The VIP
	// stays where it is, so that one stray write does not move it.
	if d := prefer(side{has(a), has(b)}); d != 0 && (torn(a, b) || torn(b, a)) && a.IsMaster() && b.IsMaster() {
		return d, ByVIP
	}
	if d := prefer(side{child(a, b), child(b, a)}); d != 0 {
		return d, ByLineage
	}
	if siblings && a.SecondOff != b.SecondOff { // who had more of it when they parted
		return cmp.Compare(b.SecondOff, a.SecondOff), ByLineage
	}
	if a.ReplID != "" && a.ReplID == b.ReplID && a.Offset != b.Offset {
		return cmp.Compare(b.Offset, a.Offset), ByOffset
	}
	if d := prefer(side{heard(a, b), heard(b, a)}); d != 0 {
		return d, ByLink
	}
	if d := prefer(side{has(a), has(b)}); d != 0 {
		return d, ByVIP
	}
	if d := prefer(side{!young(a), !young(b)}); d != 0 && a.IsMaster() {
		return d, ByUptime
	}
	if d := cmp.Compare(b.Keys, a.Keys); d != 0 {
		return d, ByKeys
	}
	return cmp.Compare(a.Order, b.Order), ByOrder
}

// patience is how long after its start a node waits for another one that may have
// newer data, when all it can go by is its memory.
//
// A node that was the last master and had no replica left knows that nobody has. One
// whose replica was online may have been succeeded by it, so it waits for that one to
// come; once both are there and that one has no more keys, it goes first. A replica
// has less, or the same, as long as another node exists: it goes last. So does, behind that
// one, whoever has loaded a file from before the history that it remembers, and sees a node
// with data of that one.
func (f Facts) patience(p Policy) time.Duration {
	there, more, later := false, false, false
	for _, peer := range f.Peers {
		if peer.Class.Answers() {
			there = true
			more = more || !f.Outranks(peer, p)
			later = later || peer.ReplID == f.Memory.ReplID
		}
	}
	switch m := f.Memory; {
	case later && m.ReplID != "" && f.Offset > 0 && f.ReplID != m.ReplID: // an AOF says neither
		return 3 * p.BootWait
	case m.Role == node.Master && !m.Online && (f.Keys > 0 || m.Keys == 0):
		return 0
	case m.Role == node.Master && there && !more:
		return p.BootWait / 3
	case there && m.Role != node.Master:
		return 2 * p.BootWait
	default:
		return p.BootWait
	}
}
