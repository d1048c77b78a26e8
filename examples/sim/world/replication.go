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

// link is one connection from a replica to its master.
type link struct {
	master, replica *redis
	life            int // of the replica
	state           linkState
	masterOpen      bool // each end knows for itself
	replicaOpen     bool

	snapshot *entry // what a full copy contains
	offset   int64  // and where it stands
	replid   string
	sent     *entry        // how far the stream was sent
	arrives  time.Duration // when the last of that does
	pending  bool          // some of it is under way
	dropped  bool          // and was not really: its sender died first
	stalled  time.Duration // since when TCP tries in vain
	received *entry

	acked    int64
	ackedAt  int64         // in seconds of the master's clock
	ackStall time.Duration // since when acknowledgements do not get through
}

type linkState uint8

const (
	waiting linkState = iota
	copying
	online
)

var linkStates = [...]string{waiting: "wait_bgsave", copying: "send_bulk", online: "online"}

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

func (l *link) facts() node.Downstream {
	d := node.Downstream{Addr: l.replica.addr, State: linkStates[l.state], Offset: l.acked}
	if l.state == online {
		d.Lag = node.Lag(l.master.host.wall() - l.ackedAt)
	}
	return d
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
	d := r.world.setup.CopyTime/2 + time.Duration(r.random.Int64N(int64(r.world.setup.CopyTime)))
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
	load := 5*time.Millisecond + r.world.setup.CopyTime/8
	if r.world.setup.Persistence == AppendOnly {
		r.image = image{head: old}
		r.rewritten = r.world.now + load + 50*time.Millisecond + r.world.setup.CopyTime/4
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
	case w.now-max(r.heard, r.host.watched) < letGoBound && r.told != from.life:
		w.vanished(r, old, head, unwatched)
	default:
		w.vanished(r, old, head, how)
	}
}

// feed sends what is new.
func (l *link) feed() {
	if l.state == online && l.masterOpen {
		l.flow()
	}
}

// flow has the stream go on, one load at a time.
func (l *link) flow() {
	if l.pending || !l.masterOpen || l.sent == l.master.head {
		return
	}
	l.pending, l.sent = true, l.master.head
	d := l.master.world.network.segment(l.master.host, l.replica.host, dataAgain)
	l.arrives = l.master.world.now + d
	l.master.world.after(d, l.deliver)
}

// deliver is the arrival of what was sent, unless the wire is cut: then TCP tries
// again.
func (l *link) deliver() {
	w := l.master.world
	if l.dropped || !l.replicaOpen {
		return
	}
	if !w.network.both(l.master.host, l.replica.host) {
		if l.stalled == 0 {
			l.stalled = w.now
		}
		again := backOff(w.now - l.stalled)
		l.arrives = w.now + again
		w.after(again, l.deliver)
		return
	}
	l.pending, l.stalled = false, 0
	sent := l.sent
	l.replica.perform(l.life, func() { l.receive(sent) })
	l.flow()
}

func (l *link) receive(sent *entry) {
	if u := l.replica.upstream; u != nil && u.link == l {
		l.received = sent
		u.lastIO, l.replica.heard = l.replica.host.wall(), l.replica.world.now
		l.apply()
	}
}

// apply does what was received, unless writes are paused here: then a replica shows
// its link as up and does nothing.
func (l *link) apply() {
	r := l.replica
	if l.state == online && !r.loading && !r.isPaused() && l.received != r.head {
		r.append(l.received)
	}
}

// closeMaster ends the master's side. aloud: the kernel tells the other one, after
// what was sent before.
func (l *link) closeMaster(aloud bool) {
	if !l.masterOpen {
		return
	}
	l.masterOpen = false
	w := l.master.world
	if l.pending && (!aloud || !l.master.running && l.replica.random.IntN(2) == 0) {
		l.dropped = true // Redis answers its clients first
	}
	if aloud && w.network.both(l.master.host, l.replica.host) {
		d := w.network.delay(l.master.host, l.replica.host)
		l.replica.soon(max(d, l.arrives-w.now+time.Microsecond), l.lost)
	}
}

// lost is what the replica does when it notices.
func (l *link) lost() {
	r := l.replica
	l.replicaOpen = false
	if r.upstream == nil || r.upstream.link != l {
		return
	}
	r.unlinked(l)
	if !r.loading {
		r.connect()
	}
}

// closeReplica ends the replica's side.
func (l *link) closeReplica(aloud bool) {
	if !l.replicaOpen {
		return
	}
	l.replicaOpen = false
	w := l.master.world
	if aloud && w.network.both(l.master.host, l.replica.host) {
		l.master.soon(w.network.delay(l.replica.host, l.master.host), l.remove)
	}
}

// remove takes the replica off the master's list.
func (l *link) remove() {
	l.masterOpen = false
	if i := slices.Index(l.master.replicas, l); i >= 0 {
		l.master.replicas = slices.Delete(l.master.replicas, i, i+1)
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
	case !l.masterOpen && reached && w.now >= l.arrives:
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

func (l *link) acknowledge() {
	if l.masterOpen && l.master.serves() {
		l.acked, l.ackedAt = l.replica.offset(), l.master.host.wall()
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
