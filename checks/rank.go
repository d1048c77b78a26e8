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
	outOf := func(n, parent Node) bool { // n's history went on from parent's
		return n.ReplID2 != "" && n.ReplID2 == parent.ReplID && n.SecondOff > 0
	}
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
// have been succeeded by it. A replica has less, or the same, as long as the other
// node exists.
func (f Facts) patience(bootWait time.Duration) time.Duration {
	switch m := f.Memory; {
	case m.Role != node.Master, f.Keys == 0 && m.Keys > 0:
		return bootWait
	case m.Online:
		return bootWait / 3
	default:
		return 0
	}
}
