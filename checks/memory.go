package checks

import (
	"time"

	"redis-vip/checks/node"
)

// How stale a memory may get in what does not decide anything by a little, and how
// stale in what a verdict counts from.
const (
	rememberEvery = 10 * time.Second
	newerEvery    = 5 * time.Second
)

// Remember is what the node should remember after it has seen f, and whether that
// is worth writing down.
//
// A node that has restarted and been linked to nobody is in limbo: what it was
// before counts until it is something again.
func Remember(f Facts, p Policy) (Memory, bool) {
	old, m := f.Memory, f.Memory
	switch {
	case f.IsMaster():
		m.Role, m.ReplID, m.Offset, m.Keys = node.Master, f.ReplID, f.Offset, f.Keys
		// Without the VIP it may be succeeded at any moment.
		m.Online = f.Online() || f.VIP == Absent
	case f.Linked():
		m.Role, m.ReplID, m.Offset, m.Keys, m.Online = node.Replica, f.ReplID, f.Offset, f.Keys, false
	}
	if _, found := f.Leader(p); found && f.Role == node.Replica && !f.Linked() && f.Now.Sub(old.Newer) >= newerEvery {
		m.Newer = f.Now
	}
	switch missing := f.VIP == Here && f.Role == node.Replica; {
	case !missing:
		m.Missed = time.Time{}
	case m.Missed.IsZero():
		m.Missed = f.Now
	}
	moved := m.Offset != old.Offset || m.Keys != old.Keys
	changed := m.Role != old.Role || m.ReplID != old.ReplID || m.Online != old.Online ||
		(m.Keys == 0) != (old.Keys == 0) || !m.Newer.Equal(old.Newer) || !m.Missed.Equal(old.Missed) ||
		moved && f.Now.Sub(old.At) >= rememberEvery
	if changed {
		m.At = f.Now
	}
	return m, changed
}
