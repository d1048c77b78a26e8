package hooks

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"redis-vip/checks"
	"redis-vip/checks/clock"
	"redis-vip/checks/node"
	netvip "redis-vip/hooks/vip"
)

// steer does what was resolved.
func (c Reconcile) steer(ctx context.Context, r *Record, to checks.Resolution) error {
	switch to.Course {
	case checks.Serve, checks.Mend, checks.Succeed:
		r.Goal, c.Hint = checks.BeMaster, checks.BeMaster
		err := errors.Join(c.serve(ctx, r, to), c.move(ctx, r))
		c.recollect(r)
		return err
	case checks.PassOn:
		r.warn(to.Why)
		err := c.act(ctx, r, "SENTINEL FAILOVER", c.Failover)
		if err == nil || to.Else != checks.CatchUp {
			return err
		}
		r.warn(fmt.Errorf("the Sentinels choose nobody: %w", err))
		r.Course = checks.CatchUp
		return c.catchUp(ctx, r, to)
	case checks.CatchUp:
		return c.catchUp(ctx, r, to)
	case checks.Yield:
		r.Goal, c.Hint = checks.BeReplica, checks.BeReplica
		return errors.Join(c.yield(ctx, r, to), c.move(ctx, r))
	case checks.Fence:
		r.Goal = checks.BeReplica
		r.warn(to.Why)
		return errors.Join(c.fence(ctx, r), c.letGo(ctx, r), c.move(ctx, r))
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

// waitForNobody lets go of a master, and says so in the record.
func (s Settle) waitForNobody(ctx context.Context, r *Record) error {
	return s.act(ctx, r, "REPLICAOF nobody", func(ctx context.Context) error { return s.Local.Follow(ctx, node.Nobody) })
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
		if err := c.act(ctx, r, "REPLICAOF NO ONE", c.Local.Promote); err != nil {
			return err
		}
		if err := c.look(ctx, r); err != nil {
			return err
		}
		c.persist(ctx, r)
	}
	return c.unfence(ctx, r)
}

// recollect has the node remember that it is the master. One that Sentinel has promoted
// would go on remembering whose replica it was, and after a restart believe that this
// one has all that it has.
func (c Reconcile) recollect(r *Record) {
	f := r.Facts
	f.Memory, f.Now = c.Recall(), c.Clock.Now()
	if m, changed := checks.Remember(f, c.Policy); changed {
		c.remember(r, m)
	}
}

// unfence lets everybody go on, if a run before this one has paused them.
func (c Reconcile) unfence(ctx context.Context, r *Record) error {
	if !c.Fenced.IsSet() {
		return nil
	}
	return c.act(ctx, r, "CLIENT UNPAUSE", c.resumeWriters)
}

// catchUp makes this Redis a replica of the node that has the better data, and that
// one a master for the time: nobody copies from a replica of nobody. No clients go there:
// it has no VIP, and the Sentinels name this node. A run after this finds the copy
// complete, and takes over.
func (c Reconcile) catchUp(ctx context.Context, r *Record, to checks.Resolution) error {
	r.Goal, c.Hint = checks.BeReplica, checks.BeReplica
	for _, peer := range r.Facts.Peers {
		if peer.Addr != to.Better || peer.IsMaster() {
			continue
		}
		if err := c.act(ctx, r, fmt.Sprintf("REPLICAOF NO ONE on %s", to.Better), c.peer(to.Better).Promote); err != nil {
			return err
		}
	}
	return c.follow(ctx, r, to.Better)
}

// follow makes this Redis a replica of a master. Nothing waits for one that does not
// come, and the VIP least of all.
func (c Reconcile) follow(ctx context.Context, r *Record, master netip.AddrPort) error {
	ctx, cancel := c.Clock.WithTimeout(ctx, yieldTime)
	defer cancel()
	demotion := demotion{Settle: c.Settle, named: master}
	return c.walk(ctx, r, demotion.steps())
}

const yieldTime = 3 * time.Second

// yield makes a Redis that the Sentinels have deposed a replica of its successor:
// they would do so 10 s later, and until then it would take writes that they then
// discard. A replica that hears a master is theirs to send elsewhere.
func (c Reconcile) yield(ctx context.Context, r *Record, to checks.Resolution) error {
	f := r.Facts
	switch {
	case !f.Class.Answers(), f.Role == node.NoRole:
		return nil
	case f.Linked() && f.Follows(to.Master):
		return c.unpin(ctx, r, to.Master)
	case f.Linked():
		return nil
	}
	i := slices.IndexFunc(f.Peers, func(n checks.Node) bool { return n.Addr == to.Master && n.IsMaster() })
	switch {
	case f.Role == node.Replica && i < 0: // it takes no writes: there is time
		r.Why = fmt.Errorf("%s, which the Sentinels name, is not there as a master yet", to.Master)
		return c.letGo(ctx, r)
	case f.Follows(to.Master) && !f.Unprepared(f.Peers[i]):
		return nil
	}
	return c.follow(ctx, r, to.Master)
}

// letGo has a replica that waits for a master that is none any more wait for nobody. Redis
// would link itself within a second of its return, and copy whatever that one has then. One
// in the middle of a copy keeps what it had if who sent it is gone for sure.
func (c Reconcile) letGo(ctx context.Context, r *Record) error {
	f := r.Facts
	gone := slices.ContainsFunc(f.Peers, func(n checks.Node) bool {
		return f.Follows(n.Addr) && !n.IsMaster() && (!f.Upstream.Syncing || n.Class == node.Refused || n.Role == node.Replica)
	})
	if !gone || f.Linked() || f.Class == node.Loading {
		return nil
	}
	return c.waitForNobody(ctx, r)
}

// fence stops a host that has been without a majority for too long: another one may
// be the master by now. Where no VIP goes away with that, clients come back, and Redis
// may come back as well, as a master that knows of no pause: so it is renewed, silently.
func (c Reconcile) fence(ctx context.Context, r *Record) error {
	pause := func(ctx context.Context) error { return c.stopWriters(ctx, r, longFence) }
	switch {
	case r.Facts.Role != node.Master:
		return c.Fenced.Set(true) // it may be made one before it can ask again
	case c.Fenced.IsSet():
		return pause(ctx)
	}
	return errors.Join(
		c.act(ctx, r, "CLIENT PAUSE", pause),
		c.act(ctx, r, "CLIENT KILL TYPE normal", func(ctx context.Context) error {
			_, err := c.Local.Disconnect(ctx)
			return err
		}))
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
