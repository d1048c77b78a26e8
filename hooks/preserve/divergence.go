package preserve

import (
	"strings"

	"redis-vip/checks/node"
)

// Divergence is what a node has that the master it is to follow lacks: the bytes
// From to To of its replication stream. Where there is no common history, From is
// 0, and all of its data is at risk.
type Divergence struct {
	Reason Reason `json:"reason"`
	Common string `json:"common,omitempty"` // the replication ID that both know
	From   int64  `json:"from"`             // the first byte at risk, counted as repl offsets are, from 1
	To     int64  `json:"to"`               // the last one: master_repl_offset
}

// Reason names how two nodes stand to each other.
type Reason uint8

// The reasons. Nothing is at risk up to NoData.
const (
	InLine    Reason = iota // the master writes the history this node reads, and is not behind it
	Inherited               // the master continued this node's history, and had all of it
	Returned                // this node was promoted out of a history the master has, and has written nothing since
	NoData                  // no common history, and not a single key here
	Deposed                 // the master continued this node's history before its end
	Usurper                 // this node continued the master's history, and wrote
	Siblings                // both continued the same history, and this node wrote
	Ahead                   // one history, of which the master has less: it lost its end, in a restart
	Unrelated               // no common history: another data set, or a restart that forgot it (AOF)
	Unknown                 // one of the two did not say which history it has
)

var reasonNames = [...]string{
	InLine: "in_line", Inherited: "inherited", Returned: "returned", NoData: "no_data",
	Deposed: "deposed", Usurper: "usurper", Siblings: "siblings", Ahead: "ahead",
	Unrelated: "unrelated", Unknown: "unknown",
}

func (r Reason) String() string { return reasonNames[r] }

// MarshalText gives the reason's name.
func (r Reason) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads a reason's name; one that is not known is Unknown.
func (r *Reason) UnmarshalText(text []byte) error {
	for i, name := range reasonNames {
		if *r = Reason(i); name == string(text) {
			return nil
		}
	}
	return nil
}

// Safe says whether the node may follow the master without losing anything.
func (d Divergence) Safe() bool { return d.Reason <= NoData }

// Bytes is how much of the stream is at risk; 0 where that is not a part of it
// but all the data.
func (d Divergence) Bytes() int64 {
	if d.Safe() || d.From == 0 {
		return 0
	}
	return d.To - d.From + 1
}

// Diverge compares a node with the master that it is to follow.
//
// A node knows two replication IDs: that of the history it writes or reads, up to
// its offset, and that of the history it continued when it was promoted, up to
// second_repl_offset - 1 (replication.c, shiftReplicationId). Two nodes have in
// common what both know under the same ID. A replica of nobody keeps its IDs; one
// made a master again has them in second place; so the answer is the same before
// and after.
//
// It is about data. Redis itself resumes in fewer cases than are safe here: it asks
// with the first ID only.
func Diverge(a, master node.Facts) Divergence {
	d := Divergence{Reason: Unknown, To: a.Offset}
	if a.ReplID == "" || master.ReplID == "" {
		return d
	}
	common, reason := int64(-1), Unrelated
	// A master that restarted and has had no replica since has no backlog, and its
	// offset stands still whatever it takes (replication.c, replicationFeedSlaves).
	// One that was made a replica of nobody since still has the second ID of a master.
	uncounted := !a.Backlog && (a.Role == node.Master || a.SecondOff > 0)
	for _, mine := range histories(a) {
		for _, theirs := range histories(master) {
			if end := min(mine.end, theirs.end); mine.id == theirs.id && end > common {
				common, d.Common = end, mine.id
				reason = relation(mine.first, theirs.first, end < a.Offset)
			}
		}
	}
	switch {
	case common >= 0 && !uncounted:
		d.From = common + 1
	case a.Keys == 0:
		reason = NoData
	}
	if uncounted && a.Keys > 0 {
		reason, d.Common = Unrelated, ""
	}
	d.Reason = reason
	return d
}

func relation(mine, theirs, more bool) Reason {
	switch {
	case mine && theirs && more:
		return Ahead
	case mine && theirs:
		return InLine
	case mine && more:
		return Deposed
	case mine:
		return Inherited
	case !more:
		return Returned
	case theirs:
		return Usurper
	default:
		return Siblings
	}
}

// history is a replication ID and the last offset up to which the node has it.
type history struct {
	id    string
	end   int64
	first bool // master_replid, not master_replid2
}

func histories(f node.Facts) []history {
	list := []history{{f.ReplID, f.Offset, true}}
	if f.SecondOff > 0 && strings.Trim(f.ReplID2, "0") != "" {
		list = append(list, history{f.ReplID2, min(f.SecondOff-1, f.Offset), false})
	}
	return list
}
