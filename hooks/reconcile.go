package hooks

import (
	"context"
	"errors"
	"fmt"
	"time"

	"redis-vip/checks"
	"redis-vip/checks/clock"
	"redis-vip/checks/node"
)

// Reconcile brings a host under Sentinel to what the Sentinels say now: a Redis that was
// deposed follows the new master at once, and the VIPs, if there are any, are where the
// master is. It is what sentinel-reconfig does, and what a timer does every few seconds;
// the arguments that Sentinel gives its script are a hint that may be stale, and decide
// nothing.
type Reconcile struct {
	Settle          // how Redis is changed; its Survey is of the nodes of the group
	Group    string // the name of the master in sentinel.conf
	Convene  func(context.Context) []checks.Answer
	Failover func(context.Context) error // asks a Sentinel to choose another master
	VIPs     []Address                   // none where clients come through HAProxy, or ask the Sentinels
	Reached  Since                       // when a majority of the Sentinels was last reached
	FenceIn  time.Duration               // how long without a majority is borne
	Patience time.Duration               // how long Sentinels may disagree before this run gives up
}

// Address is a VIP on this host. [redis-vip/hooks/vip.VIP] is the real one.
type Address interface {
	fmt.Stringer
	// Take puts it here and announces it; changed is false if it was here.
	Take(context.Context) (changed bool, err error)
	// Remove takes it away from here; changed is false if it was not here.
	Remove() (changed bool, err error)
	Held() (bool, error)
}

// Since remembers a moment over runs.
type Since interface {
	Now() error             // it is now
	Ago() (d time.Duration) // how long it was ago; the first call, after a boot, makes it now
}

// Mark remembers a fact over runs.
type Mark interface {
	Set(bool) error
	IsSet() bool
}

// Run reconciles. The context is its deadline. Where it cannot know who the master
// is, it touches nothing, until that has lasted too long.
func (c Reconcile) Run(ctx context.Context) *Record {
	start := c.Clock.Now()
	r := &Record{Event: c.Event}
	r.Outcome, r.Err = c.once(ctx, r)
	r.Verdict = checks.Judge(r.Facts, c.Policy)
	r.Took = clock.Since(c.Clock, start)
	return r
}

func (c Reconcile) once(ctx context.Context, r *Record) (Outcome, error) {
	// A run does not know its goal before it has asked, so it publishes none: of
	// any number of runs, one works and one waits to ask after everybody else came.
	lock, err := c.Lock.Acquire(ctx, func() checks.Goal { return checks.NoGoal })
	switch {
	case errors.Is(err, ErrInHand):
		return AlreadyRunning, nil
	case err != nil && ctx.Err() != nil:
		return Failed, err
	case err != nil:
		r.warn(fmt.Errorf("runs without a lock: %w", err))
	default:
		defer lock.Release()
	}

	// The goal does not move with the VIP here: the VIP moves with the goal.
	c.Where = func() checks.Presence { return checks.Unasked }
	resolution, err := c.deliberate(ctx, r)
	if r.Facts.Role == node.Replica && resolution.Course != checks.Fence {
		// By the word of one Sentinel, while its writers were paused: see Unpause.
		err = errors.Join(err, c.unfence(ctx, r))
	}
	if err != nil {
		return Failed, errors.Join(err, c.letGo(ctx, r))
	}
	if err := c.steer(ctx, r, resolution); err != nil {
		return Failed, err
	}
	return Done, nil
}

// deliberate asks until there is something to do, or there will not be soon.
func (c Reconcile) deliberate(ctx context.Context, r *Record) (checks.Resolution, error) {
	start := c.Clock.Now()
	for tries := 1; ; tries++ {
		resolution := c.council(ctx, r).Resolve(c.Policy)
		r.Course, r.Why = resolution.Course, resolution.Why
		switch {
		case resolution.Course != checks.Undecidable:
			return resolution, nil
		case clock.Since(c.Clock, start) > c.Patience && resolution.Else != checks.Undecidable:
			resolution.Course, r.Course = resolution.Else, resolution.Else
			return resolution, nil
		case !resolution.Soon, clock.Since(c.Clock, start) > c.Patience, ctx.Err() != nil:
			return resolution, resolution.Why
		}
		c.Clock.Sleep(ctx, c.Retry)
	}
}

// council asks the Sentinels and this node's Redis, and the other nodes only where
// that leaves something to ask: the one that is to have the VIP does not wait for the
// one that is dead.
func (c Reconcile) council(ctx context.Context, r *Record) checks.Council {
	var answers []checks.Answer
	convened := c.Clock.Go(func() { answers = c.Convene(ctx) })
	r.Facts = checks.Facts{Node: checks.Node{Addr: c.Local.Addr(), Facts: c.Local.Look(ctx)}}
	convened()
	council := checks.Council{Facts: r.Facts, Answers: answers, FenceIn: c.FenceIn}
	named, _, found := council.Majority()
	if !found || named != c.Local.Addr() || r.Facts.Role != node.Master {
		r.Facts = c.Survey(ctx)
	}
	r.saw(r.Facts.Node.Facts)
	r.Facts.VIP = c.held()
	council.Facts = r.Facts
	if found {
		if err := c.Reached.Now(); err != nil {
			r.warn(fmt.Errorf("cannot note that the Sentinels were reached: %w", err))
		}
	} else {
		council.Silence = c.Reached.Ago()
	}
	return council
}

// held says whether any of the VIPs is here.
func (c Reconcile) held() checks.Presence {
	if len(c.VIPs) == 0 {
		return checks.Unasked
	}
	for _, vip := range c.VIPs {
		if held, err := vip.Held(); err != nil {
			return checks.Unasked
		} else if held {
			return checks.Here
		}
	}
	return checks.Absent
}
