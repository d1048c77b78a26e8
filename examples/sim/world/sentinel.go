package world

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"
)

// sentinel is one Redis Sentinel, as far as its failover goes (sentinel.c). What it
// sees and says arrives at once: its steps take seconds.
type sentinel struct {
	host   *host
	addr   netip.AddrPort
	random *rand.Rand

	running bool
	frozen  bool
	life    int
	late    []func()

	master      int // which node
	config      int // config-epoch
	epoch       int // current-epoch
	leader      *sentinel
	leaderEpoch int
	views       []view
	down        []time.Duration // when each other one last agreed that the master is down
	votes       []ballot        // what each other one last voted
	failover    *failover
	lastStart   time.Duration // failover_start_time
	nextAsk     time.Duration
	nextHello   time.Duration
	ticked      time.Duration
	tilt        time.Duration // until then it does nothing
}

type ballot struct {
	leader *sentinel
	epoch  int
}

// view is what it knows of one Redis.
type view struct {
	pending   time.Duration // since when a PING is not answered
	answered  time.Duration // the last one that was
	downAt    time.Duration // when it was last held to be down
	nextPing  time.Duration
	nextInfo  time.Duration
	infoAt    time.Duration
	master    bool // the role that it reports
	roleSince time.Duration
	follows   netip.AddrPort
	confSince time.Duration
	linkDown  time.Duration // how long, by INFO
	offset    int64
}

// The times of examples/sentinel-vip/sentinel.conf, and those of sentinel.c.
const (
	downAfter       = 2 * time.Second
	failoverTimeout = 10 * time.Second
	quorum          = 2

	sentinelTick  = 100 * time.Millisecond
	pingPeriod    = time.Second
	infoPeriod    = 10 * time.Second
	helloPeriod   = 2 * time.Second
	askPeriod     = time.Second
	maxDesync     = time.Second
	tiltTrigger   = 2 * time.Second
	tiltPeriod    = 30 * time.Second
	convertWait   = 4 * helloPeriod // before a master that should be none is demoted
	scriptStart   = 25 * time.Millisecond
	reconcileTick = 2 * time.Second // redis-vip-reconcile.service
)

func (s *sentinel) soon(d time.Duration, do func()) {
	life := s.life
	s.host.soon(d, func() { s.perform(life, do) })
}

func (s *sentinel) perform(life int, do func()) {
	switch {
	case s.life != life || !s.running:
	case s.frozen:
		s.late = append(s.late, func() { s.perform(life, do) })
	default:
		do()
	}
}

func (s *sentinel) awake() bool { return s.running && !s.frozen && s.host.awake() }

// start begins with what is in its file: the master and the epochs. It calls no
// script.
func (s *sentinel) start() {
	if s.running || !s.host.up {
		return
	}
	s.life++
	s.running, s.frozen, s.late = true, false, nil
	s.views, s.down = nil, nil
	s.reset(s.master)
	s.ticked = s.host.world.now
	s.soon(time.Duration(s.random.Int64N(int64(sentinelTick))), s.tick)
}

// die leaves a file behind that names whom it named.
func (s *sentinel) die() {
	s.master = s.named()
	s.running, s.frozen, s.late = false, false, nil
	s.life++
}

func (s *sentinel) freeze() { s.frozen = s.running }

func (s *sentinel) thaw() {
	s.frozen = false
	late := s.late
	s.late = nil
	for _, do := range late {
		do()
	}
}

// reset forgets what it has seen, and watches another master (sentinel.c,
// sentinelResetMasterAndChangeAddress). What the others said of the old one counts for the
// new one; and where it was just connecting to the old one, it is a second until it connects
// to the new one, of which it has no answer from now on.
func (s *sentinel) reset(master int) {
	w := s.host.world
	var connects time.Duration
	if s.views == nil {
		s.down = slices.Repeat([]time.Duration{-never / 2}, len(w.nodes))
	} else if old := s.views[s.master]; old.pending != 0 {
		connects = old.nextPing
	}
	s.master, s.failover, s.lastStart = master, nil, -never/2
	s.views = make([]view, len(w.nodes))
	s.votes = make([]ballot, len(w.nodes))
	for i := range s.views {
		s.views[i] = view{
			pending: w.now, answered: w.now, downAt: -never / 2, infoAt: -never / 2, master: i == master, roleSince: w.now,
			follows: w.nodes[master].redis.addr, confSince: w.now,
		}
	}
	s.views[master].nextPing = connects
}

func (s *sentinel) tick() {
	w := s.host.world
	s.soon(sentinelTick, s.tick)
	if w.now-s.ticked > tiltTrigger {
		s.tilt = w.now + tiltPeriod
	}
	s.ticked = w.now
	master := s.master
	for i := range s.views {
		s.ping(i)
		if s.info(i); s.master != master {
			return // all views are new
		}
	}
	if w.now >= s.nextHello {
		s.nextHello = w.now + helloPeriod
		s.hello()
	}
	if w.now < s.tilt {
		return
	}
	s.startIfNeeded()
	s.goOn()
}

// reaches says whether a Redis answers.
func (s *sentinel) reaches(r *redis) bool {
	return s.host.world.network.both(s.host, r.host) && r.serves()
}

func (s *sentinel) ping(i int) {
	w, v := s.host.world, &s.views[i]
	if w.now >= v.nextPing {
		v.nextPing = w.now + pingPeriod
		switch {
		case s.reaches(w.nodes[i].redis):
			v.answered, v.pending = w.now, 0
		case v.pending == 0:
			v.pending = w.now
		}
	}
	if s.isDown(i) {
		v.downAt = w.now
	}
}

// isDown is SDOWN. A master that says it is a replica is down, too, after a while.
func (s *sentinel) isDown(i int) bool {
	w, v := s.host.world, &s.views[i]
	return v.pending != 0 && w.now-v.pending > downAfter ||
		i == s.master && !v.master && w.now-v.roleSince > downAfter+2*infoPeriod
}

// objectively is ODOWN.
func (s *sentinel) objectively() bool {
	if !s.isDown(s.master) {
		return false
	}
	n := 1
	for _, at := range s.down {
		if s.host.world.now-at < 5*askPeriod {
			n++
		}
	}
	return n >= quorum
}

// info reads INFO where it is due, and acts on it (sentinelRefreshInstanceInfo).
func (s *sentinel) info(i int) {
	w, v := s.host.world, &s.views[i]
	period := infoPeriod
	if i != s.master && (s.failover != nil || s.isDown(s.master) || v.linkDown > 0) {
		period = pingPeriod
	}
	r := w.nodes[i].redis
	if w.now < min(v.nextInfo, v.infoAt+period) || !s.reaches(r) {
		return
	}
	v.nextInfo = w.now + period
	v.infoAt = w.now
	if master := r.upstream == nil; master != v.master {
		v.master, v.roleSince = master, w.now
	}
	if u := r.upstream; u != nil {
		if u.addr != v.follows {
			v.follows, v.confSince = u.addr, w.now
		}
		v.offset, v.linkDown = r.offset(), 0
		if f := u.facts(r); !f.Up {
			v.linkDown = max(f.DownSince, time.Millisecond)
		}
	}
	if w.now < s.tilt {
		return
	}
	switch f := s.failover; {
	case f != nil && f.state == waitPromotion && i == f.promoted && v.master:
		s.promoted()
	case i == s.master:
	case v.master && (f == nil || f.promoted != i) && s.sane() && w.now-v.downAt > convertWait && w.now-v.roleSince > convertWait:
		s.order(i, s.master, "+convert-to-slave")
	case !v.master && f == nil && v.follows != w.nodes[s.master].redis.addr && s.sane() &&
		w.now-v.downAt > failoverTimeout && w.now-v.confSince > failoverTimeout:
		s.order(i, s.master, "+fix-slave-config")
	}
}

// sane says whether the master is one (sentinelMasterLooksSane).
func (s *sentinel) sane() bool {
	v := &s.views[s.master]
	return v.master && !s.isDown(s.master) && s.host.world.now-v.infoAt < 2*infoPeriod
}

// order is SLAVEOF, CONFIG REWRITE and CLIENT KILL TYPE normal in one transaction.
func (s *sentinel) order(i, master int, why string) bool {
	w := s.host.world
	r := w.nodes[i].redis
	if !s.reaches(r) || r.loading {
		return false
	}
	r.byHand, r.told = false, 0
	if i == master {
		w.note(s.host.name, "Sentinel: %s %s", why, r.host.name)
		r.promote()
	} else {
		to := w.nodes[master].redis
		if r.upstream != nil && r.upstream.addr == to.addr {
			return true
		}
		w.note(s.host.name, "Sentinel: %s: %s follows %s", why, r.host.name, to.host.name)
		r.follow(to.addr)
		named := w.now // not by the majority: nobody else can know yet
		if w.named == master {
			named = w.namedAt
		}
		r.ordered, r.surprised = true, w.now-max(r.host.lookedAfter(), r.host.puzzled, r.woken, r.fit, w.troubledAt, named, to.elected) < orderedBound
	}
	r.rewrite()
	r.disconnect()
	return true
}

// named is the master that it names.
func (s *sentinel) named() int {
	if s.failover != nil && s.failover.state >= reconfReplicas {
		return s.failover.promoted
	}
	return s.master
}

// hello tells the others, through each Redis that both reach.
func (s *sentinel) hello() {
	w := s.host.world
	epoch, config, named := s.epoch, s.config, s.named()
	for _, h := range w.nodes {
		if h == s.host {
			continue
		}
		for _, n := range w.nodes {
			if s.reaches(n.redis) && h.sentinel.reaches(n.redis) {
				other := h.sentinel
				w.after(time.Duration(500+w.random.IntN(2000))*time.Microsecond, func() {
					other.perform(other.life, func() { other.hear(epoch, config, named) })
				})
				break
			}
		}
	}
}

func (s *sentinel) hear(epoch, config, master int) {
	s.epoch = max(s.epoch, epoch)
	if config <= s.config {
		return
	}
	s.config = config
	if s.named() == master {
		return
	}
	s.host.world.note(s.host.name, "Sentinel: +switch-master %s", s.host.world.nodes[master].name)
	s.reset(master)
	s.script()
}

// script is the client-reconfig-script: it rings, and a run of reconcile begins.
func (s *sentinel) script() { s.host.reconcile(scriptStart+s.host.startTime(), "script", nil) }

// others calls f with each other Sentinel that can be reached.
func (s *sentinel) others(f func(i int, other *sentinel)) {
	w := s.host.world
	for i, h := range w.nodes {
		if h != s.host && h.sentinel.awake() && w.network.both(s.host, h) {
			f(i, h.sentinel)
		}
	}
}
