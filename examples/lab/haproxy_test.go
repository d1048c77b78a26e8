package main

import (
	"context"
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
