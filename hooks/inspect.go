package hooks

import (
	"context"
	"fmt"
	"time"

	"redis-vip/checks"
	"redis-vip/checks/node"
)

// Inspection is what redis-check does, once a second or so: it looks, judges,
// remembers, and starts the hook that an event should have started.
type Inspection struct {
	Survey   func(context.Context) checks.Facts
	Policy   checks.Policy
	Remember func(m checks.Memory, base time.Time) error // base: when the memory was written that m was made out of
	Heal     func() error                                // starts the hook that was missed, and does not wait for it
	Fenced   Mark                                        // that writers were told to wait; nil: another host would know
	Guard    func() error                                // starts a [Guard], and does not wait for it
}

// Run judges this node. Problems do not change the verdict: an operator has to mend
// them all the same.
func (i Inspection) Run(ctx context.Context) (facts checks.Facts, verdict checks.Verdict, problems []error) {
	facts = i.Survey(ctx)
	verdict = checks.Judge(facts, i.Policy)
	if memory, changed := checks.Remember(facts, i.Policy); changed {
		if err := i.Remember(memory, facts.Memory.At); err != nil {
			problems = append(problems, fmt.Errorf("cannot remember what this node is, which counts after a power loss: %w", err))
		}
	}
	fenced := i.Fenced != nil && i.Fenced.IsSet()
	if verdict.Drift || fenced && settled(facts, verdict) {
		if err := i.Heal(); err != nil {
			problems = append(problems, fmt.Errorf("cannot start the missed hook: %w", err))
		}
	}
	if facts.Role == node.Master && facts.Lease.Asked && (!facts.Lease.Mine || fenced) {
		if err := i.Guard(); err != nil {
			problems = append(problems, fmt.Errorf("cannot start the guard of the lease: %w", err))
		}
	}
	return facts, verdict, problems
}

// settled says whether this node is what it should be. Where its writers wait all the
// same, the hook that should have ended that was killed.
func settled(f checks.Facts, v checks.Verdict) bool {
	return f.Role == node.Replica || f.Role == node.Master && v.Goal == checks.BeMaster && v.Fit
}
