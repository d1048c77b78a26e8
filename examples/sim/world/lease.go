package world

import (
	"context"
	"time"

	"redis-vip/checks"
	"redis-vip/checks/survey"
	"redis-vip/hooks"
	"redis-vip/hooks/lease"
)

// witness is a Redis that keeps one lease. It forgets it when it restarts.
type witness struct {
	host   *host
	owner  string
	until  time.Duration // of its host's clock
	birth  time.Duration // the same
	silent bool          // its process is dead
}

// now is the time of day at the witness: keys end, and uptimes begin, by it.
func (t *witness) now() time.Duration { return t.host.world.now + t.host.skew }

func (t *witness) restart() {
	t.owner, t.silent, t.birth = "", false, t.now()
	t.host.world.watch.unrest = t.host.world.now // it grants nothing yet
}

// vote is a witness as one of our programs reaches it: what the scripts of
// [redis-vip/hooks/lease.Redis] do there.
type vote struct {
	*process
	*witness
}

func (v vote) Bid(ctx context.Context, b lease.Bid) (grant lease.Grant, err error) {
	err = v.ask(ctx, v.witness.host, peerTimeout, func(*deadline) error {
		t := v.witness
		now := t.now()
		if t.silent {
			return errRefused
		}
		if t.owner != "" && now >= t.until {
			t.owner = ""
		}
		mine := b.Owner != "" && (t.owner == b.Owner || b.From != "" && len(t.owner) >= len(b.From) && t.owner[:len(b.From)] == b.From)
		if t.owner == "" && b.Owner != "" {
			up := now/time.Second - t.birth/time.Second
			mine = up > b.Time/time.Second
		}
		if mine {
			t.owner, t.until = b.Owner, now+b.Time
		}
		grant = lease.Grant{Owner: t.owner}
		if t.owner != "" {
			grant.Left = t.until - now
		}
		return nil
	})
	return grant, err
}

func (v vote) Release(ctx context.Context, owner string) error {
	return v.ask(ctx, v.witness.host, peerTimeout, func(*deadline) error {
		switch {
		case v.silent:
			return errRefused
		case v.owner == owner:
			v.owner = ""
		}
		return nil
	})
}

// lease is the third vote as a program sees it: cmd/internal/program/lease.go.
func (p *process) lease() lease.Lease {
	h := p.host
	l := lease.Lease{
		Node: h.redis.addr, Token: h.run.token,
		Stamp: stamp{p}, Clock: p.clock, Patience: peerTimeout,
	}
	for _, t := range h.world.witnesses {
		l.Witnesses = append(l.Witnesses, vote{p, t})
	}
	return l
}

// serving is the survey of who renews the lease where this node serves.
func (p *process) serving() survey.Survey {
	view := p.view()
	if look := view.Lease; look != nil {
		l := p.lease()
		view.Lease = func(ctx context.Context, f checks.Facts) checks.Lease {
			if f.Claims() {
				return l.Claim(ctx)
			}
			return look(ctx, f)
		}
	}
	return view
}

const (
	guardEvery = 250 * time.Millisecond
	guardTime  = time.Minute
)

func (h *host) guard(delay time.Duration) {
	h.spawn(delay, "redis-check --guard", func(p *process) error {
		ctx, cancel := p.timed(guardTime)
		defer cancel()
		return hooks.Guard{
			Survey: p.serving().Brief, Local: server{p, h, checkTimeout}, Left: p.lease().Left, Fenced: fence{h},
			Group: locker{p, &h.run.lock}, Alone: locker{p, &h.run.guard}, Clock: p.clock, Every: guardEvery,
			Say: func(event string) { h.world.note(h.name, "guard: %s", event) },
		}.Run(ctx)
	}, nil)
}

// stamp remembers when the lease was last renewed.
type stamp struct{ *process }

func (s stamp) Set(at time.Duration) error {
	s.alive()
	s.host.run.leased, s.host.run.held = at, true
	return nil
}

func (s stamp) Get() (time.Duration, bool) { return s.host.run.leased, s.host.run.held }

func (s stamp) Clear() error {
	s.alive()
	s.host.run.held = false
	return nil
}

// fence is the mark that writers were paused.
type fence struct{ *host }

func (f fence) IsSet() bool { return f.run.fenced }

func (f fence) Set(on bool) error {
	f.run.fenced = on
	return nil
}
