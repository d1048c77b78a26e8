package world

import (
	"net/netip"
	"slices"
	"time"

	"redis-vip/checks/node"
)

// upstream is what a replica knows of its master.
type upstream struct {
	addr      netip.AddrPort
	link      *link // nil: none, or not yet
	attempt   int
	busy      bool  // an attempt is under way
	life      int   // of the server that it is made at
	cached    bool  // it knows where it stands in a history, and may ask to go on from there
	lastIO    int64 // in seconds of the host's clock
	downSince int64 // the same; 0: it has not been up
}

// known says whether the data is that of a master's history (rdb.c,
// rdbPopulateSaveInfo).
func (u *upstream) known() bool { return u.cached || u.link != nil && u.link.state == online }

func (u *upstream) facts(r *redis) node.Upstream {
	f := node.Upstream{Host: u.addr.Addr().String(), Port: u.addr.Port(), LastIO: -time.Second, DownSince: -time.Second, Offset: 1}
	if u.known() {
		f.Offset = r.offset()
	}
	switch l := u.link; {
	case l != nil && l.state == online:
		f.Up = true
		f.LastIO = node.Since(r.host.wall() - u.lastIO)
	default:
		f.Syncing = l != nil
		if u.downSince != 0 {
			f.DownSince = node.Since(r.host.wall() - u.downSince)
		}
	}
	return f
}

// leave ends the connection to the master.
func (r *redis) leave() {
	u := r.upstream
	u.attempt++
	u.busy = false
	if l := u.link; l != nil {
		l.closeReplica(true)
		r.unlinked(l)
	}
}

// reconnect is CLIENT KILL TYPE master.
func (r *redis) reconnect() {
	if u := r.upstream; u != nil && u.link != nil {
		r.leave()
		r.connect()
	}
}

// unlinked is what a replica does when its connection has ended.
func (r *redis) unlinked(l *link) {
	u := r.upstream
	u.link = nil
	if l.state == online {
		u.cached, u.downSince = true, r.host.wall()
	}
}

// connect tries to reach the master; where it fails, the next tick does so again.
func (r *redis) connect() {
	u := r.upstream
	if u == nil || u.link != nil || u.busy || r.loading {
		return
	}
	master := r.world.redisAt(u.addr)
	if master == nil {
		return // refused
	}
	u.busy = true
	u.attempt++
	r.dial(u, master, u.attempt, synAgain)
}

// dial sends SYNs until one is answered. Where the neighbour's address has been
// forgotten the kernel gives up sooner (EHOSTUNREACH).
func (r *redis) dial(u *upstream, master *redis, attempt int, again time.Duration) {
	switch {
	case r.upstream != u || u.attempt != attempt:
	case !r.world.network.both(r.host, master.host):
		if again == synAgain && r.random.IntN(2) == 0 {
			r.soon(3*time.Second, func() { u.give(attempt) })
			return
		}
		r.soon(again, func() { r.dial(u, master, attempt, 2*again) })
	case !master.running:
		u.give(attempt) // refused
	default:
		u.life = master.life
		d := r.world.network.segment(r.host, master.host, synAgain)
		for range 2 * 5 { // PING, REPLCONF thrice, PSYNC
			d += r.world.network.segment(r.host, master.host, dataAgain)
		}
		if d > replTimeout*time.Second {
			r.soon(replTimeout*time.Second, func() { u.give(attempt) })
			return
		}
		master.soon(d, func() { r.psync(u, master, attempt) })
	}
}

// give ends an attempt that has come to nothing.
func (u *upstream) give(attempt int) {
	if u.attempt == attempt {
		u.busy = false
	}
}

// psync is the master's part: it goes on from where the replica stands, or copies
// everything (replication.c, syncCommand and masterTryPartialResynchronization).
func (r *redis) psync(u *upstream, m *redis, attempt int) {
	if r.upstream != u || u.attempt != attempt || !r.running {
		return
	}
	back := r.world.network.segment(m.host, r.host, dataAgain)
	if !r.world.network.both(r.host, m.host) || m.loading || m.upstream != nil && (m.upstream.link == nil || m.upstream.link.state != online) {
		r.soon(back, func() { u.give(attempt) }) // NOMASTERLINK, LOADING, or nothing at all
		return
	}
	l := &link{master: m, replica: r, life: r.life, masterOpen: true, replicaOpen: true, replid: m.replid, ackedAt: m.host.wall()}
	m.replicas = append(m.replicas, l)
	asked := r.offset() + 1
	if u.cached && m.continues(r.replid, asked) {
		l.state, l.acked = online, asked-1
		l.sent = m.head.upTo(asked - 1 + m.shift)
		l.received = l.sent
		r.soon(back, func() { r.continued(u, l, attempt) })
		return
	}
	if !m.backlog {
		m.replid, m.replid2, m.second = m.world.name(m.host.name+"-"), "0", -1
		m.createBacklog()
	}
	l.state, l.snapshot, l.offset, l.replid = copying, m.head, m.offset(), m.replid
	r.soon(back, func() { r.copies(u, l, attempt) })
}

func (r *redis) continues(replid string, offset int64) bool {
	return (replid == r.replid || replid == r.replid2 && offset <= r.second) &&
		r.backlog && offset >= r.reaches() && offset <= r.offset()+1
}

// continued is +CONTINUE: the replica takes over the master's history.
func (r *redis) continued(u *upstream, l *link, attempt int) {
	if r.upstream != u || u.attempt != attempt {
		l.closeReplica(true)
		return
	}
	u.busy, u.link = false, l
	u.lastIO, r.heard = r.host.wall(), r.world.now
	if r.replid != l.replid {
		r.replid2, r.second = r.replid, r.offset()+1
		r.replid = l.replid
		r.dropReplicas()
	}
	if !r.backlog {
		r.createBacklog()
	}
	if l.received != r.head {
		r.replace(l.received, l.master, "a partial resync at an offset that means another write")
	}
	r.shift, r.told = l.master.shift, 0
	r.world.note(r.host.name, "goes on with %s at %d", l.master.host.name, r.offset())
	l.flow()
}

// copies is +FULLRESYNC: the old data is served until the new has come.
func (r *redis) copies(u *upstream, l *link, attempt int) {
	if r.upstream != u || u.attempt != attempt {
		l.closeReplica(true)
		return
	}
	u.busy, u.link = false, l
	u.lastIO = r.host.wall()
	d := r.world.copyTime()/2 + time.Duration(r.random.Int64N(int64(r.world.copyTime())))
	r.world.note(r.host.name, "takes a full copy of %s", l.master.host.name)
	r.soon(d, func() { r.copied(l, r.world.now) })
}

// copied is the end of the transfer, unless it stalls. The received file replaces
// what the next start would load, and then the data.
func (r *redis) copied(l *link, since time.Duration) {
	if r.upstream == nil || r.upstream.link != l || !l.replicaOpen {
		return
	}
	if !r.world.network.both(r.host, l.master.host) {
		r.soon(backOff(r.world.now-since), func() { r.copied(l, since) })
		return
	}
	if !l.masterOpen {
		return // the next tick sees it
	}
	old := r.head
	l.state, l.sent, l.received, l.ackedAt = online, l.snapshot, l.snapshot, l.master.host.wall()
	r.dropReplicas()
	r.backlog, r.upstream.cached = false, false
	r.loading = true
	load := 5*time.Millisecond + r.world.copyTime()/8
	if r.world.setup.Persistence == AppendOnly {
		r.image = image{head: old}
		r.rewritten = r.world.now + load + 50*time.Millisecond + r.world.copyTime()/4
	} else {
		r.image = image{head: l.snapshot, replid: l.replid, offset: l.offset}
	}
	r.replace(l.snapshot, l.master, "a full copy")
	r.soon(load, func() { r.loaded(l) })
}

func (r *redis) loaded(l *link) {
	r.loading, r.told = false, 0
	r.heard = r.world.now
	r.replid, r.replid2, r.second = l.replid, "0", -1
	r.shift = r.head.end - l.offset
	r.createBacklog()
	if u := r.upstream; u.link == l {
		u.lastIO, u.downSince = r.host.wall(), 0
		r.world.note(r.host.name, "has a full copy of %s, %d keys", l.master.host.name, r.head.keys)
		l.apply()
		l.flow()
	}
}

// replace puts another data set in place of the one that is here.
func (r *redis) replace(head *entry, from *redis, how string) {
	old := r.head
	r.head, r.synced = head, head
	switch w := r.world; {
	case r.byHand || from.byHand:
		w.vanished(r, old, head, byHand)
	case r.ordered && r.surprised:
		w.vanished(r, old, head, bySentinel)
	case r.told != from.life && r.seen != from && w.now-max(r.heard, r.toldAt, r.host.lookedAfter(), r.host.puzzled, r.woken, r.fit) < letGoBound:
		// Redis has linked itself again.
		w.vanished(r, old, head, unwatched)
	default:
		w.vanished(r, old, head, how)
	}
}

func (r *redis) dropReplicas() {
	for _, l := range r.replicas {
		l.closeMaster(true)
	}
	r.replicas = nil
}

// replTimeout is repl-timeout.
const replTimeout = 60

// upstreamTick is the replica's part of the tick.
func (r *redis) upstreamTick() {
	u := r.upstream
	l := u.link
	if l == nil {
		if m := r.world.redisAt(u.addr); u.busy && m != nil && u.life != 0 && m.life != u.life && r.world.network.both(r.host, m.host) {
			u.attempt++
			u.busy = false // its server died in the middle
		}
		r.connect()
		return
	}
	w := r.world
	reached := w.network.both(r.host, l.master.host)
	switch {
	case !l.masterOpen && reached && (w.now >= l.arrives || l.stalled > 0):
		l.lost() // RST
	case r.host.wall()-u.lastIO > replTimeout:
		l.closeReplica(true)
		l.lost()
	case l.state != online || r.loading:
		if reached {
			u.lastIO = r.host.wall() // newlines keep it alive
		}
	case !reached:
		if l.ackStall == 0 {
			l.ackStall = w.now
		}
	case l.ackStall != 0:
		r.soon(backOff(w.now-l.ackStall), func() {
			if l.ackStall != 0 && w.network.both(r.host, l.master.host) {
				l.ackStall = 0
				l.acknowledge()
			}
		})
	default:
		l.acknowledge()
	}
}

// replicasTick is the master's part of the tick.
func (r *redis) replicasTick() {
	for _, l := range slices.Clone(r.replicas) {
		switch {
		case !l.replicaOpen && r.world.network.both(r.host, l.replica.host):
			l.remove() // RST
		case l.state == online && r.host.wall()-l.ackedAt > replTimeout:
			l.closeMaster(true)
			l.remove()
		}
	}
	if r.ticks%timesOf[r.world.setup.Architecture].ping == 0 && r.upstream == nil && len(r.replicas) > 0 {
		r.append(r.head.next(pingBytes, 0))
	}
}
