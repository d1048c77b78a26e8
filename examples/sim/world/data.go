package world

import "time"

// entry is one thing in a replication stream: a write, or a PING. With all that lead
// to it, it is also a data set: to copy one is to point at the same entry.
type entry struct {
	parent *entry
	jump   *entry // further back, so that an ancestor is found in few steps
	depth  int
	end    int64 // bytes of all that lead here; what nobody counted is none
	keys   int64
	writes int           // of all that lead here
	write  int           // its number, or 0 for a PING
	at     time.Duration // when
	acked  bool          // a client was told that it is done
	lost   bool          // it was on nothing that lived on, when its last holder died
}

// nothing is the empty data set that every history begins with.
func nothing() *entry { return &entry{} }

// next is an entry after e. Whether there is a key more is for the caller to say.
func (e *entry) next(bytes int64, write int) *entry {
	n := &entry{parent: e, depth: e.depth + 1, end: e.end + bytes, keys: e.keys, writes: e.writes, write: write}
	if write > 0 {
		n.writes++
	}
	// Skew-binary jumps: Myers, "An applicative random-access stack" (1983).
	if j := e.jump; j != nil && j.jump != nil && e.depth-j.depth == j.depth-j.jump.depth {
		n.jump = j.jump
	} else {
		n.jump = e
	}
	return n
}

// has says whether the data set e contains the entry w.
func (e *entry) has(w *entry) bool {
	if e == nil || w == nil {
		return w == nil
	}
	return e.ancestor(w.depth) == w
}

func (e *entry) ancestor(depth int) *entry {
	for e != nil && e.depth > depth {
		if e.jump != nil && e.jump.depth >= depth {
			e = e.jump
		} else {
			e = e.parent
		}
	}
	return e
}

// upTo is the latest entry of e's history that ends at or before a position.
func (e *entry) upTo(end int64) *entry {
	for e != nil && e.end > end {
		if e.jump != nil && e.jump.end > end {
			e = e.jump
		} else {
			e = e.parent
		}
	}
	return e
}

// fork is the last entry that two histories have in common.
func fork(a, b *entry) *entry {
	if a == nil || b == nil {
		return nil
	}
	if a.depth > b.depth {
		a = a.ancestor(b.depth)
	} else {
		b = b.ancestor(a.depth)
	}
	for a != b {
		if a.jump != b.jump {
			a, b = a.jump, b.jump
		} else {
			a, b = a.parent, b.parent
		}
	}
	return a
}
