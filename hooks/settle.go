package hooks

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"redis-vip/checks"
	"redis-vip/checks/clock"
	"redis-vip/checks/node"
	"redis-vip/hooks/preserve"
)

// Settle brings the local Redis to where the VIP says it should be: with the VIP a
// master, without it a replica of the master. It is what notify-master and
// notify-backup both do; which of the two was called is only a hint.
type Settle struct {
	Event  string      // for the record
	Hint   checks.Goal // what the caller was told; decides only where Where cannot
	Force  bool        // promote also what the verdict advises against
	Local  Server
	Peers  []Server
	Survey func(context.Context) checks.Facts // of everything
	Where  func() checks.Presence             // where the VIP is now; asked before each step
	Policy checks.Policy
	Lock   Locker
	Clock  clock.Clock
	Retry  time.Duration // between two tries of a step that may still succeed
	Within time.Duration // how long it works for one goal; a preservation has its own time
	Nodes  []string      // the nodes of the group, to recognise them in redis.conf

	Fenced Mark   // that the writers of this node were told to wait
	Ballot Ballot // the third vote; nil: nobody votes

	Preserve preserve.Policy
	Save     func(context.Context, Loss) (preserve.File, error) // puts on disk what the winner lacks
	Recall   func() checks.Memory                               // what this node remembers
	Remember func(checks.Memory) error                          // what this node is from now on
}

// Ballot is the vote of the witnesses. [redis-vip/hooks/lease.Lease] is the real one.
type Ballot interface {
	Claim(context.Context) checks.Lease
	TakeOver(ctx context.Context, from netip.AddrPort) checks.Lease
	Release(context.Context) error
}

// Loss is what a demotion would discard: what from has and winner lacks.
type Loss struct {
	From   netip.AddrPort
	Winner checks.Node
	Event  string
}

// Why a step stops the others.
var (
	errSuperseded = errors.New("superseded: the VIP has moved")
	errAgain      = errors.New("what this rested on has changed") // the steps begin anew
	errNotYet     = errors.New("not yet")                         // worth another try within the deadline
	errNothing    = errors.New("nothing to do")
)

// notYet marks an error as one that time may heal.
func notYet(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{errNotYet}, args...)...)
}

// A step is the unit between two looks at the VIP. Doing it twice, or again after
// being killed in the middle, comes to the same.
type step struct {
	name string
	run  func(context.Context, *Record) error
	slow bool // see [Settle.patient]
}

// Run settles the node. The record is complete on return; its Err is nil if the goal
// was reached, now or by another run.
func (s Settle) Run(ctx context.Context) *Record {
	start := s.Clock.Now()
	r := &Record{Event: s.Event}
	for again := true; again && ctx.Err() == nil; {
		// A run whose goal has gone begins anew, behind whoever has the lock by
		// then: the event that took its goal away may have been lost. It has all its
		// time for the new one: who was called for that has found this run at work, and
		// left it to it.
		r.Outcome, r.Err = s.within(ctx, r)
		again = errors.Is(r.Err, errSuperseded)
	}
	r.Verdict = checks.Judge(r.Facts, s.Policy)
	r.Took = clock.Since(s.Clock, start)
	return r
}

// within works for one goal.
func (s Settle) within(ctx context.Context, r *Record) (outcome Outcome, err error) {
	ctx, cancel := s.Clock.WithTimeout(ctx, s.Within)
	defer cancel()
	for again := true; again; {
		outcome, err = s.once(ctx, r)
		if again = errors.Is(err, errAgain) && ctx.Err() == nil; again {
			s.Clock.Sleep(ctx, s.Retry)
		}
	}
	return outcome, err
}

func (s Settle) once(ctx context.Context, r *Record) (Outcome, error) {
	lock, err := s.Lock.Acquire(ctx, s.goal)
	switch {
	case errors.Is(err, ErrInHand):
		r.Goal = s.goal()
		return AlreadyRunning, nil
	case err != nil && ctx.Err() != nil:
		return Failed, err
	case err != nil:
		r.warn(fmt.Errorf("runs without a lock: %w", err)) // loud, not fatal: a failover matters more
	default:
		defer lock.Release()
	}

	r.Facts.VIP = s.Where()
	r.Goal = s.goalAt(r.Facts.VIP)
	if lock != nil {
		lock.Publish(r.Goal)
	}
	switch r.Goal {
	case checks.BeMaster:
		promotion := promotion{Settle: s}
		defer promotion.release(ctx)
		err = s.walk(ctx, r, promotion.steps())
	case checks.BeReplica:
		demotion := demotion{Settle: s}
		err = s.walk(ctx, r, demotion.steps())
	default:
		err = errors.New("it cannot be known where the VIP is, and so not what this node should be: name it in vips")
	}
	if err != nil {
		return Failed, err
	}
	return Done, nil
}

// walk takes the steps one after the other.
func (s Settle) walk(ctx context.Context, r *Record, steps []step) error {
	for _, step := range steps {
		start := s.Clock.Now()
		if err := s.take(ctx, r, step); err != nil {
			return err
		}
		if step.slow && clock.Since(s.Clock, start) > s.Within/10 { // it really took time: the others get theirs anew
			var cancel context.CancelFunc
			ctx, cancel = s.Clock.WithTimeout(context.WithoutCancel(ctx), s.Within)
			defer cancel()
		}
	}
	return nil
}

// take runs one step, and again as long as it says that time may help.
func (s Settle) take(ctx context.Context, r *Record, step step) error {
	for {
		if s.goal() != r.Goal {
			return errSuperseded
		}
		err := s.try(ctx, r, step)
		if !errors.Is(err, errNotYet) {
			return err
		}
		s.Clock.Sleep(ctx, s.Retry)
		if ctx.Err() != nil && s.goal() == r.Goal {
			return fmt.Errorf("%s: %w", step.name, err)
		}
	}
}

// patient is a context for a slow step: it has no deadline, and ends when the VIP
// moves. What is being preserved is worth more than the hook's own deadline.
func (s Settle) patient(ctx context.Context, goal checks.Goal) (context.Context, context.CancelFunc) {
	ctx, cancel := s.Clock.WithCancel(context.WithoutCancel(ctx))
	s.Clock.Go(func() {
		for ctx.Err() == nil && s.goal() == goal {
			s.Clock.Sleep(ctx, s.Retry)
		}
		cancel()
	})
	return ctx, cancel
}

// try runs a step once. Tries that end alike are one action in the record; a step
// that had nothing to do is none.
func (s Settle) try(ctx context.Context, r *Record, step step) error {
	if step.slow {
		var done context.CancelFunc
		ctx, done = s.patient(ctx, r.Goal)
		defer done()
	}
	start := s.Clock.Now()
	err := step.run(ctx, r)
	took := clock.Since(s.Clock, start)
	idle := errors.Is(err, errNothing)
	if idle {
		err = nil
	}
	if n := len(r.Actions); n > 0 && r.Actions[n-1].Name == step.name && errors.Is(r.Actions[n-1].Err, errNotYet) {
		last := &r.Actions[n-1]
		last.Err, last.Tries, last.Took = err, last.Tries+1, last.Took+took
	} else if !idle {
		r.Actions = append(r.Actions, Action{Name: step.name, Took: took, Tries: 1, Err: err})
	}
	return err
}

// goal is what the VIP asks for now.
func (s Settle) goal() checks.Goal { return s.goalAt(s.Where()) }

func (s Settle) goalAt(vip checks.Presence) checks.Goal {
	if goal := checks.GoalOf(vip); goal != checks.NoGoal {
		return goal
	}
	return s.Hint
}

// look reads the local server's facts into the record, and says what of them
// stands in the way of changing its role.
func (s Settle) look(ctx context.Context, r *Record) error {
	r.saw(s.Local.Look(ctx))
	return s.changeable(ctx, r.Facts.Node)
}

// stopWriters makes the writers of this node wait. A run that is killed leaves the mark behind:
// nobody sees of a Redis that its writers wait.
func (s Settle) stopWriters(ctx context.Context, r *Record, d time.Duration) error {
	if err := s.Fenced.Set(true); err != nil {
		r.warn(fmt.Errorf("if this run is killed, writers wait for %v: %w", d, err))
	}
	return s.Local.Pause(ctx, d)
}

// resumeWriters lets them go on. A replica must not be paused either: see [Redis.Unpause].
func (s Settle) resumeWriters(ctx context.Context) error {
	if err := s.Local.Unpause(ctx); err != nil && !unsupported(err) {
		return changed(err)
	}
	return s.Fenced.Set(false)
}

// survey reads the facts of everything.
func (s Settle) survey(ctx context.Context, r *Record) error {
	r.Facts = s.Survey(ctx)
	r.saw(r.Facts.Node.Facts)
	return s.changeable(ctx, r.Facts.Node)
}

func (s Settle) changeable(ctx context.Context, n checks.Node) error {
	switch n.Class {
	case node.Alive, node.Misconf, node.MasterDown:
		return free(ctx, s.Local, n.Facts)
	case node.NoAuth, node.NoPerm:
		return fmt.Errorf("%s refuses us: %s: give its password in password_file, or its ACL user the rights", s.Local.Addr(), n.Problem)
	case node.Protected:
		return fmt.Errorf("%s is in protected mode: reach it over loopback or a unix socket, or set a password", s.Local.Addr())
	default:
		return notYet("%s is %s (%s)", s.Local.Addr(), n.Class, n.Problem)
	}
}

// free ends a FAILOVER that hangs. Until then the server calls itself a replica, and
// refuses writes and REPLICAOF; afterwards it is looked at again.
func free(ctx context.Context, server Server, f node.Facts) error {
	if f.Failover == "" || f.Failover == "no-failover" {
		return nil
	}
	if err := server.AbortFailover(ctx); err != nil {
		return changed(err)
	}
	return notYet("%s was in the middle of a FAILOVER (%s), which is aborted", server.Addr(), f.Failover)
}

// remember writes down what this node is from now on. It is for the next restart,
// so a failure is a warning.
func (s Settle) remember(r *Record, m checks.Memory) {
	if err := s.Remember(m); err != nil {
		r.warn(fmt.Errorf("cannot remember that this is a %s: %w", m.Role, err))
	}
}

// peer is the server at addr, among the others.
func (s Settle) peer(addr netip.AddrPort) Server {
	for _, p := range s.Peers {
		if p.Addr() == addr {
			return p
		}
	}
	return nil
}

// changed says what an error of a role change means. A server that is loading,
// busy or hung may take it later; one that does not know or allow it never will.
func changed(err error) error {
	switch class := node.Classify(err); {
	case err == nil:
		return nil
	case class == node.Loading, class == node.Busy, class == node.MaxClients, !class.Answers():
		return notYet("%w", err)
	default:
		return err
	}
}
