package hooks

import (
	"context"
	"errors"
	"fmt"
	"time"

	"redis-vip/checks"
	"redis-vip/checks/clock"
	"redis-vip/checks/node"
	netvip "redis-vip/hooks/vip"
)

// Reconcile brings a host under Sentinel to what the Sentinels say now: the VIPs are
// where the master is, and a Redis that was deposed follows the new one at once. It
// is what sentinel-reconfig does, and what a timer does every few seconds; the
// arguments that Sentinel gives its script are a hint that may be stale, and decide
// nothing.
type Reconcile struct {
	Settle          // how Redis is changed; its Survey is of the nodes of the group
	Group    string // the name of the master in sentinel.conf
	Convene  func(context.Context) []checks.Answer
	Failover func(context.Context) error // asks a Sentinel to choose another master
	VIPs     []Address
	Reached  Since         // when a majority of the Sentinels was last reached
	Fenced   Mark          // that this host has paused its writers
	FenceIn  time.Duration // how long without a majority is borne
	Patience time.Duration // how long Sentinels may disagree before this run gives up
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
	if err != nil {
		return Failed, err
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
	for _, vip := range c.VIPs {
		if held, err := vip.Held(); err != nil {
			return checks.Unasked
		} else if held {
			return checks.Here
		}
	}
	return checks.Absent
}

// steer does what was resolved.
func (c Reconcile) steer(ctx context.Context, r *Record, to checks.Resolution) error {
	switch to.Course {
	case checks.Serve, checks.Mend, checks.Succeed:
		r.Goal, c.Hint = checks.BeMaster, checks.BeMaster
		return errors.Join(c.serve(ctx, r, to), c.move(ctx, r))
	case checks.PassOn:
		r.Goal = checks.BeReplica
		r.warn(to.Why)
		return c.act(ctx, r, "SENTINEL FAILOVER", c.Failover)
	case checks.Yield:
		r.Goal, c.Hint = checks.BeReplica, checks.BeReplica
		return errors.Join(c.yield(ctx, r, to), c.move(ctx, r))
	case checks.Fence:
		r.Goal = checks.BeReplica
		r.warn(to.Why)
		return errors.Join(c.fence(ctx, r), c.move(ctx, r))
	}
	return nil
}

// act runs one action and records it.
func (s Settle) act(ctx context.Context, r *Record, name string, run func(context.Context) error) error {
	start := s.Clock.Now()
	err := run(ctx)
	r.Actions = append(r.Actions, Action{Name: name, Took: clock.Since(s.Clock, start), Tries: 1, Err: err})
	return err
}

// serve makes sure that Redis is the master that the Sentinels say it is.
func (c Reconcile) serve(ctx context.Context, r *Record, to checks.Resolution) error {
	if to.Course == checks.Succeed {
		r.warn(to.Why)
		promotion := promotion{Settle: c.Settle}
		promotion.Force = true // the Sentinels have decided
		defer promotion.release(ctx)
		if err := c.walk(ctx, r, promotion.steps()); err != nil {
			return err
		}
	}
	if to.Course == checks.Mend {
		r.warn(to.Why)
		if err := c.act(ctx, r, "REPLICAOF NO ONE", c.Local.Promote); err != nil {
			return err
		}
		if err := c.look(ctx, r); err != nil {
			return err
		}
		c.persist(ctx, r)
	}
	if c.Fenced.IsSet() {
		if err := c.act(ctx, r, "CLIENT UNPAUSE", c.Local.Unpause); err != nil && !unsupported(err) {
			return err
		}
		return c.Fenced.Set(false)
	}
	return nil
}

// yield makes a Redis that the Sentinels have deposed a replica of its successor:
// they would do so 10 s later, and until then it would take writes that they then
// discard. A replica that hears a master is theirs to send elsewhere.
func (c Reconcile) yield(ctx context.Context, r *Record, to checks.Resolution) error {
	f := r.Facts
	if !f.Class.Answers() || f.Role == node.NoRole || f.Follows(to.Master) || f.Linked() {
		return nil
	}
	var named bool
	for _, peer := range f.Peers {
		named = named || peer.Addr == to.Master && peer.IsMaster()
	}
	if !named && f.Role == node.Replica {
		return nil // it takes no writes, and there is nobody to follow yet
	}
	// The VIP must not wait for a master that does not come.
	limited, cancel := c.Clock.WithTimeout(ctx, yieldTime)
	defer cancel()
	demotion := demotion{Settle: c.Settle, named: to.Master}
	err := c.walk(limited, r, demotion.steps())
	return errors.Join(err, c.Fenced.Set(false)) // a replica is not paused
}

const yieldTime = 3 * time.Second

// fence stops a host that has been without a majority for too long: another one may
// be the master by now.
func (c Reconcile) fence(ctx context.Context, r *Record) error {
	err := c.Fenced.Set(true)
	if r.Facts.Role == node.Master {
		err = errors.Join(err,
			c.act(ctx, r, "CLIENT PAUSE", func(ctx context.Context) error { return c.Local.Pause(ctx, longFence) }),
			c.act(ctx, r, "CLIENT KILL TYPE normal", func(ctx context.Context) error {
				_, err := c.Local.Disconnect(ctx)
				return err
			}))
	}
	return err
}

// longFence is how long a host that is cut off keeps its writers waiting. The run
// that finds a majority again ends it.
const longFence = 24 * time.Hour

// move takes or drops the VIPs, as the goal says.
func (c Reconcile) move(ctx context.Context, r *Record) (failures error) {
	for _, vip := range c.VIPs {
		failures = errors.Join(failures, c.moveOne(ctx, r, vip))
	}
	r.Facts.VIP = c.held()
	return failures
}

func (c Reconcile) moveOne(ctx context.Context, r *Record, vip Address) error {
	name, run := "remove "+vip.String(), func(context.Context) (bool, error) { return vip.Remove() }
	if r.Goal == checks.BeMaster {
		name, run = "add and announce "+vip.String(), vip.Take
	}
	start := c.Clock.Now()
	changed, err := run(ctx)
	if errors.Is(err, netvip.ErrNotAnnounced) {
		r.warn(err) // it is here; who has a stale address of it finds out later
		err = nil
	}
	if changed || err != nil {
		r.Actions = append(r.Actions, Action{Name: name, Took: clock.Since(c.Clock, start), Tries: 1, Err: err})
	}
	r.Added = r.Added || changed && r.Goal == checks.BeMaster
	return err
}
