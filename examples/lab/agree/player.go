package agree

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"redis-vip/examples/lab/fault"
	"redis-vip/examples/lab/ledger"
	"redis-vip/examples/lab/netlab"
	"redis-vip/examples/lab/site"
	"redis-vip/examples/lab/trouble"
	"redis-vip/examples/sim/world"
)

const (
	ready = 60 * s // to come up whole
	after = 60 * s // to be whole again, and to stay so
	limit = 4 * time.Minute

	// settled is how long Redis must have run before the schedule begins: until then our
	// programs treat a node as one that has restarted (boot_wait).
	settled = 31 * s
	// quiet is how long all must be well before a run ends, as in the model.
	quiet = 9 * s
)

// Play plays a schedule on real hosts, with our programs of a folder. It also returns what
// the hosts logged. An error means that it could not be played, or that the hosts did not
// become whole again.
func Play(ctx context.Context, c Case, programs string) (_ world.Outcome, journal []netlab.Entry, err error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	lab, err := trouble.Build(ctx, c.Setup, programs)
	if err != nil {
		return world.Outcome{}, nil, err
	}
	defer func() {
		journal = lab.Journal.All()
		err = errors.Join(err, lab.Close())
	}()
	p := player{Site: lab}
	if err := p.prepare(ctx, c.Keys); err != nil {
		return world.Outcome{}, nil, fmt.Errorf("before the faults: %w", err)
	}
	saw, err := p.play(ctx, c.Schedule)
	return saw, nil, err
}

// player plays one schedule in one lab.
type player struct {
	*site.Site
	began time.Time
	books []*ledger.Ledger
	watch *fault.Watch
	saw   world.Outcome
}

// prepare brings the lab to where the model begins: the first node is the master and has
// the VIP, there are some keys, and all this has been so for long.
func (p *player) prepare(ctx context.Context, keys int64) error {
	ctx, cancel := context.WithTimeout(ctx, ready+settled)
	defer cancel()
	active, err := fault.Start(ctx, p.Site, false)
	if err != nil {
		return err
	}
	if active != p.Nodes[0] {
		return fmt.Errorf("%s is the active one, and not %s", active.Name, p.Nodes[0].Name)
	}
	pipe := active.Redis.Pipeline()
	for i := range keys {
		pipe.Set(ctx, fmt.Sprintf("old:%d", i), i, 0)
	}
	if _, err := pipe.Exec(ctx); keys > 0 && err != nil {
		return err
	}
	return netlab.Until(ctx, p.old)
}

// old says whether every Redis has run for long enough.
func (p *player) old(ctx context.Context) error {
	for _, n := range p.Nodes {
		facts, err := n.Redis.Facts(ctx)
		if err != nil {
			return err
		}
		if up, err := time.ParseDuration(facts["uptime_in_seconds"] + "s"); err != nil || up < settled {
			return fmt.Errorf("%s has run for %v, %w", n.Name, up, err)
		}
	}
	return nil
}

// play makes the faults, and looks on.
func (p *player) play(ctx context.Context, schedule world.Schedule) (world.Outcome, error) {
	watching, stop := context.WithCancel(ctx)
	defer stop()
	addresses := make([]*netlab.Record[netlab.AddressEvent], len(p.Nodes))
	for i, n := range p.Nodes {
		var err error
		if addresses[i], err = n.WatchAddresses(watching); err != nil {
			return p.saw, err
		}
	}
	p.Note("the schedule begins")
	p.began = time.Now()
	p.watch = fault.Observe(ctx, p.Nodes, p.VIP.Addr())
	defer p.watch.Stop()
	// As many, as fast and as patient as the model's.
	for i, host := range []*netlab.Host{p.Client, trouble.Client2(p.Site)} {
		p.books = append(p.books, p.Ledger(ledger.Config{
			Name: fmt.Sprintf("client%d", i+1), Dial: host.DialContext,
			Writers: 1, Rate: 12.5, Timeout: time.Second, Pause: 100 * ms,
		}))
	}
	defer p.close()
	for _, step := range p.steps(schedule) {
		if err := rest(ctx, time.Until(p.began.Add(step.at))); err != nil {
			return p.saw, err
		}
		if err := step.do(ctx); err != nil {
			return p.saw, fmt.Errorf("%s: %w", step.what, err)
		}
	}
	if err := p.rest(ctx); err != nil {
		return p.saw, fmt.Errorf("after the faults: %w", err)
	}
	p.close()
	return p.saw, errors.Join(p.look(ctx), p.account(ctx), p.moves(addresses))
}

// close ends the writing, and the looking.
func (p *player) close() {
	for _, b := range p.books {
		b.Stop()
	}
	p.watch.Stop()
}

func rest(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// step is something to be done at its time.
type step struct {
	at   time.Duration
	what string
	do   func(context.Context) error
}

func (p *player) steps(schedule world.Schedule) (list []step) {
	for _, at := range schedule.LooksAt() {
		list = append(list, step{at, "look at the nodes", p.look})
	}
	for i, f := range schedule.Faults {
		what := fmt.Sprintf("fault %d", i+1)
		list = append(list,
			step{f.At, what, func(ctx context.Context) error { return trouble.Begin(ctx, p.Site, f) }},
			step{f.At + f.For, "the end of " + what, func(ctx context.Context) error { return trouble.End(ctx, p.Site, f) }})
	}
	slices.SortStableFunc(list, func(a, b step) int { return cmp.Compare(a.at, b.at) })
	return list
}

// rest waits until the site has been whole for as long as a run of the model has to be.
func (p *player) rest(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, after)
	defer cancel()
	var since time.Time
	return netlab.Until(ctx, func(ctx context.Context) error {
		if err := p.Ready(ctx); err != nil {
			since = time.Time{}
			return err
		}
		if since.IsZero() {
			since = time.Now()
		}
		if whole := time.Since(since); whole < quiet {
			return fmt.Errorf("whole for %v", whole)
		}
		return nil
	})
}
