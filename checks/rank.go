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
	ByUptime         // the other has only just come up
	ByVIP            // it has the VIP
	ByKeys           // it has more keys
	ByOrder          // it stands first in the configuration
)

var grounds = [...]string{
	Equal: "equal", ByLife: "life", ByData: "data", ByRole: "role", ByLineage: "lineage", ByOffset: "offset",
	ByLink: "link", ByUptime: "uptime", ByVIP: "vip", ByKeys: "keys", ByOrder: "order",
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
	young := func(n Node) bool { return n.Uptime < bootWait }
	has := func(n Node) bool { return vip != nil && vip.Addr == n.Addr }
	// An empty master that has long had the VIP was emptied by its clients; any other
	// empty node has lost its data, or never had any.
	empty := func(n Node) bool { return n.Keys == 0 && (n.Restarted() || young(n) || n.IsMaster() && !has(n)) }
	filled := func(n Node) bool { return n.Keys > 0 }
	// n's history went on from parent's: it was promoted, and written to. A server
	// that has loaded an RDB as a master looks the same, with data from long ago
	// (rdb.c, rdbLoadRioWithLoadingCtx).
	outOf := func(n, parent Node) bool {
		return n.SecondOff > 0 && n.ReplID2 == parent.ReplID && n.Offset >= n.SecondOff && (young(parent) || !young(n))
	}
	// n was promoted out of parent's history for nothing: only parent was written to.
	idle := func(n, parent Node) bool {
		return n.SecondOff > 0 && n.ReplID2 == parent.ReplID && n.Offset < n.SecondOff && parent.Offset >= n.SecondOff
	}
	siblings := a.SecondOff > 0 && b.SecondOff > 0 && a.ReplID2 == b.ReplID2
	heard := func(n, m Node) bool { // n replicated from m until m restarted
		return n.Follows(m.Addr) && !n.Restarted() && m.Restarted()
	}

	if d := prefer(side{serves(a), serves(b)}); d != 0 {
		return d, ByLife
	}
	if d := prefer(side{empty(b) && filled(a), empty(a) && filled(b)}); d != 0 {
		return d, ByData
	}
	if d := prefer(side{a.IsMaster(), b.IsMaster()}); d != 0 {
		return d, ByRole
	}
	if d := prefer(side{outOf(a, b), outOf(b, a)}); d != 0 {
		return d, ByLineage
	}
	if d := prefer(side{idle(b, a), idle(a, b)}); d != 0 {
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
	if d := prefer(side{!young(a), !young(b)}); d != 0 && a.IsMaster() {
		return d, ByUptime
	}
	if d := prefer(side{has(a), has(b)}); d != 0 {
		return d, ByVIP
	}
	if d := cmp.Compare(b.Keys, a.Keys); d != 0 {
		return d, ByKeys
	}
	return cmp.Compare(a.Order, b.Order), ByOrder
}

// patience is how long after its start a node waits for another one that may have
// newer data, when all it can go by is its memory. A node that was the last master
// and had no replica left knows that nobody has. One whose replica was online may
// have been succeeded by it: it waits a while for that one to come, and longer if it
// is there and has more. A replica has less, or the same, as long as the other node
// exists.
func (f Facts) patience(p Policy) time.Duration {
	switch m := f.Memory; {
	case m.Role != node.Master, f.Keys == 0 && m.Keys > 0:
		return p.BootWait
	case !m.Online:
		return 0
	}
	for _, peer := range f.Peers {
		if peer.Class.Answers() && !f.Outranks(peer, p) {
			return p.BootWait
		}
	}
	return p.BootWait / 3
}
