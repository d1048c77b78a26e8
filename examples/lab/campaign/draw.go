package campaign

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"time"

	"redis-vip/examples/sim/world"
)

// Fault is one thing that goes wrong, for a time.
type Fault struct {
	At, For time.Duration // since the round began
	On, To  int           // hosts, by their numbers in the model; drawn as if the first were the active one

	kind *kind
	on   world.Architecture
}

// drawer draws all that is left to chance in one life of a lab. The same seed gives the same
// faults, at the same times; what real hosts make of the time is not the same twice.
type drawer struct {
	*rand.Rand
	architecture world.Architecture
	longest      time.Duration
	clocks       bool // may jump
	gateway      bool // the pair of now has one
	deck         []*kind
}

func newDrawer(a world.Architecture, seed uint64, life int, longest time.Duration, clocks bool) *drawer {
	return &drawer{Rand: rand.New(rand.NewPCG(seed, uint64(life))), architecture: a, longest: longest, clocks: clocks}
}

// setup is what the next lab is set up with.
func (d *drawer) setup() world.Setup {
	u := world.Setup{
		Architecture: d.architecture,
		Persistence:  world.Persistence(d.IntN(3)),
		Backlog:      []int64{256 << 20, 256 << 20, 256 << 20, 16 << 10}[d.IntN(4)],
		Keys:         []int64{0, 0, 100_000}[d.IntN(3)],
	}
	switch d.architecture {
	case world.Witness:
		u.Witnesses = 1
	case world.Pair:
		u.Gateway = d.IntN(2) == 0
	}
	d.gateway = u.Gateway
	return u
}

// round is what goes wrong until all must be well again: mostly one thing; at times more
// at once, or one just after another.
func (d *drawer) round() []Fault {
	faults := []Fault{d.fault(0)}
	more := []int{0, 0, 0, 0, 0, 0, 1, 1, 1, 2}[d.IntN(10)]
	if faults[0].kind.restless {
		more = max(more, 1)
	}
	for tries := 0; more > 0 && tries < 100; tries++ {
		near := faults[d.IntN(len(faults))]
		f := d.fault(max(0, near.At+time.Duration(d.IntN(2))*near.For+time.Duration(d.IntN(3000)-500)*time.Millisecond))
		if near.kind.restless { // within its time
			f.At = near.At + time.Duration(d.Int64N(int64(min(near.For, time.Second))))
		}
		if f.kind.restless && faults[0].kind.restless && len(faults) == 1 || slices.ContainsFunc(faults, f.collides) {
			continue
		}
		faults = append(faults, f)
		more--
	}
	slices.SortStableFunc(faults, func(a, b Fault) int { return cmp.Compare(a.At, b.At) })
	return faults
}

func (d *drawer) fault(at time.Duration) Fault {
	nodes := d.architecture.Nodes()
	f := Fault{At: at, For: d.length(), On: max(0, d.IntN(2*nodes)-nodes), kind: d.kind(), on: d.architecture} // the active one more often
	hosts := nodes + 2                                                                                         // and the clients
	third := d.gateway || d.architecture == world.Witness
	if third {
		hosts++
	}
	switch f.kind.seat {
	case programs, disk:
		f.For = max(f.For, 2*time.Second)
	}
	switch {
	case f.kind.between:
		f.To = (f.On + 1 + d.IntN(nodes-1)) % nodes
		if d.IntN(3) == 0 {
			f.To = nodes + d.IntN(hosts-nodes)
		}
	case f.kind.anyHost && d.architecture == world.Witness && d.IntN(4) == 0:
		f.On = hosts - 1
	}
	return f
}

// rotated is the fault where another node is the active one.
func (f Fault) rotated(active int) Fault {
	nodes := f.on.Nodes()
	for _, number := range []*int{&f.On, &f.To} {
		if *number < nodes {
			*number = (*number + active) % nodes
		}
	}
	return f
}

// kind is the next card: each comes as often as any other, but for what is done by hand.
func (d *drawer) kind() *kind {
	if len(d.deck) == 0 {
		for _, k := range kinds {
			if k.possible(d.architecture) && (!k.byHand || d.IntN(2) == 0) && (k.seat != clock || d.clocks) {
				d.deck = append(d.deck, k)
			}
		}
		d.Shuffle(len(d.deck), func(i, j int) { d.deck[i], d.deck[j] = d.deck[j], d.deck[i] })
	}
	k := d.deck[0]
	d.deck = d.deck[1:]
	return k
}

// length is how long a fault lasts: moments, seconds, or until everybody has noticed.
func (d *drawer) length() time.Duration {
	most := []time.Duration{500 * time.Millisecond, 3 * time.Second, 12 * time.Second, 12 * time.Second, d.longest}[d.IntN(5)]
	return 20*time.Millisecond + time.Duration(d.Int64N(int64(min(most, d.longest)))).Truncate(time.Millisecond)
}

// rest is how long nothing happens before a round.
func (d *drawer) rest() time.Duration { return time.Duration(d.IntN(3000)) * time.Millisecond }

// collides says whether two faults cannot be had together: one part of a host has one at a
// time, and what is down has none.
func (f Fault) collides(o Fault) bool {
	switch {
	case f.kind.seat == network || o.kind.seat == network:
		return f.kind == o.kind && f.On == o.On && f.To == o.To
	case f.kind.everywhere || o.kind.everywhere:
		return true
	case f.On != o.On:
		return false
	case f.kind.seat == host || o.kind.seat == host:
		return f.kind.seat != programs && o.kind.seat != programs // power may be lost in an upgrade
	}
	return f.kind.seat == o.kind.seat && f.kind.seat != order
}
