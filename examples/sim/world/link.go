package world

import (
	"slices"
	"time"

	"redis-vip/checks/node"
)

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

func (l *link) facts() node.Downstream {
	d := node.Downstream{Addr: l.replica.addr, State: linkStates[l.state], Offset: l.acked}
	if l.state == online {
		d.Lag = node.Lag(l.master.host.wall() - l.ackedAt)
	}
	return d
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

func (l *link) acknowledge() {
	if l.masterOpen && l.master.serves() {
		l.acked, l.ackedAt = l.replica.offset(), l.master.host.wall()
	}
}
