package fault

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"redis-vip/checks/node/nodetest"
	"redis-vip/examples/lab/ledger"
	"redis-vip/examples/lab/netlab"
	"redis-vip/examples/lab/site"
)

// How long the parts of a run may take. A fault's own time comes on top.
const (
	ready    = 60 * time.Second // to come up whole
	patience = 30 * time.Second // to be whole again
	limit    = 3 * time.Minute  // all of it
)

// How many writes are acknowledged before the fault, and after the pair is whole
// again, to see that it stays so.
const (
	before = 1500
	after  = 1500
)

// Options are what all scenarios of a run have in common.
type Options struct {
	Hooks    Hooks
	Programs string // folder of the built programs; not for shell hooks
	Servers  nodetest.Servers

	// Second has the second node be the active one, which has the lower priority:
	// after a cut, keepalived gives the VIP back to the first.
	Second bool

	// Fast has a pair be that of examples/fast-failover.
	Fast bool

	// Age is how long the pair has run before the fault. Nodes that have only just
	// come up are treated with more caution than others (boot_wait).
	Age time.Duration

	// Look is called before the lab is closed, with all that it logged.
	Look func(*netlab.Record[netlab.Entry])
}

// Run runs a scenario in a lab of its own. An error means that it could not be
// run or measured; what the fault cost, even if that is everything, is none.
func Run(ctx context.Context, s Scenario, o Options) (_ Result, err error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	options := s.Setup.Site(o)
	build := site.Pair
	switch {
	case s.Setup.Trio:
		build = site.Trio
	case s.Setup.Witness:
		build = site.Witnessed
	case o.Fast:
		build = site.Fast
	}
	pair, err := build(ctx, options)
	if err != nil {
		return Result{}, err
	}
	defer func() {
		if o.Look != nil {
			o.Look(pair.Journal)
		}
		err = errors.Join(err, pair.Close())
	}()
	stage, err := open(ctx, s.Setup, o, pair)
	if err != nil {
		return Result{}, fmt.Errorf("before the fault: %w", err)
	}
	defer stage.close()

	stage.begin()
	if err := s.Make(ctx, stage); err != nil {
		return Result{}, fmt.Errorf("make the fault: %w", err)
	}
	stage.over()
	stage.recover(ctx)
	r, err := stage.result(ctx)
	r.Scenario, r.Hooks = s, o.Hooks
	return r, err
}

// open starts a pair, waits until it is whole and under load, and until the
// standby gets what is written: for up to a second after a full copy, it does not.
func open(ctx context.Context, setup Setup, o Options, pair *site.Site) (*Stage, error) {
	ctx, cancel := context.WithTimeout(ctx, ready+o.Age)
	defer cancel()
	times := make(map[string]time.Duration)
	if setup.Fresh {
		var err error
		if times[fromNothing], err = untilServed(ctx, pair); err != nil {
			return nil, err
		}
	}
	active, err := Start(ctx, pair, o.Second)
	if err != nil {
		return nil, err
	}
	if err := rest(ctx, o.Age); err != nil {
		return nil, err
	}
	s := &Stage{Site: pair, Hooks: o.Hooks, Active: active, Standby: pair.Others(active)[0], Times: times}
	s.Book = pair.Ledger(ledger.Config{})
	s.books = []book{s.Book}
	if setup.Stubborn {
		stubborn := pair.Host(stubbornName)
		s.books = append(s.books, pair.Ledger(ledger.Config{Name: "stubborn", Dial: stubborn.DialContext, Writers: 1, Rate: 500}))
	}
	if setup.Load {
		s.books = append(s.books, openPipeline(pair.Endpoint(), pair.Client.DialContext))
	}
	if err := s.streaming(ctx); err != nil {
		s.close()
		return nil, err
	}
	s.Watch = Observe(ctx, pair.Nodes, pair.VIP.Addr())
	return s, nil
}

// Start starts a pair, or three hosts, waits until it is whole, and returns the active
// node. Of a pair, that is the first node or the second.
func Start(ctx context.Context, pair *site.Site, second bool) (*site.Node, error) {
	if err := pair.Start(ctx); err != nil {
		return nil, err
	}
	if err := pair.WaitReady(ctx); err != nil {
		return nil, err
	}
	active, err := pair.Holder()
	if err != nil || second == (active == pair.Nodes[1]) || active.Keepalived == nil {
		return active, err
	}
	other := pair.Others(active)[0]
	if err := active.Keepalived.Stop(ctx); err != nil {
		return nil, err
	}
	if err := pair.WaitHolder(ctx, other); err != nil {
		return nil, err
	}
	back := time.Now()
	if err := active.Keepalived.Start(ctx); err != nil {
		return nil, err
	}
	if _, err := pair.Journal.Wait(ctx, func(e netlab.Entry) bool {
		return e.Host == active.Name && e.At.After(back) && strings.Contains(e.Message, "Entering BACKUP STATE")
	}); err != nil {
		return nil, err
	}
	return other, pair.WaitReady(ctx)
}

func (s *Stage) streaming(ctx context.Context) error {
	if err := s.Book.WaitAcknowledged(ctx, before); err != nil {
		return err
	}
	facts, err := s.Active.Redis.Facts(ctx)
	if err != nil {
		return err
	}
	want := number(facts["master_repl_offset"])
	return netlab.Until(ctx, func(ctx context.Context) error {
		facts, err := s.Standby.Redis.Facts(ctx)
		if err == nil && number(facts["slave_repl_offset"]) < want {
			err = errors.New("the standby does not get what is written")
		}
		return err
	})
}
