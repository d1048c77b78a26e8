package world

import (
	"math/rand/v2"
	"time"

	"redis-vip/checks"
)

// host is a machine: a node of the group, a client, the gateway, or a witness.
type host struct {
	world  *world
	id     int
	name   string
	random *rand.Rand

	up     bool
	boots  int
	booted time.Duration
	frozen bool    // as a whole, kernel included
	late   []event // what is to happen when it thaws
	skew   time.Duration

	vip       bool
	neighbour *host // who it believes has the VIP (its ARP entry)
	processes []*process

	redis      *redis
	keepalived *keepalived
	sentinel   *sentinel
	witness    *witness
	puzzled    time.Duration // when no majority of the Sentinels was last to be had here
	watched    time.Duration // since when our check has run here without a gap
	unguarded  time.Duration // when last no guard of the lease was at work
	disk       disk

	// What the watch notes.
	able    time.Duration // when it last could not have served
	reached time.Duration // when it last reached anybody
	waits   time.Duration // when it was last no paused replica
	refuses time.Duration // since when its master has the VIP, and its writers wait

	run volatile
}

// disk is what of our programs survives a reboot: /var/lib/redis-vip.
type disk struct {
	memory checks.Memory
	files  []preserved
}

// volatile is what does not: /run/redis-vip.
type volatile struct {
	lock      lock
	guard     lock
	token     string // of this boot
	leased    time.Duration
	held      bool // leased is set
	contested time.Time
	raised    bool // the flag of maintenance
	failing   bool // hooks end at once
	fenced    bool
	majority  time.Duration
	asked     bool // majority is set
	course    checks.Course
}

func (h *host) awake() bool { return h.up && !h.frozen }

// soon has something happen on the host after d, in its own time: not while it is
// frozen, and not any more once it has gone down.
func (h *host) soon(d time.Duration, do func()) {
	boot := h.boots
	var run func()
	run = func() {
		switch {
		case h.boots != boot || !h.up:
		case h.frozen:
			h.late = append(h.late, event{do: run})
		default:
			do()
		}
	}
	h.world.after(d, run)
}

// reap forgets a process that has ended; what it had locked is free.
func (h *host) reap(p *process) {
	for i, q := range h.processes {
		if q == p {
			h.processes = append(h.processes[:i], h.processes[i+1:]...)
			break
		}
	}
	h.run.lock.drop(p)
	h.run.guard.drop(p)
}

// powerOff takes the power away: nothing says good-bye.
func (h *host) powerOff() {
	if !h.up {
		return
	}
	h.up, h.frozen, h.late = false, false, nil
	h.boots++
	for len(h.processes) > 0 {
		h.processes[0].kill()
	}
	if h.redis != nil {
		h.redis.die(powerLost)
	}
	if h.keepalived != nil {
		h.keepalived.die()
	}
	if h.sentinel != nil {
		h.sentinel.die()
	}
	h.setVIP(false)
	h.run = volatile{}
}

// powerOn boots it.
func (h *host) powerOn() {
	if h.up {
		return
	}
	h.up, h.booted = true, h.world.now
	h.run.token = h.world.name("boot")
	if h.witness != nil {
		h.witness.restart()
	}
	spread := func(least, most time.Duration) time.Duration {
		return least + time.Duration(h.random.Int64N(int64(most-least)))
	}
	if h.redis != nil {
		h.soon(spread(0, 2*time.Second), h.redis.start)
	}
	if h.keepalived != nil {
		h.soon(spread(0, 2*time.Second), h.keepalived.start)
	}
	if h.sentinel != nil {
		h.watched = h.world.now
		h.soon(spread(0, 2*time.Second), h.sentinel.start)
		h.soon(spread(0, 2*time.Second), h.timer)
	}
}

// managed says whether something on the host starts our programs.
func (h *host) managed() bool {
	k := h.keepalived
	return h.awake() && (k == nil || k.running && !k.frozen && !h.run.raised && !h.run.failing)
}

// lookedAfter is since when something here starts our programs without a gap: now, where
// nothing does.
func (h *host) lookedAfter() time.Duration {
	if !h.managed() {
		return h.world.now
	}
	return h.watched
}

func (h *host) freeze() { h.frozen = h.up }

func (h *host) thaw() {
	if !h.frozen {
		return
	}
	h.frozen, h.watched = false, h.world.now
	late := h.late
	h.late = nil
	for _, v := range late {
		h.world.push(v)
	}
}

// setVIP puts the VIP on the host or takes it off. Hooks of this host that wait ask
// for it again.
func (h *host) setVIP(here bool) {
	if h.vip == here {
		return
	}
	h.vip = here
	h.run.lock.changed()
	h.world.vipMoved(h)
}

// announce sends gratuitous ARP: whoever hears it believes it.
func (h *host) announce() {
	for _, other := range h.world.hosts {
		if other == h {
			continue
		}
		if d, arrives := h.world.network.datagram(h, other); arrives && other.awake() {
			h.world.after(d, func() { other.learn(h) })
		}
	}
}

func (h *host) learn(holder *host) { h.neighbour = holder }

func (h *host) where() checks.Presence {
	if h.vip {
		return checks.Here
	}
	return checks.Absent
}

// wall is the time of day here, in whole seconds, as Redis counts it.
func (h *host) wall() int64 {
	return int64((h.world.now + h.skew + farFromZero) / time.Second)
}

// fraction is the part of the second that wall leaves out.
func (h *host) fraction() time.Duration {
	return (h.world.now + h.skew + farFromZero) % time.Second
}

const farFromZero = 1_000_000 * time.Second
