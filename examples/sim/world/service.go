package world

import "time"

// The bounds of what clients see.
const (
	// isolatedBound: a check a second or two, two of them, and a hook; under Sentinel
	// fence-after, and a run of reconcile. Where votes are counted, the guard is sooner.
	isolatedBound = 14 * time.Second
	outvotedBound = 7 * time.Second
	// pausedBound: the longest pause that ends by itself is that of a hand-over.
	pausedBound = 15 * time.Second
	// refusedBound: a check or two take the VIP from whoever may take no writes; and what a
	// hook or a contested VIP has stopped goes on after 5 s.
	refusedBound = 10 * time.Second
	// halfBound is how long a program may not have looked before it promotes.
	halfBound = time.Second
	// splitBound: who hears the other gives up at once, or has two checks and a hook.
	splitBound = 10 * time.Second
)

// serviceBounds: under keepalived a server that hangs costs two checks and three
// adverts, and the hook has 10 s. Under Sentinel a failover that comes to nothing is
// tried again after 20 s (2 × failover-timeout, sentinel.c), and a node that has
// restarted waits for boot-wait for what the Sentinels choose.
var serviceBounds = [...]time.Duration{Pair: 25 * time.Second, Witness: 25 * time.Second, Sentinel: 80 * time.Second}

// serve says whether clients wait for longer than they should while all is well
// but for what has died, and a node that lives has all that was acknowledged.
func (w *world) serve() {
	if !w.calm() {
		w.watch.unrest = w.now
		return
	}
	last := w.watch.lastAcked()
	for _, h := range w.nodes {
		switch {
		case !w.able(h, last):
			h.able = w.now
		case w.now-max(h.able, w.watch.unrest, last.at) > serviceBounds[w.setup.Architecture]:
			w.violate(Service, "nobody's write is acknowledged since %v, and %s could do it%s", last.at, h.name, w.reasons())
			return
		}
	}
}

// lastAcked is the last write that was acknowledged. Where it is lost, a node that knows
// that it lacks something waits for a while.
func (t *watch) lastAcked() *entry {
	if n := len(t.acked); n > 0 {
		return t.acked[n-1]
	}
	return nothing()
}

// calm says whether nothing is wrong but that something is dead: all that live can talk
// to each other, and to those who vote.
func (w *world) calm() bool {
	for i, a := range w.hosts {
		for _, b := range w.hosts[i+1:] {
			if w.network.troubled(a, b) {
				return false
			}
		}
		if a.skew != 0 || a.awake() && a.keepalived != nil && (!a.keepalived.running || a.keepalived.frozen) {
			return false
		}
	}
	for _, h := range w.nodes {
		if h.run.failing && h.redis.isPaused() {
			return false // nothing can end that
		}
	}
	voters := 0
	for _, t := range w.witnesses {
		if t.host.awake() && !t.silent {
			voters++
		}
	}
	sentinels := 0
	for _, h := range w.nodes {
		if h.sentinel != nil && h.sentinel.awake() {
			sentinels++
		}
	}
	if w.setup.Architecture == Sentinel && sentinels <= len(w.nodes)/2 {
		return false
	}
	return (w.gateway == nil || w.gateway.awake()) && (len(w.witnesses) == 0 || voters > len(w.witnesses)/2)
}

// able says whether a node could be the master, as far as an outsider sees: it lives,
// something looks after it, and it has the last write.
func (w *world) able(h *host, last *entry) bool {
	r := h.redis
	if !r.serves() || r.loading || r.byHand || !h.managed() || !r.head.has(last) {
		return false
	}
	if missing := h.disk.memory.Missing; !missing.Last.IsZero() && w.now-missing.Last.Sub(epoch) < bootWait {
		return false // it knows that it lacked something, and not what has become of that
	}
	if better := h.disk.memory.Better; !better.Last.IsZero() && w.now-better.Since.Sub(epoch) < bootWait {
		return false // it waits for one that has more
	}
	u := r.upstream // one that has restarted cannot know that it has
	return u == nil || u.link != nil && u.link.state == online || u.downSince != 0
}

// isolate notes since when each node reaches nobody who could have told it that another
// one serves.
func (w *world) isolate() {
	for _, h := range w.nodes {
		if !w.isolated(h) {
			h.reached = w.now
		}
	}
}

func (w *world) isolated(h *host) bool {
	reached := 0
	if w.setup.Architecture == Sentinel {
		for _, other := range w.nodes {
			if other.sentinel.awake() && w.network.both(h, other) {
				reached++
			}
		}
		return reached <= len(w.nodes)/2
	}
	for _, other := range w.nodes {
		if other != h && w.network.both(h, other) {
			return false
		}
	}
	for _, t := range w.witnesses {
		if !t.silent && w.network.both(h, t.host) {
			reached++
		}
	}
	return w.gateway != nil && !w.network.both(h, w.gateway) || len(w.witnesses) > 0 && reached <= len(w.witnesses)/2
}

// alone is called for each write that a node has acknowledged.
func (w *world) alone(h *host) {
	bound := isolatedBound
	if w.setup.Architecture == Witness {
		bound = outvotedBound
	}
	if w.isolated(h) && w.now-h.reached > bound && !w.excused(h) && !h.redis.byHand {
		w.violate(Isolated, "%s reaches nobody since %v, and takes a write", h.name, h.reached)
	}
}

// hasty is the same for a master that has just died, and had what r has long lacked.
func (w *world) hasty(r *redis) {
	for _, h := range w.nodes {
		o := h.redis
		if o == r || o.serves() || o.byHand || r.byHand || r.fresh() || r.host.disk.memory.Provisional ||
			w.now-o.led > hastyBound || o.led-o.leads < staleBound || o.led-w.crooked < newerBound || o.led-r.host.lookedAfter() < newerBound {
			continue
		}
		had := o.image.head
		if o.running {
			had = o.head
		}
		if e := w.lacks(r.head, had); e != nil && o.led-e.at > staleBound {
			w.violate(Hasty, "%s becomes the master, lacks write %d of %v, and %s had it, the master until %v", r.host.name, e.write, e.at, h.name, o.led)
			return
		}
	}
}

// halved is the same for a copy under way, but of one that somebody has made a master by hand.
func (w *world) halved(r *redis) {
	if r.receives() && !r.upstream.link.master.byHand && w.now-r.whole > halfBound && !r.host.disk.memory.Provisional {
		w.violate(Half, "%s is made a master, and copies another since %v", r.host.name, r.whole)
	}
}

// awaited is called then, too: whoever waits for r, and has what it lacks, has to be sent
// away.
func (w *world) awaited(r *redis) {
	for _, h := range w.nodes {
		o := h.redis
		o.seen = nil
		if o.serves() && !o.loading && o.upstream != nil && o.upstream.addr == r.addr && o.upstream.link == nil &&
			w.now-max(w.troubledAt, r.host.lookedAfter(), o.heard, o.toldAt, o.woken, o.began) > newerBound {
			o.seen = r
		}
	}
}

func (r *redis) receives() bool {
	return r.running && r.upstream != nil && r.upstream.link != nil && r.upstream.link.state != online
}

// divide says whether two nodes go on to serve clients while packets of one get to the
// other.
func (w *world) divide() {
	serves := func(h *host) bool {
		return h.vip && h.managed() && h.redis.master() && h.redis.serves() && !h.redis.byHand && w.now-h.redis.acked < garpRefresh+clientTimeout
	}
	divided := false
	for i, a := range w.nodes {
		for _, b := range w.nodes[i+1:] {
			divided = divided || serves(a) && serves(b) && (w.network.open(a, b) || w.network.open(b, a))
		}
	}
	if !divided || w.setup.Architecture == Sentinel {
		w.watch.united = w.now
	} else if w.now-w.watch.united > splitBound {
		w.violate(Split, "two masters serve since %v", w.watch.united)
	}
}

// wait says whether a replica that hears its master has been told to wait, and nobody
// has told it to go on.
func (w *world) wait() {
	for _, h := range w.nodes {
		r := h.redis
		u := r.upstream
		if !r.serves() || !h.managed() || u == nil || u.link == nil || u.link.state != online || !w.network.both(h, u.link.master.host) || !r.isPaused() {
			h.waits = w.now
		} else if w.now-h.waits > pausedBound {
			w.violate(Paused, "%s hears its master, and is paused since %v", h.name, h.waits)
			return
		}
	}
}

// refuse says whether a master is left with the VIP that may take no writes.
func (w *world) refuse() {
	for _, h := range w.nodes {
		if r := h.redis; !h.vip || !h.managed() || !r.serves() || r.loading || !r.master() || r.byHand || !r.isPaused() || h.skew != 0 {
			h.refuses = w.now
		} else if w.now-h.refuses > refusedBound {
			w.violate(Service, "%s has the VIP, and its writers wait since %v", h.name, h.refuses)
			return
		}
	}
}
