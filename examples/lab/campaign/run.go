package campaign

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"redis-vip/examples/lab/netlab"
	"redis-vip/examples/sim/world"
)

// Config says what to do, and for how long.
type Config struct {
	Labs     []world.Architecture // side by side; one that stands there twice is had twice
	Faults   int                  // in all labs together
	Seed     uint64               // of the first lab; each other one has the next
	Life     int                  // which of each lab's to begin with; default 1
	Longest  time.Duration        // of a fault; default 30 s
	Programs string               // folder of the built programs
	Other    string               // folder of another build, for upgrades; default Programs
	Clock    string               // clock.c as a library; empty: no clock jumps

	// Tell is called after each round, one at a time, with what gives all that the lab's
	// hosts have logged since it came up.
	Tell func(Round, func() []netlab.Entry)
}

// Round is what came of the faults of one round.
type Round struct {
	Lab  int // which one
	Seed uint64
	Life int // which of that lab's
	Turn int // which of that life's
	On   world.Architecture
	Site world.Setup
	At   string // the node that had the VIP when it began
	round
}

// String is the round in a line.
func (r Round) String() string {
	var faults []string
	for _, f := range r.Faults {
		faults = append(faults, fmt.Sprintf("%.1f s %v for %.1f s", f.At.Seconds(), f, f.For.Seconds()))
	}
	text := fmt.Sprintf("%s, seed %d, life %d, round %d, %s serves, persistence %s: %s: longest without a write %.1f s, well after %.1f s, two took writes for %.1f s, preserved %d, died %d",
		r.On, r.Seed, r.Life, r.Turn, r.At, r.Site.Persistence, strings.Join(faults, "; "), r.Outage.Seconds(), r.Whole.Seconds(), r.Two.Seconds(), r.Preserved, r.Died)
	for _, v := range r.Violations {
		text += "\n    VIOLATION: " + v
	}
	return text
}

// life is after how many rounds a lab is set up anew, otherwise than before. A broken
// promise ends it earlier.
const life = 20

// Run makes faults until there were enough, or ctx ends. What was broken is a result, and
// no error.
func (c Config) Run(ctx context.Context) (*Result, error) {
	if c.Longest == 0 {
		c.Longest = 30 * time.Second
	}
	if c.Other == "" {
		c.Other = c.Programs
	}
	r := &Result{Config: c, Began: time.Now(), rows: make(map[row]*tally)}
	var running sync.WaitGroup
	failures := make([]error, len(c.Labs))
	for i, a := range c.Labs {
		running.Go(func() {
			failures[i] = bench{Config: c, result: r, number: i, seed: c.Seed + uint64(i), on: a}.run(ctx)
		})
	}
	running.Wait()
	r.Took = time.Since(r.Began)
	return r, errors.Join(failures...)
}

// bench is where one lab stands after the other.
type bench struct {
	Config
	result *Result
	number int
	seed   uint64
	on     world.Architecture
}

func (b bench) run(ctx context.Context) error {
	for n := max(b.Life, 1); ctx.Err() == nil && !b.result.enough(); n++ {
		if err := b.life(ctx, n); err != nil && ctx.Err() == nil {
			return fmt.Errorf("%s, seed %d, life %d: %w", b.on, b.seed, n, err)
		}
	}
	return nil
}

// life is one lab's.
func (b bench) life(ctx context.Context, number int) (err error) {
	draw := newDrawer(b.on, b.seed, number, b.Longest, b.Clock != "")
	u := draw.setup()
	l, err := open(ctx, u, b.Config)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.close()) }()
	for turn := range life {
		if err := rest(ctx, draw.rest()); err != nil || b.result.enough() {
			return err
		}
		active, faults := l.active(), draw.round()
		for i, f := range faults {
			faults[i] = f.rotated(active)
		}
		played, err := l.play(ctx, faults)
		if err != nil {
			return fmt.Errorf("round %d: %w", turn+1, err)
		}
		r := Round{Lab: b.number, Seed: b.seed, Life: number, Turn: turn + 1, On: b.on, Site: u, At: l.Nodes[active].Name, round: played}
		b.result.add(r, l.Journal.All)
		if len(r.Violations) > 0 {
			return nil
		}
	}
	return nil
}
