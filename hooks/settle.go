package hooks

import (
	"context"
	"errors"
	"fmt"
	"time"

	"redis-vip/checks"
	"redis-vip/checks/node"
)

// Settle brings the local Redis to where the VIP says it should be: with the VIP a
// master, without it a replica of the master. It is what notify-master and
// notify-backup both do; which of the two was called is only a hint.
type Settle struct {
	Event string      // for the record
	Hint  checks.Goal // what the caller was told; decides only where Where cannot
	Local Server
	Peers []Server
	Where func() checks.Presence // where the VIP is now; asked before each step
	Lock  Lock
	Retry time.Duration // between two tries of a step that may still succeed
	Nodes []string      // the nodes of the group, to recognise them in redis.conf
}

// Why a step stops the others.
var (
	errSuperseded = errors.New("superseded: the VIP has moved")
	errNotYet     = errors.New("not yet") // worth another try within the deadline
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
}

// Run settles the node. The context is its deadline. The record is complete on
// return; its Err is nil if the goal was reached, now or by another run.
func (s Settle) Run(ctx context.Context) *Record {
	start := time.Now()
	r := &Record{Event: s.Event}
	for {
		r.Outcome, r.Err = s.once(ctx, r)
		// A run whose goal has gone begins anew, behind whoever has the lock by
		// then: the event that took its goal away may have been lost.
		if !errors.Is(r.Err, errSuperseded) || ctx.Err() != nil {
			break
		}
	}
	r.Verdict = checks.Judge(r.Facts, checks.Policy{})
	r.Took = time.Since(start)
	return r
}

func (s Settle) once(ctx context.Context, r *Record) (Outcome, error) {
	lock, err := s.Lock.Acquire(ctx, s.goal)
	switch {
	case errors.Is(err, ErrInHand):
		r.Goal = s.goal()
		return AlreadyRunning, nil
	case ctx.Err() != nil:
		return Failed, err
	case err != nil:
		r.warn(fmt.Errorf("runs without a lock: %w", err)) // loud, not fatal: a failover matters more
	}
	defer lock.Release()

	r.Facts.VIP = s.Where()
	r.Goal = s.goalAt(r.Facts.VIP)
	if lock != nil {
		lock.Publish(r.Goal)
	}
	steps := s.demotion()
	if r.Goal == checks.BeMaster {
		steps = s.promotion()
	}
	for _, step := range steps {
		if err := s.take(ctx, r, step); err != nil {
			return Failed, err
		}
	}
	return Done, nil
}

// take runs one step, and again as long as it says that time may help.
func (s Settle) take(ctx context.Context, r *Record, step step) error {
	var last error
	for {
		if s.goal() != r.Goal {
			return errSuperseded
		}
		err := r.try(ctx, step)
		if !errors.Is(err, errNotYet) {
			return err
		}
		last = err
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", step.name, last)
		case <-time.After(s.Retry):
		}
	}
}

// try runs a step once. Tries that end alike are one action in the record.
func (r *Record) try(ctx context.Context, step step) error {
	start := time.Now()
	err := step.run(ctx, r)
	if n := len(r.Actions); n > 0 && r.Actions[n-1].Name == step.name && errors.Is(r.Actions[n-1].Err, errNotYet) {
		r.Actions[n-1].Err, r.Actions[n-1].Tries = err, r.Actions[n-1].Tries+1
		r.Actions[n-1].Took += time.Since(start)
		return err
	}
	r.Actions = append(r.Actions, Action{Name: step.name, Took: time.Since(start), Tries: 1, Err: err})
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
	r.Facts.Self = s.Local.Look(ctx)
	f := r.Facts.Self
	switch f.Class {
	case node.Alive, node.Misconf, node.MasterDown:
		return nil
	case node.NoAuth, node.NoPerm:
		return fmt.Errorf("%s refuses us: %s: give its password in password_file, or its ACL user the rights", s.Local.Addr(), f.Problem)
	case node.Protected:
		return fmt.Errorf("%s is in protected mode: reach it over loopback or a unix socket, or set a password", s.Local.Addr())
	default:
		return notYet("%s is %s (%s)", s.Local.Addr(), f.Class, f.Problem)
	}
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
