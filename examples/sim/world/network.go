package world

import (
	"math/rand/v2"
	"time"
)

// network is one switch. Whatever goes wrong with it does so for one direction
// between two hosts.
type network struct {
	engine *engine
	random *rand.Rand
	routes [][]route // from, to
}

type route struct {
	cut  bool
	loss float64       // of a packet
	slow time.Duration // on top of what is usual
}

// Delays of one packet on a healthy network.
const (
	wireLeast  = 60 * time.Microsecond
	wireJitter = 300 * time.Microsecond
	loopLeast  = 30 * time.Microsecond
	loopJitter = 60 * time.Microsecond
)

func newNetwork(e *engine, random *rand.Rand, hosts int) *network {
	n := &network{engine: e, random: random, routes: make([][]route, hosts)}
	for i := range n.routes {
		n.routes[i] = make([]route, hosts)
	}
	return n
}

// open says whether packets get from one host to another at all. A host that is down,
// or frozen with its kernel, takes none.
func (n *network) open(from, to *host) bool {
	return !n.routes[from.id][to.id].cut && to.awake() && from.awake()
}

// both says whether two hosts can talk.
func (n *network) both(a, b *host) bool { return n.open(a, b) && n.open(b, a) }

// troubled says whether the way between two hosts is not what it should be.
func (n *network) troubled(a, b *host) bool {
	return n.routes[a.id][b.id] != route{} || n.routes[b.id][a.id] != route{}
}

// datagram is how long one packet takes, if it arrives.
func (n *network) datagram(from, to *host) (time.Duration, bool) {
	r := &n.routes[from.id][to.id]
	if r.cut || r.loss > 0 && n.random.Float64() < r.loss {
		return 0, false
	}
	return n.delay(from, to), true
}

func (n *network) delay(from, to *host) time.Duration {
	if from == to {
		return loopLeast + time.Duration(n.random.Int64N(int64(loopJitter)))
	}
	return wireLeast + time.Duration(n.random.Int64N(int64(wireJitter))) + n.routes[from.id][to.id].slow
}

// segment is how long data on a connection takes one way, with what TCP sends again
// after first. The packets that confirm it count as well: without them it is sent
// again, too, but late only where the data was lost.
func (n *network) segment(from, to *host, first time.Duration) time.Duration {
	d := n.delay(from, to)
	loss := n.routes[from.id][to.id].loss
	for wait := first; loss > 0 && n.random.Float64() < loss && d < time.Minute; wait *= 2 {
		d += wait
	}
	return d
}

// What TCP waits before it sends again (RFC 6298; Linux's least is 200 ms).
const (
	synAgain  = time.Second
	dataAgain = 200 * time.Millisecond
)

// backOff is how long TCP waits for the next try at a time after it was first in
// want of an answer: 0.2 s, 0.4 s, 0.8 s and so on.
func backOff(waited time.Duration) time.Duration {
	next := dataAgain
	for next <= waited {
		next = 2*next + dataAgain
	}
	return next - waited
}
