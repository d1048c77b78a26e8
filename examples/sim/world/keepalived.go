package world

import (
	"time"

	"redis-vip/checks"
)

// times are those of the keepalived.conf and the redis.conf of an architecture.
type times struct {
	interval   time.Duration // of the check
	fall, rise int
	advert     time.Duration // advert_int
	ping       int           // repl-ping-replica-period
}

var timesOf = [...]times{
	Pair:     {interval: 2 * time.Second, fall: 2, rise: 2, advert: time.Second, ping: 10},
	Witness:  {interval: time.Second, fall: 2, rise: 1, advert: 1200 * time.Millisecond, ping: 1},
	Sentinel: {ping: 10},
}

const (
	garpRefresh = 5 * time.Second
	stopKill    = time.Second // keepalived kills what notify_stop has started
)

// keepalived is keepalived 2.2.7 with one instance of VRRP: nopreempt, state BACKUP on
// both nodes, unicast, one check of weight 0 and one flag to track.
type keepalived struct {
	host     *host
	times    times
	priority int

	running bool
	frozen  bool
	life    int
	late    []func()
	state   vrrpState
	timers  int  // which setting of the timer counts
	judged  bool // the first result of the check has come
	fit     bool
	results int // counts to rise, and then down by fall
}

type vrrpState uint8

const (
	vrrpInit vrrpState = iota
	vrrpBackup
	vrrpMaster
	vrrpFault
)

var vrrpStates = [...]string{vrrpInit: "INIT", vrrpBackup: "BACKUP", vrrpMaster: "MASTER", vrrpFault: "FAULT"}

func (k *keepalived) soon(d time.Duration, do func()) {
	life := k.life
	k.host.soon(d, func() { k.perform(life, do) })
}

func (k *keepalived) perform(life int, do func()) {
	switch {
	case k.life != life || !k.running:
	case k.frozen:
		k.late = append(k.late, func() { k.perform(life, do) })
	default:
		do()
	}
}

// skew is how much longer a node of lower priority waits.
func (k *keepalived) skew() time.Duration {
	return time.Duration(256-k.priority) * k.times.advert / 256
}

func (k *keepalived) start() {
	if k.running || !k.host.up {
		return
	}
	k.life++
	k.running, k.frozen, k.late = true, false, nil
	k.host.watched = k.host.world.now
	k.state, k.judged, k.results = vrrpInit, false, 0
	k.host.world.note(k.host.name, "keepalived starts")
	k.host.setVIP(false) // what a killed one left behind
	k.soon(30*time.Millisecond, k.check)
}

// check starts the script, again and again; a copy that still runs does not matter.
func (k *keepalived) check() {
	k.soon(k.times.interval, k.check)
	life := k.life
	k.host.check(k.host.startTime(), func(fit bool) { k.perform(life, func() { k.result(fit) }) })
}

// result is what a run of the check said. The first one decides alone.
func (k *keepalived) result(fit bool) {
	before := k.fit
	switch {
	case !k.judged:
		k.judged, k.fit, k.results = true, fit, 0
		if fit {
			k.results = k.times.rise + k.times.fall - 1
		}
		k.track()
		return
	case fit && k.results < k.times.rise-1:
		k.results++
	case fit:
		k.results, k.fit = k.times.rise+k.times.fall-1, true
	case k.results > k.times.rise:
		k.results--
	default:
		k.results, k.fit = 0, false
	}
	if k.fit != before {
		k.track()
	}
}

// track brings the state to what the check and the flag say.
func (k *keepalived) track() {
	switch good := k.fit && !k.host.run.raised; {
	case !k.judged:
	case !good && k.state != vrrpFault:
		k.leave(vrrpFault)
		k.notify("notify_fault", checks.BeReplica)
	case good && (k.state == vrrpFault || k.state == vrrpInit):
		k.enter(vrrpBackup)
		k.notify("notify_backup", checks.BeReplica)
	}
}

func (k *keepalived) enter(s vrrpState) {
	k.state = s
	k.host.world.note(k.host.name, "keepalived: %s", vrrpStates[s])
	k.timers++
	if s == vrrpBackup {
		k.alarm(3*k.times.advert + k.skew())
	}
}

// alarm makes it MASTER after d, unless something is heard.
func (k *keepalived) alarm(d time.Duration) {
	k.timers++
	timer := k.timers
	k.soon(d, func() {
		if k.timers == timer && k.state == vrrpBackup {
			k.lead()
		}
	})
}

// lead: advert, address, gratuitous ARP, script.
func (k *keepalived) lead() {
	k.enter(vrrpMaster)
	timer := k.timers
	k.advertise(k.priority)
	k.host.setVIP(true)
	k.host.announce()
	k.notify("notify_master", checks.BeMaster)
	repeat := func(every, first time.Duration, do func()) {
		var again func()
		again = func() {
			if k.timers == timer {
				do()
				k.soon(every, again)
			}
		}
		k.soon(first, again)
	}
	repeat(k.times.advert, k.times.advert, func() { k.advertise(k.priority) })
	repeat(garpRefresh, garpRefresh, k.host.announce)
}

// leave gives up what it has.
func (k *keepalived) leave(to vrrpState) {
	if k.state == vrrpMaster && to == vrrpFault {
		k.advertise(0)
	}
	k.host.setVIP(false)
	k.enter(to)
}

// notify starts a script, and does not wait for it.
func (k *keepalived) notify(event string, hint checks.Goal) {
	k.host.notify(k.host.startTime(), event, hint)
}

func (k *keepalived) advertise(priority int) {
	w := k.host.world
	for _, other := range w.nodes {
		if other == k.host {
			continue
		}
		if d, arrives := w.network.datagram(k.host, other); arrives {
			peer := other.keepalived
			life := peer.life
			other.soon(d, func() { peer.perform(life, func() { peer.hear(priority) }) })
		}
	}
}

// hear takes an advert of the other node.
func (k *keepalived) hear(priority int) {
	switch {
	case k.state == vrrpBackup && priority == 0:
		k.alarm(k.skew())
	case k.state == vrrpBackup: // nopreempt: whatever the priority
		k.alarm(3*k.times.advert + k.skew())
	case k.state != vrrpMaster:
	case priority > k.priority:
		k.leave(vrrpBackup)
		k.notify("notify_backup", checks.BeReplica)
	case priority == 0:
		k.advertise(k.priority)
	default:
		k.advertise(k.priority)
		k.host.announce()
		k.host.contested(k.host.startTime())
	}
}

// flag raises or lowers the flag of maintenance.
func (k *keepalived) flag(raised bool) {
	k.host.run.raised = raised
	if k.running {
		k.soon(10*time.Millisecond, k.track)
	}
}

// stop ends it as systemd does.
func (k *keepalived) stop() {
	if !k.running {
		return
	}
	if k.state == vrrpMaster {
		k.advertise(0)
	}
	k.host.setVIP(false)
	k.die()
	for _, p := range k.host.processes {
		p.terminate()
	}
	p := k.host.notify(k.host.startTime(), "notify_stop", checks.BeReplica)
	k.host.world.after(stopKill, p.kill)
}

// crash is a VRRP process that dies; its parent starts another.
func (k *keepalived) crash() {
	if k.running {
		k.die()
		k.host.setVIP(false)
		k.host.soon(100*time.Millisecond, k.start)
	}
}

// die is the death of both its processes: the address stays, and nobody looks.
func (k *keepalived) die() {
	k.running, k.frozen, k.late = false, false, nil
	k.life++
	k.timers++
	k.state = vrrpInit
}

func (k *keepalived) freeze() { k.frozen = k.running }

func (k *keepalived) thaw() {
	k.frozen, k.host.watched = false, k.host.world.now
	late := k.late
	k.late = nil
	for _, do := range late {
		do()
	}
}
