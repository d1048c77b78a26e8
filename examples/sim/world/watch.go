package world

import (
	"fmt"
	"time"

	"redis-vip/checks"
	"redis-vip/hooks"
)

// Invariant is something that must hold in every run.
type Invariant uint8

// The invariants.
const (
	None    Invariant = iota
	Loss              // an acknowledged write is on the winner, or preserved
	Ring              // replicas do not follow each other for long
	Live              // after the faults, one fit master has the VIP, and the other follows
	Flap              // and the VIP comes to rest
	Newer             // older data does not win while the newer node can be reached
	Healthy           // a healthy pair is left alone
	Single            // with a witness, one master at a time takes writes
)

var invariants = [...]string{None: "none", Loss: "loss", Ring: "ring", Live: "live", Flap: "flap", Newer: "newer", Healthy: "healthy", Single: "single"}

func (i Invariant) String() string { return invariants[i] }

// The bounds.
const (
	// ringBound: two checks see it (2 s each), and a hook mends it (10 s at most, and
	// again after a reason that lasts as long as a master was seen a moment ago).
	ringBound = 20 * time.Second
	// liveBound: a node that knows nothing waits for 2 × boot-wait, then the checks
	// (rise × interval), VRRP (4 s) and a hook (10 s).
	liveBound = 2*bootWait + 45*time.Second
	// quietTime is how long all must be well before a run ends: longer than the checks
	// need to change their mind.
	quietTime = 9 * time.Second
	// flapBound is how often the VIP may come to a node after the faults: to the one
	// that boots first, to the one with the better data, and back where a check
	// noticed too late.
	flapBound = 3
	// newerBound is how long the newer node must have been there for the older one to
	// know: two checks, and the time that a write takes on the slowest link.
	newerBound = 6 * time.Second
	// singleBound is how long a master may go on after the other one took a write.
	singleBound = 0
	watchEvery  = 500 * time.Millisecond
)

// watch looks at everything from outside.
type watch struct {
	world     *world
	violated  Invariant
	what      string
	at        time.Duration
	healed    time.Duration // when the last fault ended; 0: not yet
	moves     []move
	acked     []*entry
	exempt    int // acknowledged writes that died with their last holder
	unwatched int // those that Redis threw away before any program could look
	saved     int
	ringSince time.Duration
	goodSince time.Duration
	verdicts  [8]checks.Verdict
	done      bool
}

type move struct {
	at time.Duration
	to *host
}

func (w *world) violate(i Invariant, format string, args ...any) {
	if w.watch.violated != None {
		return
	}
	w.watch.violated, w.watch.what, w.watch.at = i, fmt.Sprintf(format, args...), w.now
	w.note("", "*** %s: %s", i, w.watch.what)
	w.ended = true
}

func (w *world) vipMoved(h *host) {
	if h.vip {
		w.watch.moves = append(w.watch.moves, move{w.now, h})
		w.note(h.name, "VIP here")
	} else {
		w.note(h.name, "VIP gone")
	}
}

func (w *world) acknowledged(r *redis, e *entry) {
	e.acked, e.at = true, w.now
	w.watch.acked = append(w.watch.acked, e)
	r.acked = w.now
	if w.setup.Architecture != Witness {
		return
	}
	for _, h := range w.nodes {
		// The other one has taken a write since this one became the master.
		if o := h.redis; o != r && o.master() && !o.isPaused() && o.acked > r.elected && w.now-o.acked <= singleWindow && w.now-o.elected > singleBound && o.elected > r.elected &&
			!w.excused(r.host) && !w.excused(h) && !r.byHand && !o.byHand {
			w.violate(Single, "%s takes a write, and %s is the master since %v", r.host.name, h.name, o.elected)
		}
	}
}

// singleWindow: what is longer ago is another story.
const singleWindow = 10 * time.Second

// excused says whether nothing could stop the writers of a host: it was frozen, or its
// programs were.
func (w *world) excused(h *host) bool {
	k := h.keepalived
	return !k.running || k.frozen || w.now-h.watched < excusedFor || w.now-h.redis.woken < excusedFor
}

// excusedFor is how long after that: a check starts a guard, which looks.
const excusedFor = 4 * time.Second

// living says whether a write is anywhere but in the memory of r.
func (w *world) living(e *entry) bool {
	for _, h := range w.nodes {
		switch r := h.redis; {
		case r.running && r.head.has(e), !r.running && r.image.head.has(e):
			return true
		}
	}
	return w.filed(e)
}

func (w *world) filed(e *entry) bool {
	for _, h := range w.nodes {
		for _, f := range h.disk.files {
			if f.has(e) {
				return true
			}
		}
	}
	return false
}

// Why data may vanish without a trace.
const (
	died      = "" // with the last process that had it
	byHand    = "by hand"
	unwatched = "unwatched" // Redis has linked itself again before any program could look
)

// letGoBound is how long our programs need to see that a replica waits for a master
// that is none any more: the silence that is borne, a check, and a hook.
const letGoBound = checks.Silence + 8*time.Second

// vanished is called when a server has another data set than before.
func (w *world) vanished(r *redis, old, head *entry, how string) {
	common := fork(old, head)
	for e := old; e != nil && e != common; e = e.parent {
		if !e.acked || e.lost || w.living(e) {
			continue
		}
		e.lost = true
		switch how {
		case died, byHand:
			w.watch.exempt++
		case unwatched:
			w.watch.unwatched++
		default:
			w.violate(Loss, "%s loses write %d and others by %s, and they are nowhere else", r.host.name, e.write, how)
			return
		}
	}
}

// promoted is called when a server has become a master.
func (w *world) promoted(r *redis) {
	r.elected = w.now
	for _, h := range w.nodes {
		o := h.redis
		if o == r || r.host.disk.memory.Provisional || r.byHand || o.byHand || !o.running || w.now-o.fit < newerBound || w.now-o.reachable < newerBound || w.now-h.watched < 2*bootWait+newerBound {
			continue
		}
		common := fork(o.head, r.head)
		for e := o.head; e != common; e = e.parent {
			if e.acked && w.now-e.at > newerBound && !w.filed(e) {
				w.violate(Newer, "%s becomes the master, and %s has write %d of %v", r.host.name, h.name, e.write, e.at)
				return
			}
		}
	}
}

// reachability notes since when the nodes can talk to each other and to their Redis.
func (w *world) reachability() {
	a, b := w.nodes[0], w.nodes[1]
	for _, h := range w.nodes {
		k := h.keepalived
		if !h.redis.serves() || h.redis.loading || !k.running || k.frozen || h.run.raised {
			h.redis.fit = w.now
		}
		if !w.network.both(a, b) || w.network.troubled(a, b) {
			h.redis.reachable = w.now
		}
	}
}

func (w *world) judged(h *host, f checks.Facts, v checks.Verdict) {
	if w.timeline != nil && w.watch.verdicts[h.id] != v {
		fit := "unfit"
		if v.Fit {
			fit = "fit"
		}
		w.note(h.name, "redis-check: %s, %s, drift %v; %s%s", fit, v.Reason, v.Drift, hooks.Describe(f.Node.Facts), peers(f))
	}
	w.watch.verdicts[h.id] = v
}

func peers(f checks.Facts) (text string) {
	for _, p := range f.Peers {
		text += "; the other: " + hooks.Describe(p.Facts)
	}
	return text
}

func (w *world) record(h *host, r *hooks.Record) {
	if w.timeline == nil {
		return
	}
	w.note(h.name, "%s ends: %s; %v", r.Event, r.Message(), r.Actions)
	for _, warning := range r.Warnings {
		w.note(h.name, "  %v", warning)
	}
}

// look is what the watch does every half second.
func (w *world) look() {
	w.after(watchEvery, w.look)
	w.reachability()
	t := &w.watch
	switch ring := w.ring(); {
	case !ring:
		t.ringSince = 0
	case t.ringSince == 0:
		t.ringSince = w.now
	case w.now-t.ringSince > ringBound:
		w.violate(Ring, "the replicas follow each other since %v", t.ringSince)
		return
	}
	if t.healed == 0 {
		return
	}
	why := w.wrong()
	switch {
	case why != "":
		t.goodSince = 0
		if w.now-t.healed > liveBound {
			w.violate(Live, "%v after the last fault: %s", w.now-t.healed, why)
		}
	case t.goodSince == 0:
		t.goodSince = w.now
	case w.now-max(t.goodSince, w.lastMove()) > quietTime:
		w.finish()
	}
}

func (w *world) lastMove() time.Duration {
	if n := len(w.watch.moves); n > 0 {
		return w.watch.moves[n-1].at
	}
	return 0
}

// ring says whether two replicas that could be told otherwise follow each other.
func (w *world) ring() bool {
	for i, a := range w.nodes {
		for _, b := range w.nodes[i+1:] {
			if a.redis.serves() && b.redis.serves() && a.redis.upstream != nil && b.redis.upstream != nil &&
				a.redis.upstream.addr == b.redis.addr && b.redis.upstream.addr == a.redis.addr &&
				w.network.both(a, b) && a.keepalived.running && !a.keepalived.frozen && b.keepalived.running && !b.keepalived.frozen {
				return true
			}
		}
	}
	return false
}

// wrong is what is not as it should be in the end.
func (w *world) wrong() string {
	var holder *host
	for _, h := range w.nodes {
		if h.vip {
			if holder != nil {
				return "both nodes have the VIP"
			}
			holder = h
		}
	}
	if holder == nil {
		return "no node has the VIP" + w.reasons()
	}
	m := holder.redis
	if !m.master() || m.loading {
		return fmt.Sprintf("the VIP is on %s, whose Redis is %s%s", holder.name, m, w.reasons())
	}
	if m.isPaused() {
		return fmt.Sprintf("the writers of %s wait%s", holder.name, w.reasons())
	}
	for _, h := range w.nodes {
		if h == holder {
			continue
		}
		u := h.redis.upstream
		if u == nil || u.addr != m.addr || u.link == nil || u.link.state != online || h.redis.loading {
			return fmt.Sprintf("%s is %s and does not hear %s%s", h.name, h.redis, holder.name, w.reasons())
		}
		if h.redis.isPaused() {
			return fmt.Sprintf("%s is paused", h.name)
		}
	}
	for _, h := range w.nodes {
		if !w.watch.verdicts[h.id].Fit || h.keepalived.state == vrrpFault {
			return fmt.Sprintf("%s is unfit%s", h.name, w.reasons())
		}
	}
	return ""
}

func (w *world) reasons() (text string) {
	for _, h := range w.nodes {
		text += fmt.Sprintf("; %s: %s, keepalived %s, %s", h.name, w.watch.verdicts[h.id].Reason, vrrpStates[h.keepalived.state], h.redis)
	}
	return text
}

// finish is the end of a run in which all is well.
func (w *world) finish() {
	t := &w.watch
	n := 0
	for _, m := range t.moves {
		if m.at > t.healed {
			n++
		}
	}
	if n > flapBound {
		w.violate(Flap, "the VIP has moved %d times after the last fault", n)
		return
	}
	if w.benign && len(t.moves) > 1 {
		w.violate(Healthy, "the VIP has moved, and nothing was wrong with the nodes")
		return
	}
	var master *redis
	for _, h := range w.nodes {
		if h.vip {
			master = h.redis
		}
	}
	for _, e := range t.acked {
		if !e.lost && !master.head.has(e) {
			if !w.filed(e) {
				w.violate(Loss, "write %d is neither on the master nor preserved", e.write)
				return
			}
			t.saved++
		}
	}
	t.done = true
	w.ended = true
}
