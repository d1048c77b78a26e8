package world

import (
	"fmt"
	"time"

	"redis-vip/checks"
	"redis-vip/hooks"
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
	discarded int // those that Sentinel threw away where no program could be faster
	saved     int
	ringSince time.Duration
	united    time.Duration // when last not two of them served
	unrest    time.Duration // when more was last wrong than that something is dead
	goodSince time.Duration
	verdicts  [8]checks.Verdict
	done      bool
}

type move struct {
	at time.Duration
	to *host
}

func (w *world) vipMoved(h *host) {
	if h.vip {
		w.watch.moves = append(w.watch.moves, move{w.now, h})
		w.note(h.name, "VIP here")
	} else {
		w.note(h.name, "VIP gone")
	}
}

// reachability notes since when the nodes can talk to each other and to their Redis.
func (w *world) reachability() {
	for i, a := range w.nodes {
		for _, b := range w.nodes[i+1:] {
			if !w.network.both(a, b) || w.network.troubled(a, b) {
				w.troubledAt = w.now
			}
			if w.network.troubled(a, b) {
				w.crooked = w.now
			}
		}
	}
	if w.setup.Architecture == Sentinel {
		if named, found := w.majority(); !found || named != w.named {
			w.named, w.namedAt = named, w.now
		}
	}
	for _, h := range w.nodes {
		if h.run.guard.atWork == nil || !h.awake() || h.run.failing {
			h.unguarded = w.now
		}
		if !h.redis.receives() {
			h.redis.whole = w.now
		}
		if r := h.redis; r.serves() && r.master() && !r.loading {
			if w.now-r.led > 2*watchEvery {
				r.leads = w.now
			}
			r.led = w.now
		}
		if h.sentinel != nil && !w.informed(h) {
			h.puzzled = w.now
		}
		if !h.redis.serves() || h.redis.loading || !h.managed() && !h.redis.master() {
			h.redis.fit = w.now
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

func (w *world) lastMove() time.Duration {
	if n := len(w.watch.moves); n > 0 {
		return w.watch.moves[n-1].at
	}
	return 0
}

// majority is whom most of the Sentinels name.
func (w *world) majority() (named int, found bool) {
	for i := range w.nodes {
		n := 0
		for _, h := range w.nodes {
			if h.sentinel.awake() && h.sentinel.named() == i {
				n++
			}
		}
		if n > len(w.nodes)/2 {
			return i, true
		}
	}
	return 0, false
}

// informed says whether a host reaches a majority of the Sentinels that name the same
// master.
func (w *world) informed(h *host) bool {
	for i := range w.nodes {
		n := 0
		for _, other := range w.nodes {
			if s := other.sentinel; s.awake() && s.named() == i && w.network.both(h, other) {
				n++
			}
		}
		if n > len(w.nodes)/2 {
			return true
		}
	}
	return false
}

// ring says whether two replicas that could be told otherwise follow each other.
func (w *world) ring() bool {
	for i, a := range w.nodes {
		for _, b := range w.nodes[i+1:] {
			if a.redis.serves() && b.redis.serves() && a.redis.upstream != nil && b.redis.upstream != nil &&
				a.redis.upstream.addr == b.redis.addr && b.redis.upstream.addr == a.redis.addr &&
				w.network.both(a, b) && a.managed() && b.managed() {
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
	if holder.sentinel != nil {
		// Two with the same config-epoch never agree, and do no harm.
		if names, found := w.majority(); !found || w.nodes[names] != holder {
			return "the majority of the Sentinels does not name " + holder.name + w.reasons()
		}
	}
	for _, h := range w.nodes {
		if h == holder {
			continue
		}
		u := h.redis.upstream
		if u == nil || u.addr != m.addr || u.link == nil || u.link.state != online || !u.link.masterOpen || h.redis.loading {
			return fmt.Sprintf("%s is %s and does not hear %s%s", h.name, h.redis, holder.name, w.reasons())
		}
		if h.redis.isPaused() {
			return fmt.Sprintf("%s is paused", h.name)
		}
	}
	for _, h := range w.nodes {
		if h.sentinel != nil {
			continue
		}
		if !w.watch.verdicts[h.id].Fit || h.keepalived.state == vrrpFault {
			return fmt.Sprintf("%s is unfit%s", h.name, w.reasons())
		}
	}
	return ""
}

func (w *world) reasons() (text string) {
	for _, h := range w.nodes {
		if h.sentinel != nil {
			text += fmt.Sprintf("; %s: %s, Sentinel names %s", h.name, h.redis, w.nodes[h.sentinel.named()].name)
			continue
		}
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
