package hooks

import (
	"context"
	"errors"
	"time"

	"redis-vip/checks"
	"redis-vip/checks/clock"
	"redis-vip/checks/node"
)

// Guard stops the writers of a master whose votes run out, before the other node can
// get them. redis-check starts it where it cannot renew the lease: the end of what is
// left of that, and of the other node's acknowledgements, does not wait for the next
// check, which may not come.
type Guard struct {
	Survey func(context.Context) checks.Facts // it renews the lease, as a check does
	Local  Server
	Left   func() time.Duration // of the lease
	Fenced Mark                 // that a guard has paused the writers
	Group  Locker               // that of the hooks: whoever has it has taken over
	Alone  Locker               // there is one guard at a time
	Clock  clock.Clock
	Every  time.Duration // from one look to the next
	Say    func(event string)
}

// ahead is how long before the lease ends its writers are stopped: a look takes that
// long at most, and then the command does.
const ahead = 400 * time.Millisecond

// Run ends when the lease is back, or when the node is no master any more.
func (g Guard) Run(ctx context.Context) error {
	alone, err := g.Alone.Acquire(ctx, func() checks.Goal { return checks.NoGoal })
	switch {
	case errors.Is(err, ErrInHand):
		return nil
	case err != nil:
		return err
	}
	defer alone.Release()
	for ; ctx.Err() == nil; g.Clock.Sleep(ctx, g.Every) {
		f := g.Survey(ctx)
		switch {
		case f.Class.Answers() && f.Role == node.Replica:
			if g.unfence(ctx) { // whoever made it one may not know that it was paused
				return nil
			}
		case f.Entitled() && f.VIP != checks.Absent: // else its writers wait for what a hook makes of it
			if g.unfence(ctx) && f.Lease.Mine {
				return nil
			}
		case g.Left() <= ahead && !g.Fenced.IsSet():
			err = g.fence(ctx)
		}
	}
	return err
}

// fence and unfence leave the node to a hook that is at work: it pauses and unpauses by
// itself, and a pause that came after its REPLICAOF would stop the replication.
func (g Guard) fence(ctx context.Context) error {
	claim, err := g.claim(ctx)
	if err != nil {
		return nil
	}
	defer claim.Release()
	if f := g.Local.Look(ctx); f.Role != node.Master {
		return nil
	}
	g.Say("Writers wait: this node has one vote of three, and the lease is about to end.")
	return errors.Join(g.Fenced.Set(true), g.Local.Pause(ctx, longFence))
}

func (g Guard) unfence(ctx context.Context) bool {
	if !g.Fenced.IsSet() {
		return true
	}
	claim, err := g.claim(ctx)
	if err != nil {
		return false
	}
	defer claim.Release()
	f := g.Local.Look(ctx)
	if f.Role == node.NoRole || g.Local.Unpause(ctx) != nil || g.Fenced.Set(false) != nil {
		return false
	}
	if f.Role == node.Master {
		g.Say("Writers go on: this node has two votes of three.")
	}
	return true
}

func (g Guard) claim(ctx context.Context) (Claim, error) {
	ctx, cancel := g.Clock.WithTimeout(ctx, g.Every)
	defer cancel()
	return g.Group.Acquire(ctx, func() checks.Goal { return checks.NoGoal })
}
