package lease_test

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"redis-vip/checks"
	"redis-vip/checks/clock"
	"redis-vip/checks/lint"
	"redis-vip/checks/node/nodetest"
	"redis-vip/hooks/lease"
)

var a, b = netip.MustParseAddrPort("192.0.2.1:6379"), netip.MustParseAddrPort("192.0.2.2:6379")

// stamp remembers in memory.
type stamp struct {
	at    time.Duration
	known bool
}

func (s *stamp) Set(at time.Duration) error          { s.at, s.known = at, true; return nil }
func (s *stamp) Get() (at time.Duration, known bool) { return s.at, s.known }
func (s *stamp) Clear() error                        { s.known = false; return nil }

func holder(node netip.AddrPort, witnesses ...*nodetest.Server) lease.Lease {
	l := lease.Lease{Node: node, Token: "boot", Stamp: new(stamp), Clock: clock.Wall{}, Patience: 250 * time.Millisecond}
	for _, w := range witnesses {
		l.Witnesses = append(l.Witnesses, lease.Redis{Endpoint: w.Endpoint(), Group: "group", Timeout: time.Second})
	}
	return l
}

// granted waits until a witness that has just started grants anything.
func granted(t *testing.T, l lease.Lease) {
	t.Helper()
	nodetest.Eventually(t, "a lease", func() error {
		if view := l.Claim(context.Background()); !view.Mine {
			return errors.New("not granted: " + view.Problem)
		}
		return nil
	})
}

// grown waits until each of the witnesses is old enough to grant: two are a majority
// while the third is not.
func grown(t *testing.T, witnesses []*nodetest.Server) {
	t.Helper()
	for _, w := range witnesses {
		anyone := holder(netip.MustParseAddrPort("192.0.2.3:6379"), w)
		granted(t, anyone)
		if err := anyone.Release(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestOneHolder(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := nodetest.Redis(t)
	mine, theirs := holder(a, w), holder(b, w)
	if view := mine.Claim(ctx); view.Mine || view.Reached != 1 {
		t.Errorf("a witness that has just started may have forgotten a lease, and granted one: %+v", view)
	}
	if mine.Left() != 0 {
		t.Error("nothing was granted, and something is left")
	}
	granted(t, mine)
	if left := mine.Left(); left < 3*time.Second || left > checks.LeaseHeld {
		t.Errorf("left: %v", left)
	}
	if view := theirs.Claim(ctx); view.Mine || view.Other != a.String() || view.Age > time.Second {
		t.Errorf("the lease is another's: %+v", view)
	}
	if view := theirs.Look(ctx); view.Other != a.String() || !view.Majority() {
		t.Errorf("look: %+v", view)
	}
	if err := theirs.Release(ctx); err != nil {
		t.Error(err)
	}
	if view := theirs.Claim(ctx); view.Mine {
		t.Error("who has no lease has released another's")
	}

	// Another boot of the same host is somebody else.
	reborn := mine
	reborn.Token, reborn.Stamp = "another boot", new(stamp)
	if view := reborn.Claim(ctx); view.Mine {
		t.Error("a host that has rebooted goes on with its old lease")
	}

	if view := theirs.TakeOver(ctx, a); !view.Mine {
		t.Errorf("taken over with the holder's consent: %+v", view)
	}
	if view := mine.Claim(ctx); view.Mine || view.Other != b.String() {
		t.Errorf("after that: %+v", view)
	}
	if err := theirs.Release(ctx); err != nil {
		t.Error(err)
	}
	if view := mine.Claim(ctx); !view.Mine {
		t.Errorf("after a release: %+v", view)
	}
	// Nobody renews it.
	nodetest.Eventually(t, "the end of the lease", func() error {
		if view := theirs.Claim(ctx); !view.Mine {
			return errors.New(view.Other)
		}
		return nil
	})
	if left := mine.Left(); left != 0 {
		t.Errorf("another one has it, and this one goes on for %v", left)
	}
}

// However many bid at once, one gets it.
func TestRace(t *testing.T) {
	t.Parallel()
	w := nodetest.Redis(t)
	first := holder(netip.MustParseAddrPort("192.0.2.9:6379"), w)
	granted(t, first)
	if err := first.Release(context.Background()); err != nil {
		t.Fatal(err)
	}
	var won sync.Map
	var busy sync.WaitGroup
	for i := range 16 {
		busy.Go(func() {
			addr := netip.AddrPortFrom(a.Addr(), uint16(7000+i))
			if holder(addr, w).Claim(context.Background()).Mine {
				won.Store(addr, true)
			}
		})
	}
	busy.Wait()
	winners := 0
	won.Range(func(any, any) bool { winners++; return true })
	if winners != 1 {
		t.Errorf("%d have the lease", winners)
	}
}

// Of three witnesses any two are enough, and one is not.
func TestMajority(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := []*nodetest.Server{nodetest.Redis(t), nodetest.Redis(t), nodetest.Redis(t)}
	mine, theirs := holder(a, w...), holder(b, w...)
	grown(t, w)
	granted(t, mine)
	w[0].Signal(syscall.SIGSTOP)
	if view := mine.Claim(ctx); !view.Mine || view.Reached != 2 {
		t.Errorf("one witness hangs: %+v", view)
	}
	w[1].Kill()
	view := mine.Claim(ctx)
	if view.Mine || view.Majority() || view.Problem == "" {
		t.Errorf("two witnesses are away: %+v", view)
	}
	if view := theirs.Claim(ctx); view.Mine {
		t.Errorf("two witnesses are away, and the other one gets the lease: %+v", view)
	}
	// One that comes back empty grants nothing for as long as a lease may be held.
	w[1].Start()
	if view := theirs.Claim(ctx); view.Mine {
		t.Errorf("a witness has forgotten the lease: %+v", view)
	}
}

// What one of them granted while the others did not is given back at once.
func TestNothingIsKeptByHalves(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := []*nodetest.Server{nodetest.Redis(t), nodetest.Redis(t), nodetest.Redis(t)}
	grown(t, w)
	granted(t, holder(a, w[0], w[1]))
	mine := holder(b, w...)
	if view := mine.Claim(ctx); view.Mine || view.Other != a.String() {
		t.Fatalf("%+v", view)
	}
	if view := holder(a, w[2]).Claim(ctx); !view.Mine {
		t.Errorf("the third witness keeps a bid that has lost: %+v", view)
	}
}

func TestReplicaIsNoWitness(t *testing.T) {
	t.Parallel()
	master, replica := nodetest.Redis(t), nodetest.Redis(t)
	replica.Follow(master)
	nodetest.Eventually(t, "an uptime beyond a lease", func() error {
		view := holder(a, replica).Claim(context.Background())
		if view.Mine {
			t.Fatal("a replica has granted a lease")
		}
		if !strings.Contains(view.Problem, "is a replica") {
			return errors.New(view.Problem)
		}
		return nil
	})
}

func TestRights(t *testing.T) {
	t.Parallel()
	w := nodetest.Redis(t, "user ha on >secret resetchannels "+strings.Join(lint.Accounts[lint.ProgramsOnWitness].Rules(), " "))
	l := holder(a, w)
	witness := l.Witnesses[0].(lease.Redis)
	witness.Username, witness.Password = "ha", "secret"
	l.Witnesses[0] = witness
	granted(t, l)
	if err := l.Release(context.Background()); err != nil {
		t.Error(err)
	}
	w.Do("ACL", "SETUSER", "ha", "-info")
	if view := l.Claim(context.Background()); view.Mine || view.Problem == "" {
		t.Errorf("without a right: %+v", view)
	}
}
