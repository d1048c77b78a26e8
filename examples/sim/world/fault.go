package world

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"redis-vip/checks/node"
)

// Fault is one thing that goes wrong, for a time.
type Fault struct {
	Kind Kind
	At   time.Duration
	For  time.Duration
	On   int     // which host
	To   int     // the other one, for what is between two
	Much float64 // how much of it, from 0 to 1
}

// Kind is what goes wrong.
type Kind uint8

// The kinds.
const (
	RedisKilled Kind = iota // and started again at the end
	RedisStopped
	RedisHangs
	KeepalivedStopped
	KeepalivedKilled
	KeepalivedFrozen
	KeepalivedCrash
	HostFrozen
	PowerLoss
	Reboot
	Cut
	CutOneWay
	CutOff // from everybody
	Lossy
	Slow
	ClockSet
	Maintenance
	Promoted // by hand
	Unlinked // REPLICAOF nobody, by hand
	RingMade // by hand
	HooksKilled
	HooksFail // no rights, a full disk: they end at once
	SentinelKilled
	SentinelFrozen
	SentinelFailover // by hand
	kinds
)

var kindNames = [...]string{
	RedisKilled: "Redis is killed", RedisStopped: "Redis is stopped", RedisHangs: "Redis hangs",
	KeepalivedStopped: "keepalived is stopped", KeepalivedKilled: "keepalived is killed", KeepalivedFrozen: "keepalived is frozen", KeepalivedCrash: "keepalived's child dies",
	HostFrozen: "host is frozen", PowerLoss: "power is lost", Reboot: "reboots",
	Cut: "cut from", CutOneWay: "nothing gets to", CutOff: "cut from everybody", Lossy: "packets lost to and from", Slow: "slow to",
	ClockSet: "clock is set", Maintenance: "in maintenance", Promoted: "Redis is promoted by hand", Unlinked: "Redis is unlinked by hand",
	RingMade: "Redis is told to follow the other by hand", HooksKilled: "our programs are killed", HooksFail: "our hooks fail",
	SentinelKilled: "Sentinel is killed", SentinelFrozen: "Sentinel is frozen", SentinelFailover: "SENTINEL FAILOVER by hand",
}

func (k Kind) between() bool { return k == Cut || k == CutOneWay || k == Lossy || k == Slow }

// UnmarshalText reads the name that the kind's constant has.
func (k *Kind) UnmarshalText(text []byte) error {
	i := slices.Index(kindConstants[:], string(text))
	if i < 0 {
		return fmt.Errorf("%q: write one of %s", text, strings.Join(kindConstants[:], ", "))
	}
	*k = Kind(i)
	return nil
}

func (f Fault) describe(w *world) string {
	text := fmt.Sprintf("%s: %s", w.hosts[f.On].name, kindNames[f.Kind])
	if f.Kind.between() {
		text += " " + w.hosts[f.To].name
	}
	return fmt.Sprintf("%s, for %v (%.2f)", text, f.For, f.Much)
}

// ofHost says whether the fault is one that any host may have.
func (k Kind) ofHost() bool {
	return k == HostFrozen || k == PowerLoss || k == CutOff || k == ClockSet
}

// benign says whether a fault leaves both nodes, and what is between them, alone.
func (w *world) benignFault(f Fault) bool {
	h := w.hosts[f.On]
	if f.Kind.between() {
		return h.redis == nil || w.hosts[f.To].redis == nil
	}
	return h.redis == nil || f.Kind == HooksKilled
}

// begin makes the fault.
func (w *world) begin(f Fault) {
	w.isolate() // until now
	h := w.hosts[f.On]
	w.note("fault", "%s", f.describe(w))
	switch f.Kind {
	case RedisKilled:
		h.redis.die(killed)
	case RedisStopped:
		h.redis.die(shutDown)
	case RedisHangs:
		h.redis.hang()
	case KeepalivedStopped:
		h.keepalived.stop()
	case KeepalivedKilled:
		h.keepalived.die()
	case KeepalivedFrozen:
		h.keepalived.freeze()
	case KeepalivedCrash:
		h.keepalived.crash()
	case HostFrozen:
		h.freeze()
	case PowerLoss:
		h.powerOff()
	case Reboot:
		if h.up && h.redis != nil {
			if h.keepalived != nil {
				h.keepalived.stop()
			}
			h.redis.die(shutDown)
			h.powerOff()
		}
	case Cut:
		w.setRoute(f.On, f.To, func(r *route) { r.cut = true })
		w.setRoute(f.To, f.On, func(r *route) { r.cut = true })
	case CutOneWay:
		w.setRoute(f.On, f.To, func(r *route) { r.cut = true })
	case CutOff:
		for i := range w.hosts {
			w.setRoute(f.On, i, func(r *route) { r.cut = true })
			w.setRoute(i, f.On, func(r *route) { r.cut = true })
		}
	case Lossy:
		w.setRoute(f.On, f.To, func(r *route) { r.loss = 0.05 + 0.5*f.Much })
		w.setRoute(f.To, f.On, func(r *route) { r.loss = 0.05 + 0.5*f.Much })
	case Slow:
		w.setRoute(f.On, f.To, func(r *route) { r.slow = time.Duration(f.Much * float64(400*time.Millisecond)) })
	case ClockSet:
		h.skew += clockStep(f.Much)
	case Maintenance:
		h.keepalived.flag(true)
	case Promoted:
		w.watch.unrest = w.now
		if h.redis.serves() {
			h.redis.promote()
			h.redis.byHand = true
		}
	case Unlinked:
		w.watch.unrest = w.now
		if h.redis.serves() {
			h.redis.follow(node.Nobody)
		}
	case RingMade:
		w.watch.unrest = w.now
		if h.redis.serves() {
			h.redis.follow(w.nodes[(f.On+1)%len(w.nodes)].redis.addr)
			h.redis.byHand = true
		}
	case SentinelKilled:
		h.sentinel.die()
	case SentinelFrozen:
		h.sentinel.freeze()
	case SentinelFailover:
		if h.sentinel.awake() {
			h.sentinel.command()
		}
	case HooksFail:
		h.run.failing = true
	case HooksKilled:
		w.watch.unrest = w.now
		h.watched = w.now
		for len(h.processes) > 0 {
			p := h.processes[0]
			p.kill()
			if p.exit != nil {
				p.exit(errKilled)
			}
		}
	}
}

var errKilled = errors.New("killed")

// clockStep is what NTP does to a host that has just booted, and now and then far too
// much. What is set back by hours keeps its Redis waiting for hours.
func clockStep(much float64) time.Duration {
	if much > 0.9 {
		return time.Duration(much * float64(2*time.Hour))
	}
	return time.Duration((much - 0.45) * float64(30*time.Second))
}

func (w *world) setRoute(from, to int, change func(*route)) {
	if from != to {
		change(&w.network.routes[from][to])
	}
}

// over ends the fault.
func (w *world) over(f Fault) {
	defer w.isolate()
	h := w.hosts[f.On]
	w.note("fault", "over: %s", f.describe(w))
	switch f.Kind {
	case RedisKilled, RedisStopped:
		h.redis.start()
	case RedisHangs:
		h.redis.wake()
	case KeepalivedStopped, KeepalivedKilled:
		h.keepalived.start()
	case KeepalivedFrozen:
		h.keepalived.thaw()
	case HostFrozen:
		h.thaw()
	case PowerLoss, Reboot:
		h.powerOn()
	case Cut, CutOneWay, Lossy, Slow:
		w.setRoute(f.On, f.To, func(r *route) { *r = route{} })
		w.setRoute(f.To, f.On, func(r *route) { *r = route{} })
	case CutOff:
		for i := range w.hosts {
			w.setRoute(f.On, i, func(r *route) { *r = route{} })
			w.setRoute(i, f.On, func(r *route) { *r = route{} })
		}
	case HooksFail:
		h.run.failing, h.watched = false, w.now
	case Maintenance:
		h.keepalived.flag(false)
	case SentinelKilled:
		h.sentinel.start()
	case SentinelFrozen:
		h.sentinel.thaw()
	}
}

// in says whether an architecture can have such a fault.
func (k Kind) in(a Architecture) bool {
	switch k {
	case KeepalivedStopped, KeepalivedKilled, KeepalivedFrozen, KeepalivedCrash, Maintenance, HooksFail:
		return a != Sentinel
	case SentinelKilled, SentinelFrozen, SentinelFailover:
		return a == Sentinel
	}
	return true
}

// heal ends all that may still be wrong.
func (w *world) heal() {
	for i := range w.network.routes {
		clear(w.network.routes[i])
	}
	for _, h := range w.hosts {
		h.powerOn()
		h.thaw()
	}
	for _, h := range w.nodes {
		h.redis.wake()
		if !h.redis.running {
			h.soon(2*time.Second, h.redis.start)
		}
		if s := h.sentinel; s != nil {
			s.thaw()
			h.soon(2*time.Second, s.start)
			continue
		}
		h.keepalived.thaw()
		h.keepalived.flag(false)
		h.run.failing = false
		h.soon(2*time.Second, h.keepalived.start)
	}
	w.watch.healed = w.now
	w.note("fault", "all are over")
}
