// Package checks decides. [Judge] turns the facts of a node into a verdict; it
// does no I/O, so that redis-check, the hooks, explain, the tests and a simulator
// all use the very same decision. The facts come from the packages below this one,
// which only ever read the world. Nothing here changes it: that is package hooks.
package checks

import (
	"fmt"
	"time"

	"redis-vip/checks/node"
)

// Policy is what the operator wants of the node.
type Policy struct {
	Expect   Expectation   `json:"expect"`
	BootWait time.Duration `json:"-"` // how long a node that restarted waits for one that may be newer
	Grace    time.Duration `json:"-"` // how long the VIP may be here before Redis is the master
}

// Expectation is the role that a caller asks for.
type Expectation uint8

// What may be expected. A keepalived check expects Any: which role is right
// follows from where the VIP is, not the other way round.
const (
	Any Expectation = iota
	ExpectMaster
	ExpectReplica
)

var expectations = [...]string{Any: "any", ExpectMaster: "master", ExpectReplica: "replica"}

func (e Expectation) String() string { return expectations[e] }

// MarshalText gives the expectation's name.
func (e Expectation) MarshalText() ([]byte, error) { return []byte(e.String()), nil }

// UnmarshalText reads "any", "master" or "replica".
func (e *Expectation) UnmarshalText(text []byte) error {
	for i, name := range expectations {
		if name == string(text) {
			*e = Expectation(i)
			return nil
		}
	}
	return fmt.Errorf("%q: write master, replica or any", text)
}

// Goal is the role that a node should have.
type Goal uint8

// The goals.
const (
	NoGoal Goal = iota // not known, because the VIP's place is not
	BeMaster
	BeReplica
)

var goals = [...]string{NoGoal: "none", BeMaster: "master", BeReplica: "replica"}

func (g Goal) String() string { return goals[g] }

// MarshalText gives the goal's name.
func (g Goal) MarshalText() ([]byte, error) { return []byte(g.String()), nil }

// GoalOf is the first truth of the active/standby design: where the VIP is, the
// master should be.
func GoalOf(vip Presence) Goal {
	switch vip {
	case Here:
		return BeMaster
	case Absent:
		return BeReplica
	default:
		return NoGoal
	}
}

// Verdict is the answer to "is this node fit to hold the VIP?".
type Verdict struct {
	Fit    bool   `json:"fit"`
	Reason Reason `json:"reason"`
	Goal   Goal   `json:"goal"`
	Drift  bool   `json:"drift"` // the role is not the goal, and no event will come to mend it
}

// Judge is total: whatever the facts, it answers, and says why.
func Judge(f Facts, p Policy) Verdict {
	v := Verdict{Reason: Undecided, Goal: GoalOf(f.VIP)}
	for _, rule := range Rules {
		if v.Reason = rule.Ask(f, p); v.Reason != Undecided {
			break
		}
	}
	v.Fit = v.Reason.Fit()
	v.Drift = f.drifts(v, p)
	return v
}

// drifts says whether the role is not the goal although a hook could mend it now.
// No event from keepalived will.
func (f Facts) drifts(v Verdict, p Policy) bool {
	switch {
	case f.Role == node.NoRole || f.Class == node.Loading:
		return false
	case v.Goal == BeMaster:
		return f.Role == node.Replica && v.Reason.MayPromote()
	case v.Goal == BeReplica && f.Role == node.Master:
		return !v.Fit // and a fence has to be renewed for as long as that lasts
	case v.Goal == BeReplica:
		m, found := f.Leader(p)
		return found && (!f.Follows(m.Addr) || f.Unprepared(m)) || f.Abandoned()
	default:
		return false
	}
}

// followsMaster says whether this node is a replica of the master to follow.
func (f Facts) followsMaster(p Policy) bool {
	m, found := f.Leader(p)
	return found && f.Follows(m.Addr)
}

// Leader is the peer to follow: a master that ranks above this node, and before any
// other that does.
func (f Facts) Leader(p Policy) (best Node, found bool) {
	for _, peer := range f.Peers {
		if !peer.IsMaster() || peer.RunID == f.RunID {
			continue // the same server under another address is nobody to follow
		}
		if f.Outranks(peer, p) {
			continue
		}
		if d, _ := Rank(best, peer, nil, p.BootWait); !found || d > 0 {
			best, found = peer, true
		}
	}
	return best, found
}
