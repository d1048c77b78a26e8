package world

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// Schedule is a whole run: what it begins with, and what goes wrong.
type Schedule struct {
	Setup
	Faults []Fault
}

// Draw makes the schedule of a seed, with faults of any kind, or only of some.
func Draw(a Architecture, seed uint64, only ...Kind) Schedule {
	s := Schedule{Setup: Setup{Architecture: a, Seed: seed}}
	r := s.stream(0)
	s.Persistence = Persistence(r.IntN(3))
	s.Backlog = []int64{256 << 20, 256 << 20, 16 << 10, 2 << 10}[r.IntN(4)]
	s.CopyTime = []time.Duration{20 * time.Millisecond, 20 * time.Millisecond, 300 * time.Millisecond, 4 * time.Second}[r.IntN(4)]
	s.Keys = []int64{0, 1000}[r.IntN(2)]
	if a == Witness {
		s.Witnesses = 1 + 2*r.IntN(2)
	} else if a == Pair {
		s.Gateway = r.IntN(2) == 0
	}
	s.Swapped = r.IntN(2) == 0
	nodes := a.Nodes()
	hosts := nodes + clients + s.Witnesses
	if s.Gateway {
		hosts++
	}
	g := generator{Rand: r, nodes: nodes, hosts: hosts, span: time.Duration(5+r.IntN(36)) * time.Second, harmless: r.IntN(12) == 0 && len(only) == 0, narrow: len(only) > 0}
	for k := range kinds {
		if k.in(a) && (len(only) == 0 || slices.Contains(only, k)) {
			g.all = append(g.all, k)
		}
	}
	for range 1 + r.IntN(5) {
		g.theme = append(g.theme, g.all[r.IntN(len(g.all))])
	}
	for range 1 + r.IntN(6) {
		s.Faults = append(s.Faults, g.next(s.Faults))
	}
	slices.SortStableFunc(s.Faults, func(a, b Fault) int { return cmp.Compare(a.At, b.At) })
	s.Overwrites = r.IntN(2) == 0
	return s
}

// Few are one to three kinds of faults for a seed: what only comes of the same few things
// again and again is rare among faults of any kind.
func Few(a Architecture, seed uint64) (few []Kind) {
	r := Setup{Seed: seed}.stream(3)
	for _, i := range r.Perm(int(kinds)) {
		if k := Kind(i); k.in(a) {
			few = append(few, k)
		}
	}
	return few[:1+r.IntN(3)]
}

// generator draws faults. What goes wrong at once, or just before or after something
// else has, finds more than what does on its own.
type generator struct {
	*rand.Rand
	nodes    int
	hosts    int
	span     time.Duration
	all      []Kind
	theme    []Kind
	harmless bool // to the nodes, that is
	narrow   bool // to the kinds in all
}

func (g *generator) next(before []Fault) Fault {
	f := Fault{
		Kind: g.kind(),
		At:   earliest + time.Duration(g.Int64N(int64(g.span))),
		For:  length(g.Rand), On: g.IntN(g.nodes), Much: float64(g.IntN(100)) / 100,
	}
	if len(before) > 0 && g.IntN(2) == 0 {
		near := before[g.IntN(len(before))]
		f.At = near.At + time.Duration(g.IntN(2))*near.For + time.Duration(g.IntN(5000)-1000)*time.Millisecond
	}
	f.At = max(f.At, earliest).Truncate(time.Millisecond)
	if g.harmless {
		f.Kind = []Kind{HostFrozen, PowerLoss, CutOff, ClockSet, Cut, CutOneWay, Lossy, Slow, HooksKilled}[g.IntN(9)]
		if !f.Kind.between() && g.hosts == g.nodes+clients {
			f.Kind = HooksKilled
		}
	}
	switch {
	case f.Kind.between():
		f.To = (f.On + 1 + g.IntN(g.nodes-1)) % g.nodes
		if g.harmless || g.IntN(3) == 0 {
			f.To = g.nodes + g.IntN(g.hosts-g.nodes)
		}
	case f.Kind.ofHost() && g.hosts > g.nodes+clients && (g.harmless || g.IntN(3) == 0):
		f.On = g.nodes + clients + g.IntN(g.hosts-g.nodes-clients)
	}
	return f
}

// kind is one of the theme, or any; what is done by hand is rarer.
func (g *generator) kind() Kind {
	k := g.all[g.IntN(len(g.all))]
	switch {
	case g.IntN(3) != 0:
		return g.theme[g.IntN(len(g.theme))]
	case k.byHand() && g.IntN(2) == 0 && !g.narrow:
		return []Kind{RedisKilled, PowerLoss, Cut, CutOff}[g.IntN(4)]
	}
	return k
}

func (k Kind) byHand() bool { return k == Promoted || k == Unlinked || k == RingMade }

const (
	earliest = 2 * time.Second
	clients  = 2 // after the nodes come the clients, then the witnesses, then the gateway
)

// length is how long a fault lasts: moments, seconds, or longer than anybody waits.
func length(r *rand.Rand) time.Duration {
	most := []time.Duration{500 * time.Millisecond, 3 * time.Second, 12 * time.Second, 45 * time.Second}[r.IntN(4)]
	return 20*time.Millisecond + time.Duration(r.Int64N(int64(most))).Truncate(time.Millisecond)
}

// Result is what came of a run.
type Result struct {
	Violated  Invariant
	What      string
	At        time.Duration // when
	Took      time.Duration // the whole run, in its own time
	Acked     int           // writes that clients were told are done
	Exempt    int           // of them, those that died with the last process that had them
	Unwatched int           // of them, those that Redis threw away where no program of ours could look
	Discarded int           // of them, those that Sentinel threw away where no program of ours could be faster
	Saved     int           // of them, those that are only in files
	Moves     int           // of the VIP
}

// Err is nil if no invariant was violated.
func (r Result) Err() error {
	if r.Violated == None {
		return nil
	}
	return fmt.Errorf("%s, after %.3f s: %s", r.Violated, r.At.Seconds(), r.What)
}

func (r Result) String() string {
	if err := r.Err(); err != nil {
		return "VIOLATED: " + err.Error()
	}
	return fmt.Sprintf("all held, in %.1f s; the VIP came to a node %d times; of %d acknowledged writes %d are only in files, %d died with the last process that had them, Redis threw %d away where no program could look, Sentinel %d",
		r.Took.Seconds(), r.Moves, r.Acked, r.Saved, r.Exempt, r.Unwatched, r.Discarded)
}

// Add sums up.
func (r *Result) Add(other Result) {
	r.Took += other.Took
	r.Acked += other.Acked
	r.Exempt += other.Exempt
	r.Unwatched += other.Unwatched
	r.Discarded += other.Discarded
	r.Saved += other.Saved
	r.Moves += other.Moves
}

// Runner runs schedules, one after the other.
type Runner struct {
	spare    workers
	Timeline func(string) // told what happens; may be nil
}

// Close frees what a runner keeps.
func (r *Runner) Close() { r.spare.drop() }

// Run is one run.
func (r *Runner) Run(s Schedule) Result { return r.play(s, nil) }

// play is one run, with or without somebody who looks at it.
func (r *Runner) play(s Schedule, o *observer) Result {
	w := build(s.Setup, &r.spare)
	w.timeline = r.Timeline
	w.settleDown()
	if o != nil {
		o.begin(w, s)
	}
	last := 3 * time.Second
	killed := 0
	w.benign = true
	for _, f := range s.Faults {
		w.at(f.At, func() { w.begin(f) })
		w.at(f.At+f.For, func() { w.over(f) })
		last = max(last, f.At+f.For)
		if f.Kind == HooksKilled {
			killed++
		}
		w.benign = w.benign && w.benignFault(f) && killed <= 1
	}
	w.at(last, w.heal)
	w.after(watchEvery, w.look)
	w.run()
	if o != nil {
		o.end()
	}
	for _, h := range w.hosts {
		for len(h.processes) > 0 {
			h.processes[0].kill()
		}
	}
	t := &w.watch
	return Result{
		Violated: t.violated, What: t.what, At: t.at, Took: w.now, Acked: len(t.acked),
		Exempt: t.exempt, Unwatched: t.unwatched, Discarded: t.discarded, Saved: t.saved, Moves: len(t.moves),
	}
}

func (s Schedule) String() string {
	var b strings.Builder
	w := build(s.Setup, nil)
	fmt.Fprintf(&b, "%s, seed %d: persistence %s, backlog %d kB, a full copy takes %v, %d keys (overwritten %v), gateway %v, %d witnesses, priorities swapped %v\n",
		s.Architecture, s.Seed, s.Persistence, s.Backlog>>10, s.CopyTime, s.Keys, s.Overwrites, s.Gateway, s.Witnesses, s.Swapped)
	for _, f := range s.Faults {
		fmt.Fprintf(&b, "  %8.3f  %s\n", f.At.Seconds(), f.describe(w))
	}
	return b.String()
}

// Literal is the schedule as Go source.
func (s Schedule) Literal() string {
	var b strings.Builder
	u := s.Setup
	fmt.Fprintf(&b, "world.Schedule{Setup: world.Setup{Architecture: world.%s, Seed: %d, Persistence: world.%s, Backlog: %d, CopyTime: %d * ms, Keys: %d, Overwrites: %v, Gateway: %v, Witnesses: %d, Swapped: %v}, Faults: []world.Fault{\n",
		architectureNames[u.Architecture], u.Seed, persistenceNames[u.Persistence], u.Backlog, u.CopyTime.Milliseconds(), u.Keys, u.Overwrites, u.Gateway, u.Witnesses, u.Swapped)
	for _, f := range s.Faults {
		fmt.Fprintf(&b, "\t{Kind: world.%s, At: %d * ms, For: %d * ms, On: %d, To: %d, Much: %v},\n",
			kindConstants[f.Kind], f.At.Milliseconds(), f.For.Milliseconds(), f.On, f.To, f.Much)
	}
	return b.String() + "}},"
}

// The names of the constants.
var (
	architectureNames = [...]string{Pair: "Pair", Witness: "Witness", Sentinel: "Sentinel"}
	persistenceNames  = [...]string{NoPersistence: "NoPersistence", Snapshots: "Snapshots", AppendOnly: "AppendOnly"}
	kindConstants     = [...]string{
		"RedisKilled", "RedisStopped", "RedisHangs", "KeepalivedStopped", "KeepalivedKilled", "KeepalivedFrozen", "KeepalivedCrash",
		"HostFrozen", "PowerLoss", "Reboot", "Cut", "CutOneWay", "CutOff", "Lossy", "Slow", "ClockSet", "Maintenance", "Promoted",
		"Unlinked", "RingMade", "HooksKilled", "HooksFail", "SentinelKilled", "SentinelFrozen", "SentinelFailover",
	}
)
