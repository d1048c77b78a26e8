package campaign

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"redis-vip/examples/lab/fault"
	"redis-vip/examples/lab/ledger"
	"redis-vip/examples/lab/netlab"
	"redis-vip/examples/lab/site"
	"redis-vip/examples/lab/trouble"
	"redis-vip/examples/sim/world"
)

// lab is one lab from its start to its end.
type lab struct {
	*site.Site
	setup    world.Setup
	programs string // folder of the built programs
	other    string // folder of another build
	upgraded map[*site.Node]bool

	books   []*ledger.Ledger
	sights  *sights
	off     map[string]bool // acknowledged writes that are accounted for, and not on the master
	running sync.WaitGroup  // what goes on during a round
	stop    context.CancelFunc
}

const (
	ready = 2 * time.Minute // to come up whole

	writers = 2  // on a host each
	rate    = 25 // writes a second, each
)

// open sets a lab up, and returns it when it is whole and written to.
func open(ctx context.Context, u world.Setup, c Config) (_ *lab, err error) {
	var env []string
	if c.Clock != "" {
		env = preloaded()
	}
	s, err := trouble.Build(ctx, u, c.Programs, env...)
	if err != nil {
		return nil, err
	}
	l := &lab{Site: s, setup: u, programs: c.Programs, other: c.Other, upgraded: make(map[*site.Node]bool), off: make(map[string]bool), stop: func() {}}
	defer func() {
		if err != nil {
			err = errors.Join(err, l.close())
		}
	}()
	starting, cancel := context.WithTimeout(ctx, ready)
	defer cancel()
	for _, n := range s.Nodes {
		if err := partition(starting, n); err != nil {
			return nil, err
		}
		if c.Clock == "" {
			continue
		}
		if err := installClock(n.Host, c.Clock); err != nil {
			return nil, err
		}
	}
	if err := s.Start(starting); err != nil {
		return nil, err
	}
	if err := s.WaitReady(starting); err != nil {
		return nil, err
	}
	if err := l.populate(starting); err != nil {
		return nil, err
	}
	ctx, l.stop = context.WithCancel(ctx)
	if err := l.noteMoves(ctx); err != nil {
		return nil, err
	}
	for i, host := range []*netlab.Host{s.Client, trouble.Client2(s)} {
		l.books = append(l.books, s.Ledger(ledger.Config{
			Name: fmt.Sprintf("client%d", i+1), Dial: host.DialContext,
			Writers: 1, Rate: rate, Timeout: 500 * time.Millisecond, Pause: 50 * time.Millisecond,
		}))
	}
	l.sights = look(ctx, s.Nodes, l.books)
	return l, l.books[0].WaitAcknowledged(starting, rate)
}

// populate writes what is there before the clients come: a full copy of much takes a while,
// in which things can go wrong.
func (l *lab) populate(ctx context.Context) error {
	master, err := l.Master(ctx)
	if err != nil {
		return err
	}
	const batch = 1000
	value := strings.Repeat("x", 100)
	for i := int64(0); i < l.setup.Keys; i += batch {
		pipe := master.Redis.Pipeline()
		for n := range int64(batch) {
			pipe.Set(ctx, fmt.Sprintf("old:%d", i+n), value, 0)
		}
		if _, err := pipe.Exec(ctx); err != nil {
			return fmt.Errorf("populate: %w", err)
		}
	}
	return nil
}

// noteMoves has the journal say when the VIP comes to a node, and goes.
func (l *lab) noteMoves(ctx context.Context) error {
	for _, n := range l.Nodes {
		addresses, err := n.WatchAddresses(ctx)
		if err != nil {
			return err
		}
		go func() {
			for a := range addresses.Follow(ctx) {
				where := "gone from here"
				if a.Added {
					where = "here"
				}
				n.Note("%s is %s", a.Address, where)
			}
		}()
	}
	return nil
}

func (l *lab) close() error {
	l.stop()
	for _, b := range l.books {
		b.Stop()
	}
	if l.sights != nil {
		l.sights.wait()
	}
	return l.Close()
}

// active is the number of the node that has the VIP.
func (l *lab) active() int {
	holder, err := l.Holder()
	if err != nil {
		return 0
	}
	return slices.Index(l.Nodes, holder)
}

// during runs something until the round's faults are over.
func (l *lab) during(f func()) { l.running.Go(f) }

// round is what came of one.
type round struct {
	Faults []Fault
	Began  time.Time
	Outage time.Duration // the longest time without an acknowledged write
	Whole  time.Duration // from the end of the last fault until all was well
	Two    time.Duration // for how long, in all, two nodes took writes
	account
	Violations []string
}

// play makes the faults of a round, waits until all is well again, and accounts for every
// write. An error means that it could not be played.
func (l *lab) play(ctx context.Context, faults []Fault) (r round, err error) {
	r.Faults, r.Began = faults, time.Now()
	watch := fault.Observe(ctx, l.Nodes, l.VIP.Addr())
	defer watch.Stop()
	for _, step := range steps(faults) {
		if err := rest(ctx, time.Until(r.Began.Add(step.at))); err != nil {
			return r, err
		}
		l.Note("%s", step.what)
		if err := step.do(ctx, l); err != nil {
			return r, fmt.Errorf("%s: %w", step.what, err)
		}
	}
	l.running.Wait()
	over := time.Now()
	l.Note("the faults are over")
	if wrong := l.well(ctx, over); wrong != nil {
		r.Violations = append(r.Violations, fmt.Sprintf("not well %v after the faults: %v", bound(l.setup.Architecture), wrong))
	}
	r.Whole = time.Since(over)
	if ctx.Err() != nil {
		return r, context.Cause(ctx)
	}
	watch.Stop()
	r.Outage, r.Two = l.outage(r.Began), watch.Together(r.Began)
	r.Violations = append(r.Violations, l.broken(r, watch, over)...)
	if r.account, err = l.settle(ctx); err != nil {
		r.Violations = append(r.Violations, fmt.Sprintf("the account: %v", err))
	}
	if n := len(r.Thrown); n > 0 {
		r.Violations = append(r.Violations, fmt.Sprintf("%d acknowledged writes are nowhere, and a process that had them lived on: %s", n, r.Thrown[0]))
	}
	for _, v := range r.Violations {
		l.Note("VIOLATION: %s", v)
	}
	return r, nil
}

// step is something to be done at its time.
type step struct {
	at   time.Duration
	what string
	do   func(context.Context, *lab) error
}

func steps(faults []Fault) (list []step) {
	for _, f := range faults {
		list = append(list, step{f.At, "fault: " + f.String(), f.start}, step{f.At + f.For, "over: " + f.String(), f.stop})
	}
	slices.SortStableFunc(list, func(a, b step) int { return cmp.Compare(a.at, b.at) })
	return list
}

// outage is the longest time since then without an acknowledgement.
func (l *lab) outage(since time.Time) (longest time.Duration) {
	times := []time.Time{since}
	for _, b := range l.books {
		for _, at := range b.Times() {
			if at.After(since) {
				times = append(times, at)
			}
		}
	}
	slices.SortFunc(times, time.Time.Compare)
	for i := range len(times) - 1 {
		longest = max(longest, times[i+1].Sub(times[i]))
	}
	return max(longest, time.Since(times[len(times)-1]))
}

func rest(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
