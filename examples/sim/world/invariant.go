package world

import (
	"fmt"
	"time"

	"redis-vip/checks"
)

// Invariant is something that must hold in every run.
type Invariant uint8

// The invariants.
const (
	None     Invariant = iota
	Loss               // an acknowledged write is on the winner, or preserved
	Ring               // replicas do not follow each other for long
	Live               // after the faults, one fit master has the VIP, and the other follows
	Flap               // and the VIP comes to rest
	Newer              // older data does not win while the newer node can be reached
	Healthy            // a healthy pair is left alone
	Single             // with a witness, one master at a time takes writes
	Service            // clients do not wait while a node could serve them
	Isolated           // who reaches nobody takes no writes
	Paused             // no replica is left paused
	Half               // nobody is made a master in the middle of a full copy
	Split              // of two masters that both serve, one hears of the other, and ends it
	Hasty              // who knows that it lacks writes waits for the one that had them a moment ago
)

var invariants = [...]string{None: "none", Loss: "loss", Ring: "ring", Live: "live", Flap: "flap", Newer: "newer", Healthy: "healthy", Single: "single", Service: "service", Isolated: "isolated", Paused: "paused", Half: "half", Split: "split", Hasty: "hasty"}

func (i Invariant) String() string { return invariants[i] }

// The bounds.
const (
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
	// hastyBound is how long a master is waited for that has just died: a process starts
	// again within that time. Of what lies further back than staleBound a node knows
	// that it lacks it: bootWait / 3, and what a check takes.
	hastyBound = 5 * time.Second
	staleBound = bootWait/3 + newerBound
	// singleBound is how long a master may go on after the other one took a write.
	singleBound = 0
	watchEvery  = 500 * time.Millisecond
)

// ringBounds: under keepalived two checks see it (2 s each), and a hook mends it (10 s
// at most), and another where the first had another goal. Under Sentinel, a master that
// is a replica is one for 21 s (down-after and 2 × 10 s, sentinel.c), then the Sentinels
// choose for some 10 s.
var ringBounds = [...]time.Duration{Pair: 20 * time.Second, Witness: 20 * time.Second, Sentinel: 45 * time.Second}

func (w *world) violate(i Invariant, format string, args ...any) {
	if w.watch.violated != None {
		return
	}
	w.watch.violated, w.watch.what, w.watch.at = i, fmt.Sprintf(format, args...), w.now
	w.note("", "*** %s: %s", i, w.watch.what)
	w.ended = true
}

func (w *world) acknowledged(r *redis, e *entry) {
	e.acked, e.at = true, w.now
	w.watch.acked = append(w.watch.acked, e)
	r.acked = w.now
	w.alone(r.host)
	if w.setup.Architecture != Witness {
		return
	}
	for _, h := range w.nodes {
		// The other one has taken a write since this one became the master.
		if o := h.redis; o != r && o.master() && o.serves() && !o.isPaused() && o.acked > r.elected && w.now-o.acked <= singleWindow && w.now-o.elected > singleBound && o.elected > r.elected &&
			!w.excused(r.host) && !w.excused(h) && !r.byHand && !o.byHand {
			w.violate(Single, "%s takes a write, and %s is the master since %v", r.host.name, h.name, o.elected)
		}
	}
}

// singleWindow: what is longer ago is another story.
const singleWindow = 10 * time.Second

// excused says whether nothing could stop the writers of a host: it was frozen, or its
// programs were. A guard needs nobody who starts it again.
func (w *world) excused(h *host) bool {
	return w.now-min(h.lookedAfter(), h.unguarded) < excusedFor || w.now-h.redis.woken < excusedFor
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
	died       = "" // with the last process that had it
	byHand     = "by hand"
	bySentinel = "by Sentinel" // where no program of ours could be faster
	unwatched  = "unwatched"   // Redis has linked itself again before any program could look
)

// orderedBound is how long our programs need to demote a master before Sentinel does,
// after 8 s: a run of reconcile every 2 s, and what a preservation takes.
const orderedBound = 8 * time.Second

// letGoBound is how long our programs need to see that a replica waits for a master
// that is none any more: the silence that is borne, a check or a run of reconcile, and a
// hook.
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
		case bySentinel:
			w.watch.discarded++
		case unwatched:
			w.watch.unwatched++
		default:
			w.violate(Loss, "%s loses write %d and others by %s, and they are nowhere else", r.host.name, e.write, how)
			return
		}
	}
}

// outdated is called when a program of ours is about to make a master of r.
func (w *world) outdated(r *redis) {
	for _, h := range w.nodes {
		o := h.redis
		if o == r || r.host.disk.memory.Provisional || r.byHand || o.byHand || !o.running || o.fresh() && o.replid != r.replid && !r.predates(o) || r.awaits(o) || w.now-o.fit < newerBound || w.now-w.troubledAt < newerBound || w.now-h.lookedAfter() < w.yieldTime(r, o) {
			continue
		}
		if !w.network.both(r.host, h) { // since less than watchEvery: troubledAt does not know yet
			continue
		}
		if e := w.lacks(r.head, o.head); e != nil && !goesOn(r.head, o.head) {
			w.violate(Newer, "%s becomes the master, and %s has write %d of %v", r.host.name, h.name, e.write, e.at)
			return
		}
	}
}

// fresh says whether a server has been nobody's since its start: nobody can tell how old
// its data is, unless it was loaded with the history of it.
func (r *redis) fresh() bool {
	u := r.upstream
	return r.running && u != nil && (u.link == nil || u.link.state != online) && u.downSince == 0
}

// predates says whether r has loaded a file from before the history that it remembers, and
// o has data of that one. It does not wait for ever for that.
func (r *redis) predates(o *redis) bool {
	return r.fresh() && r.replid != o.replid && r.offset() > 0 && r.host.disk.memory.ReplID == o.replid && r.world.now-r.began < 3*bootWait
}

// awaits says whether r is the replica of o on a connection on which packets were lost,
// and cannot ask for them on another: what is under way is waited for a second, and then
// preserved.
func (r *redis) awaits(o *redis) bool {
	u := r.upstream
	return u != nil && u.link != nil && u.link.master == o && u.link.pending && o.reaches() > r.offset()+1
}

// yieldTime is how long something must have looked after a newer node, for the older one
// to wait for it: a master may be paused, or without keepalived, and is waited for; a
// replica is not for ever. One that was in sight for boot_wait has had its time, if
// nothing could make a master of it until the end of that.
func (w *world) yieldTime(r, o *redis) time.Duration {
	switch {
	case o.master():
		return 0
	case r.host.disk.memory.Better.For(epoch.Add(w.now+r.host.skew)) >= bootWait:
		return bootWait
	default:
		return newerBound
	}
}

// lacks is an acknowledged write, and not one of this moment, that other has, a has not,
// and no file.
func (w *world) lacks(a, other *entry) *entry {
	common := fork(other, a)
	for e := other; e != common; e = e.parent {
		if e.acked && w.now-e.at > newerBound && !w.filed(e) {
			return e
		}
	}
	return nil
}

// goesOn says whether a has acknowledged writes of its own since it and other parted: it is not
// older, and whichever wins, those of the other one go to a file.
func goesOn(a, other *entry) bool {
	common := fork(a, other)
	for e := a; e != common; e = e.parent {
		if e.acked {
			return true
		}
	}
	return false
}

// look is what the watch does every half second.
func (w *world) look() {
	w.after(watchEvery, w.look)
	w.reachability()
	w.isolate()
	w.divide()
	w.wait()
	w.refuse()
	w.serve()
	t := &w.watch
	switch ring := w.ring(); {
	case !ring:
		t.ringSince = 0
	case t.ringSince == 0:
		t.ringSince = w.now
	case w.now-t.ringSince > ringBounds[w.setup.Architecture]:
		w.violate(Ring, "the replicas follow each other since %v", t.ringSince)
		return
	}
	if t.healed == 0 {
		return
	}
	for _, h := range w.nodes {
		if h.redis.loading {
			t.healed = w.now // that ends by itself
		}
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
