package world

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"redis-vip/checks"
	"redis-vip/hooks"
	"redis-vip/hooks/preserve"
)

// The times of cmd/internal/program/reconfig.go and cmd/internal/config.
const (
	sentinelPatience = 1500 * time.Millisecond
	sentinelSave     = 8 * time.Second
	fenceAfter       = 5 * time.Second
	announceEvery    = 1100 * time.Millisecond
	announceTimes    = 5
)

// timer is redis-vip-reconcile.service: one run works at a time, and the next begins two
// seconds after its end. One that waits for a Redis that hangs is the only one to wait.
func (h *host) timer() {
	h.reconcile(h.startTime(), "timer", func(error) { h.soon(reconcileTick, h.timer) })
}

// reconcile is one run of redis-vip reconcile. exit is told how it ended.
func (h *host) reconcile(delay time.Duration, event string, exit func(error)) {
	w := h.world
	h.spawn(delay, "reconcile", func(p *process) error {
		ctx, cancel := p.timed(hookTimeout)
		defer cancel()
		settle := p.settle(event, checks.NoGoal)
		view := p.view()
		view.VIP.Look = nil
		settle.Survey = view.Full
		settle.Save = func(ctx context.Context, loss hooks.Loss) (preserve.File, error) {
			ctx, cancel := p.clock.WithTimeout(ctx, sentinelSave)
			defer cancel()
			return p.save(ctx, loss)
		}
		r := hooks.Reconcile{
			Settle: settle, Group: "mymaster",
			Convene:  p.convene,
			Failover: p.failover,
			VIPs:     []hooks.Address{address{p}},
			Reached:  moment{p},
			FenceIn:  fenceAfter, Patience: sentinelPatience,
		}.Run(ctx)
		if len(r.Actions) > 0 || r.Course != h.run.course {
			h.run.course = r.Course
			w.note(h.name, "reconcile (%s): %s, %v %v", event, r.Course, r.Message(), r.Actions)
			for _, warning := range r.Warnings {
				w.note(h.name, "  %v", warning)
			}
		}
		return r.Err
	}, exit)
}

// convene asks all Sentinels at once. Once more than half of all name this node, it
// waits for no more: [redis-vip/hooks.Convene].
func (p *process) convene(ctx context.Context) []checks.Answer {
	w := p.host.world
	answers := make([]checks.Answer, len(w.nodes))
	caller, pending, mine := p.cur, len(w.nodes), 0
	for i, h := range w.nodes {
		answers[i] = checks.Answer{Sentinel: h.sentinel.addr, Err: errNotAwaited}
		p.clock.Go(func() {
			answer := p.askSentinel(ctx, h)
			if caller != nil {
				answers[i] = answer
				if answer.Err == nil && answer.Master == p.host.redis.addr {
					mine++
				}
				pending--
				p.wake(caller)
			}
		})
	}
	for pending > 0 && mine <= len(w.nodes)/2 {
		p.wait(never, nil)
	}
	caller = nil
	return answers
}

var errNotAwaited = errors.New("was not waited for")

func (p *process) askSentinel(ctx context.Context, h *host) checks.Answer {
	s := h.sentinel
	a := checks.Answer{Sentinel: s.addr, ID: h.name}
	a.Err = p.ask(ctx, h, peerTimeout, func(d *deadline) error {
		switch {
		case !s.running:
			return errRefused
		case s.frozen:
			return p.expire(d)
		}
		a.Master = h.world.nodes[s.named()].redis.addr
		a.Epoch, a.Failover = s.config, s.failover != nil
		a.Replicas = len(s.views) - 1 // it forgets none
		return nil
	})
	if a.Err != nil {
		a.Master = netip.AddrPort{}
	}
	return a
}

func (p *process) failover(ctx context.Context) (err error) {
	for _, h := range p.host.world.nodes {
		s := h.sentinel
		err = p.ask(ctx, h, peerTimeout, func(d *deadline) error {
			switch {
			case !s.running:
				return errRefused
			case s.frozen:
				return p.expire(d)
			}
			return s.command()
		})
		if err == nil {
			return nil
		}
	}
	return err
}

// address is the VIP on this host.
type address struct{ *process }

func (a address) String() string { return "192.168.0.4/24" }

// Take puts it here, and announces it again and again.
func (a address) Take(context.Context) (bool, error) {
	a.alive()
	if a.host.vip {
		return false, nil
	}
	h := a.host
	h.setVIP(true)
	for i := range announceTimes {
		h.soon(time.Duration(i)*announceEvery, func() {
			if h.vip {
				h.announce()
			}
		})
	}
	return true, nil
}

func (a address) Remove() (bool, error) {
	a.alive()
	had := a.host.vip
	a.host.setVIP(false)
	return had, nil
}

func (a address) Held() (bool, error) { return a.host.vip, nil }

// moment is when a majority was last reached.
type moment struct{ *process }

func (m moment) Now() error {
	m.host.run.majority, m.host.run.asked = m.clock.Boot(), true
	return nil
}

func (m moment) Ago() time.Duration {
	if !m.host.run.asked {
		m.Now()
	}
	return m.clock.Boot() - m.host.run.majority
}
