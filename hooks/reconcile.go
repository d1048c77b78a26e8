package hooks

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"redis-vip/checks"
	"redis-vip/checks/node"
	netvip "redis-vip/hooks/vip"
)

// Reconcile puts the VIPs of a group where the Sentinels say its master is. It is
// what sentinel-reconfig does; the arguments that Sentinel gives it are a hint
// that may be stale, and decide nothing.
type Reconcile struct {
	Event     string // for the record
	Group     string // the name of the master in sentinel.conf
	Local     Server
	Sentinels []Sentinel
	VIPs      []Address
	Lock      Lock
	Retry     time.Duration // between two rounds of questions while they disagree
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

// Answer is what one Sentinel said.
type Answer struct {
	Sentinel netip.AddrPort
	Master   netip.AddrPort // invalid if Err
	Err      error
}

// Run brings the VIPs to where they belong. The context is its deadline. Where it
// cannot know who the master is, it touches nothing.
func (c Reconcile) Run(ctx context.Context) *Record {
	start := time.Now()
	r := &Record{Event: c.Event}
	r.Outcome, r.Err = c.once(ctx, r)
	r.Verdict = checks.Judge(r.Facts, checks.Policy{})
	r.Took = time.Since(start)
	return r
}

func (c Reconcile) once(ctx context.Context, r *Record) (Outcome, error) {
	// A run does not know its goal before it has asked, so it publishes none: of
	// any number of runs, one works and one waits to ask after everybody else came.
	lock, err := c.Lock.Acquire(ctx, func() checks.Goal { return checks.NoGoal })
	switch {
	case errors.Is(err, ErrInHand):
		return AlreadyRunning, nil
	case ctx.Err() != nil:
		return Failed, err
	case err != nil:
		r.warn(fmt.Errorf("runs without a lock: %w", err))
	}
	defer lock.Release()

	err = Settle{Retry: c.Retry, Where: func() checks.Presence { return checks.Unasked }}.
		take(ctx, r, step{name: "ask Sentinels", run: c.decide})
	if err != nil {
		return Failed, err
	}
	var failures []error
	for _, vip := range c.VIPs {
		failures = append(failures, c.move(ctx, r, vip))
	}
	if err := errors.Join(failures...); err != nil {
		return Failed, err
	}
	return Done, nil
}

// decide asks all Sentinels and the local server, and sets the goal.
func (c Reconcile) decide(ctx context.Context, r *Record) error {
	answers := make([]Answer, len(c.Sentinels))
	var wait sync.WaitGroup
	for i, sentinel := range c.Sentinels {
		wait.Go(func() {
			master, err := sentinel.Master(ctx, c.Group)
			answers[i] = Answer{sentinel.Addr(), master, err}
		})
	}
	r.Facts.Node.Facts = c.Local.Look(ctx)
	wait.Wait()
	goal, err := Elect(answers, c.Local.Addr(), r.Facts.Role)
	if err == nil {
		r.Goal = goal
	}
	return err
}

// Elect turns the Sentinels' answers into a goal: this node is the master if more
// than half of all Sentinels name it and it says so itself. One that is not
// reachable counts as one that does not agree. An error that [errNotYet] wraps may
// pass by itself: Sentinels learn of a failover from each other within
// milliseconds of the one that leads it.
func Elect(answers []Answer, self netip.AddrPort, role node.Role) (checks.Goal, error) {
	votes := make(map[netip.AddrPort]int)
	unknown := 0
	var seen error
	for _, a := range answers {
		switch {
		case errors.Is(a.Err, ErrUnknownMaster):
			unknown++
			fallthrough
		case a.Err != nil:
			seen = errors.Join(seen, fmt.Errorf("Sentinel %s: %w", a.Sentinel, a.Err))
		default:
			votes[a.Master]++
			seen = errors.Join(seen, fmt.Errorf("Sentinel %s: names %s", a.Sentinel, a.Master))
		}
	}
	majority := len(answers)/2 + 1
	if unknown >= majority {
		return checks.NoGoal, fmt.Errorf("the Sentinels do not know this group: give it the name that stands in `sentinel monitor`: %w", seen)
	}
	for master, n := range votes {
		switch {
		case n < majority:
		case master != self:
			return checks.BeReplica, nil
		case role != node.Master:
			return checks.NoGoal, notYet("the Sentinels name this node, %s, and its Redis is %s", self, role)
		default:
			return checks.BeMaster, nil
		}
	}
	return checks.NoGoal, notYet("no master has %d of %d Sentinels: %w", majority, len(answers), seen)
}

// move takes or drops one VIP, as the goal says.
func (c Reconcile) move(ctx context.Context, r *Record, vip Address) error {
	name, run := "remove "+vip.String(), func(context.Context) (bool, error) { return vip.Remove() }
	if r.Goal == checks.BeMaster {
		name, run = "add and announce "+vip.String(), vip.Take
	}
	start := time.Now()
	changed, err := run(ctx)
	if errors.Is(err, netvip.ErrNotAnnounced) {
		r.warn(err) // it is here; who has a stale address of it finds out later
		err = nil
	}
	if changed || err != nil {
		r.Actions = append(r.Actions, Action{Name: name, Took: time.Since(start), Tries: 1, Err: err})
	}
	r.Added = r.Added || changed && r.Goal == checks.BeMaster
	if held, _ := vip.Held(); held {
		r.Facts.VIP = checks.Here
	} else {
		r.Facts.VIP = checks.Absent
	}
	return err
}
