package world

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"redis-vip/checks/node"
)

// Setup is what a run begins with.
type Setup struct {
	Architecture Architecture
	Seed         uint64
	Persistence  Persistence
	Backlog      int64         // repl-backlog-size
	CopyTime     time.Duration // of a full copy
	Keys         int64         // that are there already
	Overwrites   bool          // the writers change them, and add none
	Gateway      bool
	Witnesses    int
	Swapped      bool // the second node has the higher priority
	Little       bool // there is so little data that no server ever takes long to load it
}

// Architecture is how the hosts are set up.
type Architecture uint8

// The architectures of examples/.
const (
	Pair Architecture = iota
	Witness
	Sentinel
)

var architectures = [...]string{Pair: "pair", Witness: "witness", Sentinel: "sentinel"}

func (a Architecture) String() string { return architectures[a] }

// Nodes is how many nodes it has.
func (a Architecture) Nodes() int {
	if a == Sentinel {
		return 3
	}
	return 2
}

// Architectures are all of them.
func Architectures() []Architecture { return []Architecture{Pair, Witness, Sentinel} }

// UnmarshalText reads the architecture's name.
func (a *Architecture) UnmarshalText(text []byte) error {
	for i, name := range architectures {
		if name == string(text) {
			*a = Architecture(i)
			return nil
		}
	}
	return fmt.Errorf("%q: write one of %s", text, strings.Join(architectures[:], ", "))
}

// world is everything in one run.
type world struct {
	engine
	setup      Setup
	random     *rand.Rand
	network    *network
	hosts      []*host
	nodes      []*host
	clients    []*client
	gateway    *host
	witnesses  []*witness
	names      int
	troubledAt time.Duration // when two nodes last could not talk to each other as they should
	named      int           // whom most of the Sentinels name
	namedAt    time.Duration // and since when
	crooked    time.Duration // when a way between two nodes was last not what it should be
	writes     int
	benign     bool // nothing goes wrong that the nodes have to do with

	watch    watch
	timeline func(string) // nil: nobody reads it
}

// stream makes a source of random numbers of its own for each part, so that leaving
// one event out changes as little as possible of the others.
func (s Setup) stream(part uint64) *rand.Rand { return rand.New(rand.NewPCG(s.Seed, part)) }

func build(s Setup, spare *workers) *world {
	w := &world{setup: s, random: s.stream(1)}
	w.engine.spare = spare
	w.watch.world = w
	root := nothing().next(0, 0)
	root.keys = s.Keys
	for i := range s.Architecture.Nodes() {
		h := w.addHost(fmt.Sprintf("redis%d", i+1))
		w.nodes = append(w.nodes, h)
		h.redis = &redis{
			world: w, host: h, random: s.stream(100 + uint64(i)),
			addr:  netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 168, 0, byte(i + 1)}), 6379),
			image: image{head: root}, boots: node.Nobody,
		}
		if s.Architecture == Sentinel {
			h.sentinel = &sentinel{host: h, random: s.stream(300 + uint64(i)), addr: netip.AddrPortFrom(h.redis.addr.Addr(), 26379)}
			continue
		}
		h.keepalived = &keepalived{host: h, times: timesOf[s.Architecture], priority: 250 - 10*i}
	}
	if s.Swapped && s.Architecture != Sentinel {
		a, b := w.nodes[0].keepalived, w.nodes[1].keepalived
		a.priority, b.priority = b.priority, a.priority
	}
	for i := range 2 {
		h := w.addHost(fmt.Sprintf("client%d", i+1))
		c := &client{host: h, random: s.stream(200 + uint64(i)), every: clientEvery}
		w.clients = append(w.clients, c)
	}
	for i := range s.Witnesses {
		h := w.addHost(fmt.Sprintf("witness%d", i+1))
		h.witness = &witness{host: h, birth: -time.Hour}
		w.witnesses = append(w.witnesses, h.witness)
	}
	if s.Gateway {
		w.gateway = w.addHost("gateway")
	}
	w.network = newNetwork(&w.engine, s.stream(2), len(w.hosts))
	return w
}

// copyTime is how long a full copy takes. The first one was long ago.
func (w *world) copyTime() time.Duration {
	if w.now < earliest/2 {
		return time.Millisecond
	}
	return w.setup.CopyTime
}

// clientEvery is the time from one write to the next.
const clientEvery = 80 * time.Millisecond

func (w *world) addHost(name string) *host {
	h := &host{world: w, id: len(w.hosts), name: name, up: true, booted: -time.Hour, watched: -time.Hour, random: w.setup.stream(10 + uint64(len(w.hosts)))}
	h.run.token = w.name("boot")
	w.hosts = append(w.hosts, h)
	return h
}

// settleDown brings the pair to where it has long been: the first node is the master
// and has the VIP, the other one follows.
func (w *world) settleDown() {
	const long = 3600
	for _, h := range w.nodes {
		h.redis.exec()
		h.redis.ready()
		h.redis.birth -= long
		h.redis.began -= long * time.Second
	}
	a, b := w.nodes[0], w.nodes[1]
	a.redis.upstream = nil
	a.redis.second = -1
	for _, h := range w.nodes[1:] {
		h.redis.follow(a.redis.addr)
	}
	for _, c := range w.clients {
		c.again(clientEvery)
	}
	if w.setup.Architecture == Sentinel {
		for i, h := range w.nodes {
			if i > 0 && w.setup.Swapped { // as Sentinel leaves them after a failover
				h.redis.rewrite()
			}
			h.sentinel.start()
			h.soon(time.Duration(h.random.Int64N(int64(reconcileTick))), h.timer)
		}
		a.setVIP(true)
		a.announce()
		return
	}
	for _, h := range w.nodes {
		k := h.keepalived
		k.life++
		k.running, k.judged, k.fit, k.results = true, true, true, k.times.rise+k.times.fall-1
		k.soon(time.Duration(h.random.Int64N(int64(k.times.interval))), k.check)
	}
	b.keepalived.enter(vrrpBackup)
	a.keepalived.lead()
}

// name makes an ID: of a process, or of a history.
func (w *world) name(prefix string) string {
	w.names++
	return prefix + strconv.Itoa(w.names)
}

// runID is a random number, as a server makes one at its start. Of equal replicas,
// Sentinel takes the one with the least (sentinel.c, compareSlavesForPromotion).
func (w *world) runID() string {
	w.names++
	return fmt.Sprintf("%016x", w.setup.stream(1<<32+uint64(w.names)).Uint64())
}

// redisAt is the server at an address, if there can be one.
func (w *world) redisAt(addr netip.AddrPort) *redis {
	for _, h := range w.nodes {
		if h.redis.addr == addr {
			return h.redis
		}
	}
	return nil
}

// nameOf names an address.
func (w *world) nameOf(addr netip.AddrPort) string {
	if r := w.redisAt(addr); r != nil {
		return r.host.name
	}
	return "nobody"
}

// whoHas is an ARP request for the VIP: one of those who answer.
func (w *world) whoHas(asks *host) (found *host) {
	n := 0
	for _, h := range w.nodes {
		if h.vip && w.network.both(asks, h) {
			if n++; w.random.IntN(n) == 0 {
				found = h
			}
		}
	}
	return found
}

// note writes a line of the timeline.
func (w *world) note(who, format string, args ...any) {
	if w.timeline != nil {
		w.timeline(fmt.Sprintf("%8.3f  %-9s %s", w.now.Seconds(), who, fmt.Sprintf(format, args...)))
	}
}
