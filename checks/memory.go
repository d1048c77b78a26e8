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

// Within says whether t is at most d before now. What lies ahead of now, because a
// clock was set back, is not.
func Within(d time.Duration, t, now time.Time) bool {
	age := now.Sub(t)
	return age >= 0 && age < d
}

// Remember is what the node should remember after it has seen f, and whether that
// is worth writing down.
//
// A node that has restarted and been linked to nobody is in limbo: what it was
// before counts until it is something again.
func Remember(f Facts, p Policy) (Memory, bool) {
	old, m := f.Memory, f.Memory
	switch {
	case f.IsMaster() && old.Provisional:
		// What it was before counts.
	case f.IsMaster():
		m.Role, m.ReplID, m.Offset, m.Keys = node.Master, f.ReplID, f.Offset, f.Keys
		// Without the VIP it may be succeeded at any moment.
		m.Online = f.Online() || f.VIP == Absent
	case f.Linked():
		m.Role, m.ReplID, m.Offset, m.Keys, m.Online, m.Provisional = node.Replica, f.ReplID, f.Offset, f.Keys, false, false
	}
	if _, found := f.Leader(p); found && f.Role == node.Replica && !f.Linked() && !Within(newerEvery, old.Newer, f.Now) {
		m.Newer = f.Now
	}
	switch missing := f.VIP == Here && f.Role == node.Replica; {
	case !missing:
		m.Missed = time.Time{}
	case m.Missed.IsZero(), m.Missed.After(f.Now):
		m.Missed = f.Now
	}
	moved := m.Offset != old.Offset || m.Keys != old.Keys
	changed := m.Role != old.Role || m.ReplID != old.ReplID || m.Online != old.Online ||
		(m.Keys == 0) != (old.Keys == 0) || !m.Newer.Equal(old.Newer) || !m.Missed.Equal(old.Missed) ||
		moved && !Within(rememberEvery, old.At, f.Now)
	if changed {
		m.At = f.Now
	}
	return m, changed
}
