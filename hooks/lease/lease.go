// Package lease keeps the third vote of a pair on witnesses: servers that speak
// Redis's protocol, and that grant one node at a time, for a few seconds, the right to
// be the master. What the votes mean is said in package checks.
package lease

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"redis-vip/checks"
	"redis-vip/checks/clock"
)

// Witness is one server that keeps leases. [Redis] is the real one. Each call is
// atomic there.
type Witness interface {
	// Bid claims or looks; see [Bid].
	Bid(context.Context, Bid) (Grant, error)
	// Release gives the lease up, if owner has it.
	Release(ctx context.Context, owner string) error
}

// Bid is what a node asks of a witness.
type Bid struct {
	Owner string        // who wants it; empty: nobody, it is only looked
	From  string        // whose it may be now: an owner that begins like this has agreed
	Time  time.Duration // for how long
}

// Grant is what a witness says.
type Grant struct {
	Owner string        // who has it; empty: nobody
	Left  time.Duration // for how long
}

// Stamp remembers over runs when the last claim was sent that was granted, on the
// clock that counts from the boot of the machine: [clock.Clock.Boot].
type Stamp interface {
	Set(time.Duration) error
	Get() (at time.Duration, known bool)
	Clear() error
}

// Lease is the lease of one group, as this node sees it.
type Lease struct {
	Witnesses []Witness
	Node      netip.AddrPort // this one
	Token     string         // of this boot of the host: after another, the lease is somebody else's
	Stamp     Stamp
	Clock     clock.Clock
	Patience  time.Duration // for one question to all witnesses
}

// Owners are written ADDRESS:PORT/TOKEN.
func (l Lease) owner() string           { return l.Node.String() + "/" + l.Token }
func prefix(node netip.AddrPort) string { return node.String() + "/" }

// Claim takes the lease, or renews it. Where a majority does not grant it, what the
// others granted is given back, unless this node has had it before: then it is a
// renewal that did not get through everywhere.
func (l Lease) Claim(ctx context.Context) checks.Lease { return l.claim(ctx, "") }

// TakeOver is [Lease.Claim] where the node at from, which may have the lease, has
// agreed: its writers wait for this one.
func (l Lease) TakeOver(ctx context.Context, from netip.AddrPort) checks.Lease {
	return l.claim(ctx, prefix(from))
}

func (l Lease) claim(ctx context.Context, from string) checks.Lease {
	sent := l.Clock.Boot()
	view := l.ask(ctx, Bid{l.owner(), from, checks.LeaseTime})
	if view.Mine {
		if err := l.Stamp.Set(sent); err != nil {
			view.Mine = false // this node could not tell when it ends
		}
	} else if _, had := l.Stamp.Get(); !had {
		l.giveBack(ctx)
	}
	view.Left = l.Left()
	return view
}

// Look asks who has the lease, and claims nothing.
func (l Lease) Look(ctx context.Context) checks.Lease {
	view := l.ask(ctx, Bid{})
	view.Left = l.Left()
	return view
}

// Left is how long this node may go on by what it was last granted.
func (l Lease) Left() time.Duration {
	at, known := l.Stamp.Get()
	if !known {
		return 0
	}
	return max(checks.LeaseHeld-(l.Clock.Boot()-at), 0)
}

// Release gives the lease up. It is for a node whose writers wait. A witness that
// cannot be reached forgets by itself.
func (l Lease) Release(ctx context.Context) error {
	if _, had := l.Stamp.Get(); !had {
		return nil
	}
	return errors.Join(l.Stamp.Clear(), l.giveBack(ctx))
}

func (l Lease) giveBack(ctx context.Context) error {
	errs := make([]error, len(l.Witnesses))
	l.each(ctx, func(ctx context.Context, i int) { errs[i] = l.Witnesses[i].Release(ctx, l.owner()) })
	return errors.Join(errs...)
}

// ask puts a bid to all witnesses at once.
func (l Lease) ask(ctx context.Context, bid Bid) checks.Lease {
	view := checks.Lease{Witnesses: len(l.Witnesses), Asked: true}
	grants, errs := make([]Grant, len(l.Witnesses)), make([]error, len(l.Witnesses))
	l.each(ctx, func(ctx context.Context, i int) { grants[i], errs[i] = l.Witnesses[i].Bid(ctx, bid) })
	ages := make(map[string][]time.Duration) // by owner, of those that grant it
	for i, grant := range grants {
		if errs[i] != nil {
			view.Problem = fmt.Sprint(errs[i])
			continue
		}
		view.Reached++
		if grant.Owner != "" {
			ages[grant.Owner] = append(ages[grant.Owner], checks.LeaseTime-grant.Left)
		}
	}
	for owner, list := range ages {
		switch {
		case len(list) <= len(l.Witnesses)/2:
		case owner == l.owner():
			view.Mine = true
		default:
			slices.Sort(list)
			view.Other, _, _ = strings.Cut(owner, "/")
			view.Age = list[len(l.Witnesses)/2]
		}
	}
	return view
}

// each asks all witnesses at once, and bounds the wait.
func (l Lease) each(ctx context.Context, ask func(ctx context.Context, i int)) {
	ctx, cancel := l.Clock.WithTimeout(ctx, l.Patience)
	defer cancel()
	pending := make([]func(), len(l.Witnesses))
	for i := range l.Witnesses {
		pending[i] = l.Clock.Go(func() { ask(ctx, i) })
	}
	for _, wait := range pending {
		wait()
	}
}
