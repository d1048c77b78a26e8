package world

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"time"

	"redis-vip/checks/node"
)

// redis is a Redis 7.0 server, as far as its replication and its clients see it. It
// always boots as a replica of an address where nothing listens.
type redis struct {
	world  *world
	host   *host
	addr   netip.AddrPort
	random *rand.Rand

	running bool
	hung    bool // SIGSTOP
	life    int  // which start this is
	late    []func()
	loading bool
	runID   string
	birth   int64         // in seconds of its host's clock
	began   time.Duration // in true time

	head      *entry // the data set, and how far the stream has been applied
	shift     int64  // head.end - shift is master_repl_offset
	replid    string
	replid2   string
	second    int64 // second_repl_offset; -1: none
	backlog   bool
	oldest    int64 // the first byte of the backlog
	upstream  *upstream
	replicas  []*link
	heard     time.Duration  // when its master last said something
	told      int            // a program of ours has told it to follow that life of its master, and it has not linked yet
	toldAt    time.Duration  // when
	boots     netip.AddrPort // whom it follows after its start
	ordered   bool           // a Sentinel has told it whom to follow
	surprised bool           // before our programs could, or without their reaching the new master
	byHand    bool           // somebody else than our programs has told it whom to follow
	saved     int            // how many read all its data into a file
	paused    time.Duration  // until then writers wait
	waiting   []*request
	ticks     int
	synced    *entry        // what of the AOF is on the disk for sure
	rewritten time.Duration // until then the AOF is still that of before a full copy

	image image

	// What the watch notes.
	acked   time.Duration // when it last acknowledged a write
	elected time.Duration // when it last became a master
	led     time.Duration // when it was last a master that answers
	leads   time.Duration // and since when
	whole   time.Duration // when it last copied nobody
	woken   time.Duration // when it last hung
	fit     time.Duration // when it last could not have been the master
	seen    *redis        // who became the master by a program of ours, which could see that it waits for that
}

// image is what the next start loads.
type image struct {
	head   *entry
	replid string // empty: it does not say
	offset int64
}

// Persistence is how a server keeps its data.
type Persistence uint8

// The ways.
const (
	NoPersistence Persistence = iota // save "": but for the file that a full copy leaves behind
	Snapshots                        // RDB
	AppendOnly                       // AOF, everysec
)

var persistences = [...]string{NoPersistence: "none", Snapshots: "rdb", AppendOnly: "aof"}

func (p Persistence) String() string { return persistences[p] }

// refusal is an error that the server answers with.
type refusal string

func (r refusal) Error() string { return string(r) }

// RedisError marks it as the server's own (go-redis, redis.Error).
func (refusal) RedisError() {}

const (
	errLoading  = refusal("LOADING Redis is loading the dataset in memory")
	errReadOnly = refusal("READONLY You can't write against a read only replica.")
)

func (r *redis) offset() int64 { return r.head.end - r.shift }

func (r *redis) serves() bool { return r.running && !r.hung && r.host.awake() }

func (r *redis) master() bool { return r.running && r.upstream == nil }

// soon has something happen in this process after d: never after it has died, and
// late where it hangs.
func (r *redis) soon(d time.Duration, do func()) {
	life := r.life
	r.host.soon(d, func() { r.perform(life, do) })
}

func (r *redis) perform(life int, do func()) {
	switch {
	case r.life != life || !r.running:
	case r.hung:
		r.late = append(r.late, func() { r.perform(life, do) })
	default:
		do()
	}
}

// exec makes the process, as it is before it has loaded anything.
func (r *redis) exec() {
	r.life++
	r.running, r.hung, r.loading = true, false, true
	r.late, r.replicas, r.waiting, r.rewritten = nil, nil, nil, 0
	r.woken = r.world.now
	r.runID = r.world.runID()
	r.birth, r.began = r.host.wall(), r.world.now
	r.replid, r.replid2, r.second = r.world.name(r.host.name+"-"), "0", -1
	r.head = r.image.head
	if r.head == nil {
		r.head = nothing()
	}
	r.shift = r.head.end
	r.backlog, r.paused, r.ticks, r.saved = false, 0, 0, 0
	r.upstream = &upstream{addr: r.boots, lastIO: -1}
	if r.image.replid != "" {
		r.replid = r.image.replid
		r.shift = r.head.end - r.image.offset
		r.upstream.cached = true
		r.createBacklog()
	}
	r.synced = r.head
	r.world.note(r.host.name, "Redis starts, %d keys", r.head.keys)
}

// start begins a process, which loads its data.
func (r *redis) start() {
	if r.running || !r.host.up {
		return
	}
	r.exec()
	load := 10*time.Millisecond + time.Duration(r.random.Int64N(int64(150*time.Millisecond)))
	switch {
	case r.world.setup.Little:
	case r.random.IntN(10) == 0:
		load += time.Duration(r.random.Int64N(int64(4 * time.Second)))
	case r.world.watch.healed == 0 && r.random.IntN(20) == 0:
		load += time.Duration(r.random.Int64N(int64(time.Minute)))
	}
	r.soon(load, r.ready)
}

// ready is the end of the loading.
func (r *redis) ready() {
	r.loading = false
	r.soon(time.Duration(r.random.Int64N(int64(time.Second))), r.tick)
}

func (r *redis) createBacklog() { r.backlog, r.oldest = true, r.offset()+1 }

// reaches is the first byte that the backlog still has.
func (r *redis) reaches() int64 { return max(r.oldest, r.offset()-r.world.setup.Backlog+1) }

// death is how a process ends.
type death uint8

const (
	killed    death = iota
	shutDown        // SIGTERM: it may save first
	powerLost       // with its host
)

// die ends the process.
func (r *redis) die(how death) {
	if !r.running {
		return
	}
	r.running, r.hung, r.loading = false, false, false
	r.life++
	before := r.head
	switch {
	case r.world.setup.Persistence == AppendOnly && r.world.now < r.rewritten:
		// The image is still the one of before the copy.
	case r.world.setup.Persistence == AppendOnly && how == powerLost:
		r.image = image{head: r.synced}
	case r.world.setup.Persistence == AppendOnly:
		r.image = image{head: r.head}
	case r.world.setup.Persistence == Snapshots && how == shutDown:
		r.save()
	}
	for _, l := range r.replicas {
		l.closeMaster(how != powerLost)
	}
	if u := r.upstream; u != nil && u.link != nil {
		u.link.closeReplica(how != powerLost)
	}
	for _, q := range r.waiting {
		q.fail()
	}
	r.replicas, r.waiting, r.late, r.upstream = nil, nil, nil, nil
	r.head = nil
	r.world.vanished(r, before, r.image.head, died)
}

// save is a snapshot: the data, and where in which history it stands. A master
// without a backlog does not say (rdb.c, rdbPopulateSaveInfo).
func (r *redis) save() {
	r.image = image{head: r.head}
	if r.upstream == nil && r.backlog || r.upstream != nil && r.upstream.known() {
		r.image.replid, r.image.offset = r.replid, r.offset()
	}
}

func (r *redis) hang() {
	if r.running {
		r.hung = true
	}
}

func (r *redis) wake() {
	if !r.hung {
		return
	}
	r.hung, r.woken = false, r.world.now
	late := r.late
	r.late = nil
	for _, do := range late {
		r.host.soon(0, do)
	}
}

// tick is what a server does once a second (replication.c, replicationCron).
func (r *redis) tick() {
	r.soon(time.Second, r.tick)
	r.ticks++
	r.synced = r.head
	if r.world.setup.Persistence == Snapshots && r.ticks%20 == 0 && !r.loading {
		r.save()
	}
	if r.upstream != nil {
		r.upstreamTick()
	}
	r.replicasTick()
}

// write is what a client asks for: to be a bit more than what was.
func (r *redis) write(n int) (*entry, error) {
	switch {
	case r.loading:
		return nil, errLoading
	case r.upstream != nil:
		return nil, errReadOnly
	}
	bytes := int64(0)
	if r.backlog {
		bytes = writeBytes
	}
	e := r.head.next(bytes, n)
	if !r.world.setup.Overwrites || e.keys == 0 {
		e.keys++
	}
	r.append(e)
	return e, nil
}

// writeBytes is a SET in the stream, pingBytes a PING.
const (
	writeBytes = 60
	pingBytes  = 14
)

// append is the end of a command: it is done, and on its way to the replicas.
func (r *redis) append(e *entry) {
	r.head = e
	for _, l := range r.replicas {
		l.feed()
	}
}

// pause makes writers wait: another pause does not shorten it (networking.c,
// pauseClients).
func (r *redis) pause(d time.Duration) {
	until := r.world.now + d
	if until <= r.paused {
		return
	}
	r.paused = until
	r.soon(d, func() {
		if r.world.now >= r.paused {
			r.resume()
		}
	})
}

func (r *redis) isPaused() bool { return r.world.now < r.paused }

// resume lets everybody go on.
func (r *redis) resume() {
	r.paused = 0
	if u := r.upstream; u != nil && u.link != nil {
		u.link.apply()
	}
	waiting := r.waiting
	r.waiting = nil
	for _, q := range waiting {
		q.execute()
	}
}

// disconnect closes the connections of all clients.
func (r *redis) disconnect() {
	for _, q := range r.waiting {
		q.fail()
	}
	r.waiting = nil
}

// facts is PING and INFO.
func (r *redis) facts() node.Facts {
	f := node.Facts{
		Class: node.Alive, RunID: r.runID, Version: "7.0.15", Uptime: max(time.Duration(r.host.wall()-r.birth), 0) * time.Second,
		Keys: r.head.keys, Role: node.Master, ReplID: r.replid, ReplID2: r.replid2, Offset: r.offset(), SecondOff: r.second,
		Backlog: r.backlog, Fraction: r.host.fraction(), Failover: "no-failover",
	}
	if r.backlog {
		f.BacklogFrom = r.reaches()
	}
	if r.loading {
		f.Class, f.Problem = node.Loading, string(errLoading)
	}
	if u := r.upstream; u != nil {
		f.Role = node.Replica
		f.Upstream = u.facts(r)
	}
	for _, l := range r.replicas {
		f.Downstream = append(f.Downstream, l.facts())
	}
	if r.saved > 0 {
		f.Downstream = append(f.Downstream, node.Downstream{Addr: node.Nobody, State: "send_bulk"})
	}
	return f
}

// promote is REPLICAOF NO ONE (replication.c, replicationUnsetMaster).
func (r *redis) promote() error {
	if r.loading {
		return errLoading
	}
	if r.upstream == nil {
		return nil
	}
	r.leave()
	r.upstream = nil
	r.replid2, r.second = r.replid, r.offset()+1
	r.replid = r.world.name(r.host.name + "-")
	r.dropReplicas()
	r.world.note(r.host.name, "Redis is a master from offset %d on, %d keys", r.offset(), r.head.keys)
	r.elected = r.world.now
	return nil
}

// follow is REPLICAOF host port (replication.c, replicationSetMaster).
func (r *redis) follow(addr netip.AddrPort) error {
	if r.loading {
		return errLoading
	}
	if r.upstream != nil && r.upstream.addr == addr {
		return nil
	}
	u := &upstream{addr: addr, lastIO: -1, cached: true}
	if old := r.upstream; old != nil {
		r.leave()
		u.cached, u.downSince = old.cached, old.downSince
	}
	r.upstream = u
	r.world.note(r.host.name, "Redis follows %s", r.world.nameOf(addr))
	r.connect()
	return nil
}

// rewrite is CONFIG REWRITE: as a replica it appends whom it follows, below the include
// that says nobody.
func (r *redis) rewrite() {
	r.boots = node.Nobody
	if r.upstream != nil {
		r.boots = r.upstream.addr
	}
}

func (r *redis) String() string {
	switch {
	case !r.running:
		return "dead"
	case r.upstream == nil:
		return fmt.Sprintf("master at %d", r.offset())
	default:
		return fmt.Sprintf("replica of %s at %d", r.world.nameOf(r.upstream.addr), r.offset())
	}
}
