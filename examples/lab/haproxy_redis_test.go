package main

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"redis-vip/examples/lab/ledger"
	"redis-vip/examples/lab/netlab"
	"redis-vip/examples/lab/shell"
	"redis-vip/examples/lab/site"
)

// Redis dies: the Sentinels choose, and both HAProxies follow them. Back, it is a replica.
func TestProxiedRedisKilled(t *testing.T) {
	ctx, s := proxied(t, reconciling)
	old := master(t, ctx, s)
	cost := write(t, ctx, s, func(*ledger.Ledger) error {
		if err := old.Redis.Kill(ctx); err != nil {
			return err
		}
		return elsewhere(ctx, s, old)
	})
	if cost.nowhere > inFlight {
		t.Errorf("%d acknowledged writes are nowhere", cost.nowhere)
	}
	// down-after 2 s, 1 s for the election, 1 s until Sentinel has seen the new master, a check.
	if outage := cost.Outage.Duration(); outage > 6*time.Second {
		t.Errorf("outage %v", outage)
	}
	if err := old.Redis.Start(ctx); err != nil {
		t.Fatal(err)
	}
	if err := s.WaitReady(ctx); err != nil {
		t.Error(err)
	}
}

// A master that restarts before the Sentinels take it for down boots as a replica of
// nobody: they name it, and would wait for ever for a master.
func TestProxiedRedisRestartsInTime(t *testing.T) {
	ctx, s := proxied(t, reconciling)
	old := master(t, ctx, s)
	old.Redis.RestartAfter = 100 * time.Millisecond // as its unit has it
	cost := write(t, ctx, s, func(book *ledger.Ledger) error {
		if err := old.Redis.Kill(ctx); err != nil {
			return err
		}
		return book.WaitAcknowledged(ctx, 1000)
	})
	if cost.nowhere > inFlight {
		t.Errorf("%d acknowledged writes are nowhere", cost.nowhere)
	}
	if outage := cost.Outage.Duration(); outage > 8*time.Second {
		t.Errorf("outage %v", outage)
	}
	if err := s.WaitReady(ctx); err != nil {
		t.Error(err)
	}
}

// The Sentinels depose a master that lives: by hand, or because it is cut off from them.
// Believed, it goes on taking writes that nobody else will ever have. Our check ends that
// some seconds later; what it has taken until then, the reconciler on its host saves.
func TestProxiedMasterDeposed(t *testing.T) {
	// Sentinel makes a replica of it after some ten seconds, if it reaches it.
	const long = 12 * time.Second
	for name, depose := range map[string]func(context.Context, *site.Site, *site.Node) error{
		"by hand": func(ctx context.Context, s *site.Site, _ *site.Node) error {
			return s.Nodes[2].Sentinel.Do(ctx, "SENTINEL", "FAILOVER", "mymaster").Err()
		},
		"cut off": func(_ context.Context, s *site.Site, old *site.Node) (err error) {
			for _, n := range s.Others(old) {
				err = errors.Join(err, s.CutBoth(old.Host, n.Host))
			}
			return err
		},
	} {
		for whose, options := range map[string]site.Options{"ours": reconciling, "check alone": shell.CheckAlone(), "tcp-check": shell.TCPCheck()} {
			t.Run(name+" "+whose, func(t *testing.T) {
				ctx, s := proxied(t, options)
				old := master(t, ctx, s)
				cost := write(t, ctx, s, func(*ledger.Ledger) error {
					if err := depose(ctx, s, old); err != nil {
						return err
					}
					start := time.Now()
					if whose != "tcp-check" {
						if err := elsewhere(ctx, s, old); err != nil {
							return err
						}
						t.Logf("clients are led elsewhere after %v", time.Since(start))
					}
					if name == "by hand" && whose == "ours" {
						err := old.Redis.WaitRole(ctx, "slave")
						t.Logf("the old master is a replica after %v", time.Since(start))
						return err
					}
					rest(ctx, long-time.Since(start))
					return nil
				}, func() error {
					if err := s.HealAll(); err != nil {
						return err
					}
					return s.WaitReady(ctx)
				})
				switch {
				case cost.missing == 0:
					t.Error("it has taken no write that the new master lacks: then there was nothing to save")
				case whose == "ours" && cost.nowhere > 0:
					t.Errorf("%d acknowledged writes are nowhere", cost.nowhere)
				// At 1500 a second: down-after and the election, where it is cut off; until a
				// majority has switched, 2 s; a check or two.
				case whose == "check alone" && cost.missing > 7500:
					t.Errorf("%d acknowledged writes are lost: it took writes for too long", cost.missing)
				}
			})
		}
	}
}

// Without a majority of the Sentinels, a master may have a successor that it does not hear
// of: its writers wait. With one that names it, they go on.
func TestProxiedNoMajority(t *testing.T) {
	ctx, s := proxied(t, reconciling)
	lone := master(t, ctx, s)
	cost := write(t, ctx, s, func(book *ledger.Ledger) error {
		for _, n := range s.Others(lone) {
			if err := n.Sentinel.Kill(ctx); err != nil {
				return err
			}
		}
		gone := time.Now()
		if err := netlab.Until(ctx, func(ctx context.Context) error {
			if lone.Redis.Do(ctx, "DEL", "nobody writes this").Err() == nil {
				return errors.New("it takes writes")
			}
			return nil
		}); err != nil {
			return err
		}
		t.Logf("writers wait after %v", time.Since(gone))
		if role, err := lone.Redis.Role(ctx); err != nil || role != "master" {
			t.Errorf("it is a %s: %v", role, err)
		}
		for _, n := range s.Others(lone) {
			if err := n.Sentinel.Start(ctx); err != nil {
				return err
			}
		}
		back := time.Now()
		if err := book.WaitAcknowledged(ctx, 1000); err != nil {
			return err
		}
		t.Logf("and go on %v after the Sentinels are back", time.Since(back))
		return nil
	})
	if cost.missing > 0 {
		t.Errorf("%d acknowledged writes are lost", cost.missing)
	}
	if now := master(t, ctx, s); now != lone {
		t.Errorf("the master is %s now", now.Name)
	}
}

// A switchover under load loses nothing, and there is nothing to save.
func TestProxiedSwitchover(t *testing.T) {
	ctx, s := proxied(t, reconciling)
	old := master(t, ctx, s)
	cost := write(t, ctx, s, func(*ledger.Ledger) error {
		status, err := person(ctx, old, "switchover", "mymaster")
		t.Logf("%s%s", status.Stdout, status.Stderr)
		if err == nil && status.Code != 0 {
			err = fmt.Errorf("switchover: %v", status)
		}
		if err != nil {
			return err
		}
		return elsewhere(ctx, s, old)
	})
	if cost.missing > 0 {
		t.Errorf("%d acknowledged writes are lost", cost.missing)
	}
	if err := s.WaitReady(ctx); err != nil {
		t.Error(err)
	}
}
