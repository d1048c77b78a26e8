package world

import (
	"context"
	"time"

	"redis-vip/checks"
	"redis-vip/checks/node"
	"redis-vip/checks/survey"
	"redis-vip/hooks"
	"redis-vip/hooks/preserve"
)

// The times of cmd/internal/config and cmd/internal/program.
const (
	checkTimeout = 900 * time.Millisecond
	peerTimeout  = 250 * time.Millisecond
	hookTimeout  = 10 * time.Second
	bootWait     = 30 * time.Second
	grace        = 6 * time.Second
	markFresh    = 5 * time.Second
	retry        = 100 * time.Millisecond // 20 ms really: what waits waits in fewer steps
)

var policy = checks.Policy{BootWait: bootWait, Grace: grace}

// timed is one program with its deadline.
func (p *process) timed(timeout time.Duration) (context.Context, context.CancelFunc) {
	return p.clock.WithTimeout(p.root, timeout)
}

// view is where the facts of the group come from: cmd/internal/program/seat.go.
func (p *process) view() survey.Survey {
	h, w := p.host, p.host.world
	target := func(at *host, order int, timeout time.Duration) survey.Target {
		return survey.Target{Addr: at.redis.addr, Order: order, Look: func(ctx context.Context) node.Facts {
			return p.look(ctx, at, timeout)
		}}
	}
	s := survey.Survey{
		Self:     target(h, h.id, checkTimeout),
		Where:    h.where,
		Patience: peerTimeout,
		Clock:    p.clock,
		Recall:   func() checks.Memory { return h.disk.memory },
		Contested: func(now time.Time) bool {
			return !h.run.contested.IsZero() && checks.Within(markFresh, h.run.contested, now)
		},
	}
	for _, peer := range w.nodes {
		if peer != h {
			s.Peers = append(s.Peers, target(peer, peer.id, peerTimeout))
		}
	}
	if w.gateway != nil {
		s.Gateway = p.askGateway
	}
	if s.Witnesses = len(w.witnesses); s.Witnesses > 0 {
		l := p.lease()
		s.Lease = func(ctx context.Context, _ checks.Facts) checks.Lease { return l.Look(ctx) }
	}
	s.VIP.Look = func(ctx context.Context) node.Facts {
		at := h.neighbour
		if at == nil || !at.vip {
			at = nil // nobody answers there
		}
		return p.look(ctx, at, peerTimeout)
	}
	return s
}

// askGateway is a connection to it; a refusal is an answer, too.
func (p *process) askGateway(ctx context.Context) checks.Reach {
	if p.ask(ctx, p.host.world.gateway, peerTimeout, func(*deadline) error { return nil }) != nil {
		return checks.GatewaySilent
	}
	return checks.GatewayAnswers
}

// settle is a hook: cmd/internal/program/seat.go.
func (p *process) settle(event string, hint checks.Goal) hooks.Settle {
	h := p.host
	s := hooks.Settle{
		Event:    event,
		Hint:     hint,
		Local:    server{p, h, checkTimeout},
		Survey:   p.view().Full,
		Where:    h.where,
		Policy:   policy,
		Lock:     locker{p, &h.run.lock},
		Fenced:   fence{h},
		Clock:    p.clock,
		Retry:    retry,
		Within:   hookTimeout,
		Preserve: preserve.Require,
		Save:     p.save,
		Recall:   func() checks.Memory { return h.disk.memory },
		Remember: func(m checks.Memory) error {
			p.alive()
			h.disk.memory = m
			return nil
		},
	}
	if len(h.world.witnesses) > 0 {
		s.Ballot = p.lease()
	}
	for _, n := range h.world.nodes {
		s.Nodes = append(s.Nodes, n.redis.addr.String())
		if n != h {
			s.Peers = append(s.Peers, server{p, n, peerTimeout})
		}
	}
	return s
}

// notify is notify-master, notify-backup, or the hook that redis-check --heal starts.
func (h *host) notify(delay time.Duration, event string, hint checks.Goal) *process {
	return h.spawn(delay, event, func(p *process) error {
		if h.run.failing {
			return errKilled
		}
		h.world.note(h.name, "%s begins", event)
		r := p.settle(event, hint).Run(p.root)
		h.world.record(h, r)
		return r.Err
	}, nil)
}

// check is one run of redis-check --heal. It tells how it ended.
func (h *host) check(delay time.Duration, exit func(fit bool)) *process {
	var verdict checks.Verdict
	return h.spawn(delay, "redis-check", func(p *process) error {
		ctx, cancel := p.timed(checkTimeout)
		defer cancel()
		var facts checks.Facts
		facts, verdict, _ = hooks.Inspection{
			Survey:   p.serving().Brief,
			Policy:   policy,
			Remember: h.remember,
			Fenced:   fence{h},
			Guard: func() error {
				h.guard(h.startTime())
				return nil
			},
			Heal: func() error {
				h.notify(h.startTime(), "redis-check --heal", checks.NoGoal)
				return nil
			},
		}.Run(ctx)
		h.world.judged(h, facts, verdict)
		return nil
	}, func(err error) { exit(err == nil && verdict.Fit) })
}

// remember is the process that writes the memory down.
func (h *host) remember(m checks.Memory, base time.Time) error {
	h.soon(h.startTime(), func() {
		if h.disk.memory.At.Equal(base) {
			h.disk.memory = m
		}
	})
	return nil
}

// contested is a call of keepalived's notify_master_rx_lower_pri.
func (h *host) contested(delay time.Duration) *process {
	return h.spawn(delay, "redis-vip contested", func(p *process) error {
		ctx, cancel := p.timed(checkTimeout)
		defer cancel()
		_, _, err := hooks.Contest{
			Mark: func() error {
				h.run.contested = p.clock.Now()
				return nil
			},
			Survey: p.view().Full,
			Local:  server{p, h, checkTimeout},
		}.Run(ctx)
		return err
	}, nil)
}

// startTime is how long it takes to start a program: milliseconds, and now and then
// much longer.
func (h *host) startTime() time.Duration {
	most := 30 * time.Millisecond
	if h.random.IntN(20) == 0 {
		most = 300 * time.Millisecond
	}
	return time.Millisecond + time.Duration(h.random.Int64N(int64(most)))
}
