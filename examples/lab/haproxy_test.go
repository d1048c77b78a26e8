package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"redis-vip/checks"
	"redis-vip/examples/lab/client"
	"redis-vip/examples/lab/fault"
	"redis-vip/examples/lab/ledger"
	"redis-vip/examples/lab/netlab"
	"redis-vip/examples/lab/shell"
	"redis-vip/examples/lab/site"
)

// proxied brings the HAProxy example up.
func proxied(t *testing.T, o site.Options) (context.Context, *site.Site) {
	t.Helper()
	t.Parallel()
	netlab.Require(t, "haproxy", "curl")
	return start(t, site.Proxied, o)
}

// reconciling is the example as it is: the units look after each Redis, without any right
// to addresses.
var reconciling = site.Options{Timer: true}

// toll is what a fault has cost.
type toll struct {
	ledger.Report
	missing int // acknowledged, and not on the master at the end
	nowhere int // and not preserved either
}

// write writes through the VIP until during has ended, and for some more writes. after is
// what is to be done before one looks what the master at the end lacks.
func write(t *testing.T, ctx context.Context, s *site.Site, during func(*ledger.Ledger) error, after ...func() error) toll {
	t.Helper()
	book := s.Ledger(ledger.Config{})
	defer book.Stop()
	err := book.WaitAcknowledged(ctx, 1000)
	if err == nil {
		err = during(book)
	}
	if err == nil {
		err = book.WaitAcknowledged(ctx, 1000)
	}
	if err != nil {
		t.Fatal(err)
	}
	book.Stop()
	for _, f := range after {
		if err := f(); err != nil {
			t.Fatal(err)
		}
	}
	missing, err := book.Missing(ctx, master(t, ctx, s).Redis)
	if err != nil {
		t.Fatal(err)
	}
	kept, err := fault.Preserved(ctx, s)
	if err != nil {
		t.Fatal(err)
	}
	cost := toll{Report: book.Report(), missing: len(missing)}
	for _, key := range missing {
		if !kept[key] {
			cost.nowhere++
		}
	}
	t.Logf("outage %v, %d acknowledged, %d nowhere, %d preserved, errors %v",
		cost.Outage.Duration(), cost.Acknowledged, cost.nowhere, cost.missing-cost.nowhere, cost.Errors)
	return cost
}

func master(t *testing.T, ctx context.Context, s *site.Site) (found *site.Node) {
	t.Helper()
	if err := netlab.Until(ctx, func(ctx context.Context) (err error) {
		found, err = s.Master(ctx)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return found
}

// elsewhere waits until clients reach another Redis than the old master.
func elsewhere(ctx context.Context, s *site.Site, old *site.Node) error {
	return netlab.Until(ctx, func(ctx context.Context) error {
		now, err := s.Master(ctx)
		if err == nil && now == old {
			err = fmt.Errorf("%s is still the master", old.Name)
		}
		return err
	})
}

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
	// down-after 1 s, as long for the election, 1 s until Sentinel has seen the new master, a check.
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

// HAProxy dies, or hangs, on the host with the VIP.
func TestProxiedHAProxyFails(t *testing.T) {
	for name, test := range map[string]struct {
		fault, mend func(context.Context, *site.Node) error
	}{
		"killed": {
			func(ctx context.Context, n *site.Node) error { return n.HAProxy.KillAll(ctx) },
			func(ctx context.Context, n *site.Node) error { return n.HAProxy.Start(ctx) },
		},
		"hangs": {
			func(_ context.Context, n *site.Node) error { return n.HAProxy.Hang() },
			func(_ context.Context, n *site.Node) error { return n.HAProxy.Wake() },
		},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, s := proxied(t, reconciling)
			active := holder(t, s)
			cost := write(t, ctx, s, func(*ledger.Ledger) error {
				if err := test.fault(ctx, active); err != nil {
					return err
				}
				return s.WaitHolder(ctx, s.Standby(active))
			}, func() error { return test.mend(ctx, active) })
			if cost.missing > 0 {
				t.Errorf("%d acknowledged writes are lost", cost.missing)
			}
			// fall x interval, and a time-out of the check.
			if outage := cost.Outage.Duration(); outage > 4*time.Second {
				t.Errorf("outage %v", outage)
			}
		})
	}
}

// returned waits until a HAProxy has seen the old master say that it is one.
func returned(ctx context.Context, s *site.Site, proxy, old *site.Node, since time.Time) error {
	_, err := s.Journal.Wait(ctx, func(e netlab.Entry) bool {
		switch {
		case e.At.Before(since), e.Host != proxy.Name:
			return false
		case e.Identifier == "haproxy":
			return strings.Contains(e.Message, "Server master/"+old.Name+" is UP")
		default:
			return e.Fields["REASON"] == checks.NotElected.String() && e.Fields["NODE"] == old.Endpoint()
		}
	})
	return err
}

// Where nothing of ours is on its host, a master that died comes back as a master, and the
// Sentinels take some ten seconds to make a replica of it. A check that believes its word
// sends it clients meanwhile, and what they write is lost.
func TestProxiedOldMasterReturns(t *testing.T) {
	for name, test := range map[string]struct {
		options site.Options
		loses   bool
	}{
		"check alone": {shell.CheckAlone(), false}, "tcp-check": {shell.TCPCheck(), true},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, s := proxied(t, test.options)
			old := master(t, ctx, s)
			if err := old.Redis.Kill(ctx); err != nil {
				t.Fatal(err)
			}
			if err := elsewhere(ctx, s, old); err != nil {
				t.Fatal(err)
			}
			back := time.Now()
			if err := old.Redis.Start(ctx); err != nil {
				t.Fatal(err)
			}
			if err := returned(ctx, s, holder(t, s), old, back); err != nil {
				t.Fatal(err)
			}
			cost := write(t, ctx, s, func(*ledger.Ledger) error { return old.Redis.WaitRole(ctx, "slave") })
			t.Logf("it was a master for %v", time.Since(back))
			if test.loses != (cost.missing > 0) {
				t.Errorf("%d acknowledged writes are lost", cost.missing)
			}
			if !test.loses && cost.Errors["READONLY"]+cost.Errors["connection lost"] > 0 {
				t.Errorf("clients have seen it: %v", cost.Errors)
			}
		})
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
				// Down-after and the election, where it is cut off; until a majority has switched, 2 s;
				// a check or two.
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

// Until its first checks have ended, HAProxy takes every server for the master.
func TestProxiedHAProxyStarts(t *testing.T) {
	ctx, s := proxied(t, reconciling)
	active := holder(t, s)
	cost := write(t, ctx, s, func(book *ledger.Ledger) error {
		for range 3 {
			if err := active.HAProxy.Restart(ctx); err != nil {
				return err
			}
			if err := book.WaitAcknowledged(ctx, 200); err != nil {
				return err
			}
		}
		return nil
	})
	if cost.Errors["READONLY"] > 0 || cost.missing > 0 {
		t.Errorf("errors %v: it has led writers to replicas; %d writes are lost", cost.Errors, cost.missing)
	}
}

// Nothing answers a stranger.
func TestProxiedAsksForPasswords(t *testing.T) {
	ctx, s := proxied(t, reconciling)
	addresses := []string{s.Endpoint()}
	for _, n := range s.Nodes {
		addresses = append(addresses, n.Endpoint(), n.IP().String()+":26379")
	}
	for _, address := range addresses {
		stranger := client.New(address, s.Client.DialContext, time.Second, 0)
		if err := stranger.Ping(ctx).Err(); err == nil || !strings.HasPrefix(err.Error(), "NOAUTH") {
			t.Errorf("%s answers %v", address, err)
		}
		stranger.Close()
	}
	for path, want := range map[string]string{"": "401", "health": "200"} {
		code, err := s.Client.Output(ctx, "curl", "--silent", "--output", "/dev/null", "--write-out", "%{http_code}",
			"--max-time", "2", "http://"+s.VIP.Addr().String()+":8404/"+path)
		if code != want {
			t.Errorf("/%s: %s, want %s: %v", path, code, want, err)
		}
	}
	// No process shows one in its command line.
	for _, h := range slices.Concat(s.Nodes, s.Proxies) {
		if out, err := h.Output(ctx, "pgrep", "--full", "--list-full", "replace-this"); err == nil && !strings.Contains(out, "pgrep") {
			t.Errorf("%s: %s", h.Name, out)
		}
	}
}
