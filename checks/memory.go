package checks

import (
	"time"

	"redis-vip/checks/node"
)

// How stale a memory may get in what does not decide anything by a little, and how
// stale in what a verdict counts from.
const (
	rememberEvery = 10 * time.Second
	sightingEvery = 5 * time.Second
)

// Sighting is something that was seen again and again.
type Sighting struct {
	Since time.Time `json:"since,omitzero"`
	Last  time.Time `json:"last,omitzero"` // as written down: up to sightingEvery ago, while it is seen
}

// sightingGap is for how long something may be out of sight that is still there. Where a
// clock is set, or the host has booted, it is seen for the first time again.
const sightingGap = 3 * sightingEvery

// For is how long it has been in sight.
func (s Sighting) For(now time.Time) time.Duration {
	if !Within(sightingGap, s.Last, now) {
		return 0
	}
	return now.Sub(s.Since)
}

// again is s, seen now; seen for the first time, it has been there for so long.
func (s Sighting) again(now time.Time, ago time.Duration) Sighting {
	switch {
	case !Within(sightingGap, s.Last, now):
		return Sighting{now.Add(-ago), now}
	case !Within(sightingEvery, s.Last, now):
		s.Last = now
	}
	return s
}

// Within says whether t is at most d before now. What lies ahead of now, because a
// clock was set back, is not.
func Within(d time.Duration, t, now time.Time) bool {
	age := now.Sub(t)
	return age >= 0 && age < d
}

// misses says whether a live master writes what this node does not get, as far as is known: a
// replica that does not hear it, or one that hangs. That one will call its link young when
// it wakes, and for the others there was no time to ask.
func (f Facts) misses(p Policy) bool {
	if f.Class == node.Timeout {
		return f.Memory.Role != node.Master
	}
	_, found := f.Leader(p)
	return found && f.Role == node.Replica && !f.Linked()
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
	switch {
	case m.Role != node.Replica:
		m.Called, m.Master = false, ""
	case f.VIP == Here:
		m.Called = true
	case f.Linked():
		m.Called = false
	}
	if f.misses(p) {
		m.Missing = old.Missing.again(f.Now, max(f.Upstream.DownSince, f.Upstream.LastIO, 0))
	} else if f.Linked() || f.IsMaster() {
		m.Missing = Sighting{}
	}
	if f.better(p) != Equal {
		m.Better = old.Better.again(f.Now, 0)
	}
	switch missing := f.VIP == Here && f.Role == node.Replica; {
	case !missing:
		m.Missed = time.Time{}
	case m.Missed.IsZero(), m.Missed.After(f.Now):
		m.Missed = f.Now
	}
	moved := m.Offset != old.Offset || m.Keys != old.Keys
	changed := m.Role != old.Role || m.ReplID != old.ReplID || m.Online != old.Online || m.Called != old.Called ||
		(m.Keys == 0) != (old.Keys == 0) || !m.Missing.Last.Equal(old.Missing.Last) || !m.Missed.Equal(old.Missed) ||
		!m.Better.Last.Equal(old.Better.Last) ||
		moved && !Within(rememberEvery, old.At, f.Now)
	if changed {
		m.At = f.Now
	}
	return m, changed
}
