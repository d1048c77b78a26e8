package hooks_test

import (
	"context"
	"errors"
	"net/netip"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"redis-vip/checks"
	"redis-vip/checks/clock"
	"redis-vip/checks/node/nodetest"
	"redis-vip/hooks"
	"redis-vip/hooks/lease"
)

// stamp and flag remember in memory.
type stamp struct {
	at    time.Duration
	known bool
}

func (s *stamp) Set(at time.Duration) error          { s.at, s.known = at, true; return nil }
func (s *stamp) Get() (at time.Duration, known bool) { return s.at, s.known }
func (s *stamp) Clear() error                        { s.known = false; return nil }

type flag struct{ set bool }

func (f *flag) Set(on bool) error { f.set = on; return nil }
func (f *flag) IsSet() bool       { return f.set }

// vote gives a hook the third vote, and returns it.
func vote(s *hooks.Settle, local, witness *nodetest.Server) lease.Lease {
	l := lease.Lease{
		Witnesses: []lease.Witness{lease.Redis{Endpoint: witness.Endpoint(), Group: "group", Timeout: 250 * time.Millisecond}},
		Node:      local.Addr, Token: "boot", Stamp: new(stamp), Clock: clock.Wall{}, Patience: 250 * time.Millisecond,
	}
	s.Ballot = l
	survey := s.Survey
	s.Survey = func(ctx context.Context) checks.Facts {
		f := survey(ctx)
		for _, p := range f.Peers {
			f.Group = append(f.Group, p.Addr)
		}
		f.Lease = l.Look(ctx)
		return f
	}
	return l
}

func granted(t *testing.T, l lease.Lease) {
	t.Helper()
	nodetest.Eventually(t, "a lease", func() error {
		if view := l.Claim(context.Background()); !view.Mine {
			return errors.New("not granted: " + view.Problem)
		}
		return nil
	})
}

func TestPromotionNeedsTwoVotes(t *testing.T) {
	for name, test := range map[string]struct {
		old      func(old *nodetest.Server)
		witness  func(w *nodetest.Server)
		promoted bool
		why      string
	}{
		"the old master hangs, no witness":   {hang, kill, false, "isolated"},
		"the old master hangs, a witness":    {hang, live, true, ""},
		"the old master is dead, no witness": {kill, kill, true, "without the lease"},
		"the old master lives, no witness":   {live, kill, true, "without the lease"},
		"the old master lives, a witness":    {live, live, true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, b, w := nodetest.Redis(t, "repl-ping-replica-period 1"), nodetest.Redis(t), nodetest.Redis(t)
			b.Follow(a)
			s := settle(t, at(checks.Here), b, a)
			mine := vote(&s, b, w)
			var unused hooks.Settle
			theirs := vote(&unused, a, w)
			granted(t, theirs)
			test.witness(w)
			test.old(a)
			r := run(t, s, 8*time.Second)
			if (r.Outcome == hooks.Done) != test.promoted {
				t.Fatalf("%v: %v", r.Outcome, r.Err)
			}
			said := errors.Join(append(r.Warnings, r.Err)...)
			if test.why != "" && (said == nil || !strings.Contains(said.Error(), test.why)) {
				t.Errorf("it says %v, not %q", said, test.why)
			}
			if !test.promoted {
				return
			}
			isMaster(t, b)
			if view := theirs.Look(context.Background()); test.why == "" && view.Other != b.Addr.String() {
				t.Errorf("the lease: %+v", view)
			}
			if test.why == "" && mine.Left() == 0 {
				t.Error("the new master does not know that it has the lease")
			}
		})
	}
}

// counted is this node, and notes when it is made a master.
type counted struct {
	hooks.Server
	promoted *atomic.Bool
}

func (c counted) Promote(ctx context.Context) error {
	c.promoted.Store(true)
	return c.Server.Promote(ctx)
}

// impatient is the third vote, at a moment when the old master's own hook lets its writers go
// on: it had the lease until then.
type impatient struct {
	hooks.Ballot
	old *nodetest.Server
}

func (i impatient) TakeOver(ctx context.Context, from netip.AddrPort) checks.Lease {
	i.old.Do("CLIENT", "UNPAUSE")
	return i.Ballot.TakeOver(ctx, from)
}

// From when the new master is one, the old one acknowledges nothing.
func TestPromotionHoldsTheOldMaster(t *testing.T) {
	t.Parallel()
	a, b, w := nodetest.Redis(t), nodetest.Redis(t), nodetest.Redis(t)
	b.Follow(a)
	s := settle(t, at(checks.Here), b, a)
	s.Ballot = impatient{vote(&s, b, w), a}
	var unused hooks.Settle
	granted(t, vote(&unused, a, w))
	var promoted, over atomic.Bool
	s.Local = counted{s.Local, &promoted}
	late := make(chan int)
	go func() {
		client := a.Endpoint().Client(nodetest.Bound)
		defer client.Close()
		acked := 0
		for !over.Load() {
			already := promoted.Load()
			if client.Incr(context.Background(), "n").Err() == nil && already {
				acked++
			}
		}
		late <- acked
	}()
	reached(t, run(t, s, 8*time.Second))
	over.Store(true)
	if n := <-late; n > 0 {
		t.Errorf("the old master took %d writes after there was a new one", n)
	}
	isMaster(t, b)
}

func live(*nodetest.Server)   {}
func kill(s *nodetest.Server) { s.Kill() }
func hang(s *nodetest.Server) { s.Signal(syscall.SIGSTOP) }

// Who gives the VIP up gives the lease back at once.
func TestDemotionReleases(t *testing.T) {
	t.Parallel()
	a, b, w := nodetest.Redis(t), nodetest.Redis(t), nodetest.Redis(t)
	s := settle(t, at(checks.Absent), a, b)
	l := vote(&s, a, w)
	granted(t, l)
	if r := run(t, s, 5*time.Second); r.Outcome != hooks.Done {
		t.Fatal(r.Err)
	}
	if view := l.Look(context.Background()); view.Mine || view.Other != "" || l.Left() != 0 {
		t.Errorf("%+v", view)
	}
}

// A master that loses the witness and its replica stops its writers before the lease
// can pass on, and lets them go on when it has it again.
func TestGuard(t *testing.T) {
	t.Parallel()
	a, b, w := nodetest.Redis(t), nodetest.Redis(t), nodetest.Redis(t)
	b.Signal(syscall.SIGSTOP)
	s := settle(t, at(checks.Here), a, b)
	l := vote(&s, a, w)
	survey := s.Survey
	fenced := new(flag)
	guard := hooks.Guard{
		Survey: func(ctx context.Context) checks.Facts {
			f := survey(ctx)
			f.Lease = l.Claim(ctx)
			return f
		},
		Local: s.Local, Left: l.Left, Fenced: fenced, Group: s.Lock, Say: func(event string) { t.Log(event) },
		Alone: hooks.Lock{Path: filepath.Join(t.TempDir(), "guard")}, Clock: clock.Wall{}, Every: 50 * time.Millisecond,
	}
	granted(t, l)
	w.Kill()
	sent, _ := l.Stamp.Get()
	ended := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		ended <- guard.Run(ctx)
	}()

	writes := func() error {
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
		defer cancel()
		client := a.Endpoint().Client(100 * time.Millisecond)
		defer client.Close()
		return client.Set(ctx, "key", "value", 0).Err()
	}
	if err := writes(); err != nil {
		t.Errorf("fenced with %v left: %v", l.Left(), err)
	}
	last := clock.Wall{}.Boot()
	nodetest.Eventually(t, "a fence", func() error {
		if before := (clock.Wall{}).Boot(); writes() == nil {
			last = before
			return errors.New("writes go on")
		}
		return nil
	})
	if held := last - sent; held > checks.LeaseHeld || held < 2*time.Second {
		t.Errorf("the last write was %v after the lease was renewed, which lasts %v", held, checks.LeaseHeld)
	}
	w.Start()
	if err := <-ended; err != nil || fenced.set {
		t.Errorf("the guard ended with %v, fenced: %v", err, fenced.set)
	}
	if err := writes(); err != nil {
		t.Errorf("the lease is back, and writers wait: %v", err)
	}
}
