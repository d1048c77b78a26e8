// Package checks decides. [Judge] turns the facts of a node into a verdict; it
// does no I/O, so that redis-check, the hooks, explain, the tests and a simulator
// all use the very same decision. The facts come from the packages below this one,
// which only ever read the world. Nothing here changes it: that is package hooks.
package checks

import (
	"fmt"

	"redis-vip/checks/node"
)

// Facts is all that a verdict rests on.
type Facts struct {
	Self node.Facts `json:"self"`
	VIP  Presence   `json:"vip"`
}

// Presence says whether the VIP is on this host.
type Presence uint8

// Whether the VIP is here. Unasked is what a healthy redis-check leaves it at.
const (
	Unasked Presence = iota
	Absent
	Here
)

var presences = [...]string{Unasked: "unasked", Absent: "absent", Here: "here"}

func (p Presence) String() string { return presences[p] }

// MarshalText gives the presence's name.
func (p Presence) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// Policy is what the operator wants of the node.
type Policy struct {
	Expect Expectation `json:"expect"`
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
	v.Drift = v.Goal == BeMaster && f.Self.Role == node.Replica ||
		v.Goal == BeReplica && f.Self.Role == node.Master
	return v
}
