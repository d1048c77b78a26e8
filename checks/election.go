package checks

import (
	"errors"
	"net/netip"

	"redis-vip/checks/node"
)

// Election is what the Sentinels make of a node that calls itself a master.
type Election uint8

// The elections.
const (
	NoElection Election = iota // they were not asked
	Elected                    // more than half of all that are known name this node
	Passed                     // they name another, or too few of them answer
	Untold                     // they live, and refuse to say
)

var elections = [...]string{NoElection: "none", Elected: "elected", Passed: "passed", Untold: "untold"}

func (e Election) String() string { return elections[e] }

// MarshalText gives the election's name.
func (e Election) MarshalText() ([]byte, error) { return []byte(e.String()), nil }

// Elect counts the answers of the Sentinels about the node at self. Named is whom the
// majority names, and invalid where there is none.
func Elect(self netip.AddrPort, answers []Answer) (e Election, named netip.AddrPort) {
	c := Council{Answers: answers}
	named, _, found := c.Majority()
	switch {
	case found && named == self:
		return Elected, named
	case found:
		return Passed, named
	case c.refusals() > len(answers)/2:
		return Untold, named
	default:
		return Passed, named
	}
}

// refusals counts the Sentinels that are there and do not answer the question: a
// wrong password, a user without the rights, the name of another group.
func (c Council) refusals() (n int) {
	for _, a := range c.Answers {
		if errors.Is(a.Err, ErrUnknownMaster) || a.Err != nil && node.Classify(a.Err).Answers() {
			n++
		}
	}
	return n
}

// elected: where Sentinels decide, a master is one that calls itself so and that they
// name. One that comes back after a failover still calls itself a master, until they
// tell it otherwise.
//
// A refusal is the same mistake on every host that asks: to be unfit for it would take
// the service away, and no failover could bring it back. Then the role alone decides.
func elected(f Facts, _ Policy) Reason {
	switch {
	case f.Role != node.Master:
		return Undecided
	case f.Election == Elected:
		return Serving
	case f.Election == Passed:
		return NotElected
	case f.Election == Untold:
		return Uncounted
	default:
		return Undecided
	}
}
