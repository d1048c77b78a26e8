package world

import (
	"context"
	"io"
	"net/netip"
	"syscall"
	"time"

	"redis-vip/checks/node"
)

// ask is a question of a process to a server on another host, or on its own: a
// connection, a request, an answer. serve is what happens there.
func (p *process) ask(ctx context.Context, h *host, timeout time.Duration, serve func(*deadline) error) error {
	p.alive()
	d := own(ctx)
	if d != nil && d.Err() != nil {
		return d.Err()
	}
	if end := p.now + timeout; d == nil || end < d.end {
		d = &deadline{engine: p.engine, parent: d, end: end}
	}
	network := p.host.world.network
	if h == nil || !network.both(p.host, h) {
		return p.expire(d)
	}
	there := network.segment(p.host, h, synAgain) + network.segment(h, p.host, synAgain) + network.segment(p.host, h, dataAgain)
	p.wait(p.now+there, d)
	if d.Err() != nil {
		return d.Err()
	}
	if !network.both(p.host, h) {
		return p.expire(d)
	}
	err := serve(d)
	p.wait(p.now+network.segment(h, p.host, dataAgain), d)
	if !network.open(h, p.host) {
		return p.expire(d)
	}
	if d.Err() != nil {
		return d.Err()
	}
	return err
}

// call is a question to a Redis.
func (p *process) call(ctx context.Context, h *host, timeout time.Duration, serve func(*redis) error) error {
	return p.ask(ctx, h, timeout, func(d *deadline) error {
		r := h.redis
		if !r.running {
			return errRefused
		}
		life := r.life
		for r.hung {
			p.attend(r)
			p.wait(never, d)
			switch {
			case d.Err() != nil:
				return d.Err() // and the server finds the connection closed
			case r.life != life:
				return io.EOF
			}
		}
		return serve(r)
	})
}

// attend has the running thread woken when a server that hangs wakes or dies.
func (p *process) attend(r *redis) {
	t := p.cur
	r.late = append(r.late, func() { p.engine.wake(t) })
}

// expire waits for what does not come.
func (p *process) expire(d *deadline) error {
	p.wait(never, d)
	return d.Err()
}

// look is PING and INFO.
func (p *process) look(ctx context.Context, h *host, timeout time.Duration) (f node.Facts) {
	err := p.call(ctx, h, timeout, func(r *redis) error {
		f = r.facts()
		if h == p.host && f.Role == node.Replica && !f.Upstream.Up {
			f.Uptime = min(f.Uptime, h.world.now-r.began) // [node.Endpoint.Age]
		}
		return nil
	})
	if err != nil {
		f = node.Facts{Class: node.Classify(err), Problem: err.Error()}
	}
	return f
}

const errRefused = syscall.ECONNREFUSED

// server is a [redis-vip/hooks.Server] as one of our programs reaches it.
type server struct {
	*process
	at      *host
	timeout time.Duration
}

func (s server) Addr() netip.AddrPort { return s.at.redis.addr }

func (s server) Look(ctx context.Context) node.Facts { return s.look(ctx, s.at, s.timeout) }

func (s server) do(ctx context.Context, command func(*redis) error) error {
	return s.call(ctx, s.at, s.timeout, func(r *redis) error {
		if r.loading {
			return errLoading
		}
		return command(r)
	})
}

func (s server) Promote(ctx context.Context) error {
	return s.do(ctx, func(r *redis) error {
		r.byHand, r.ordered = false, false
		if r.upstream != nil && r.world.setup.Architecture != Sentinel { // there, whom the Sentinels choose
			r.world.outdated(r)
			r.world.hasty(r)
			r.world.halved(r)
			r.world.awaited(r)
		}
		return r.promote()
	})
}

func (s server) Follow(ctx context.Context, master netip.AddrPort) error {
	return s.do(ctx, func(r *redis) error {
		r.byHand, r.ordered, r.told = false, false, 0
		if m := r.world.redisAt(master); m != nil {
			r.told, r.toldAt = m.life, r.world.now
		}
		return r.follow(master)
	})
}

// Persist leaves a replica alone that boots as nobody's: see hooks.Settle.persist.
func (s server) Persist(ctx context.Context) error {
	return s.do(ctx, func(r *redis) error {
		if r.upstream == nil || r.boots != node.Nobody {
			r.rewrite()
		}
		return nil
	})
}

func (s server) Disconnect(ctx context.Context) (int64, error) {
	return 0, s.do(ctx, func(r *redis) error {
		r.disconnect()
		return nil
	})
}

func (s server) Reconnect(ctx context.Context) error {
	return s.do(ctx, func(r *redis) error {
		r.reconnect()
		return nil
	})
}

func (s server) Pause(ctx context.Context, d time.Duration) error {
	return s.do(ctx, func(r *redis) error {
		r.pause(d)
		return nil
	})
}

func (s server) Unpause(ctx context.Context) error {
	return s.do(ctx, func(r *redis) error {
		r.resume()
		return nil
	})
}

func (s server) AbortFailover(ctx context.Context) error {
	return s.do(ctx, func(*redis) error { return refusal("ERR No failover in progress.") })
}
