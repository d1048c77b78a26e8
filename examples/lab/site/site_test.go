package site_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"redis-vip/examples/lab/ledger"
	"redis-vip/examples/lab/netlab"
	"redis-vip/examples/lab/shell"
	"redis-vip/examples/lab/site"
)

func TestMain(m *testing.M) {
	netlab.Init()
	os.Exit(m.Run())
}

// limit bounds every wait of a test: far more than needed, so that only a
// fault reaches it.
const limit = 60 * time.Second

// shellPair starts the pair with plain shell hooks, so that these tests are
// about the lab and not about our programs.
func shellPair(t *testing.T) (context.Context, *site.Site) {
	t.Helper()
	t.Parallel()
	netlab.Require(t, "redis-server", "keepalived")
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	t.Cleanup(cancel)

	pair, err := site.Pair(ctx, site.Options{Files: shell.Files()})
	if err != nil {
		t.Fatal(err)
	}
	closeAfter(t, pair)
	if err := pair.Start(ctx); err != nil {
		t.Fatal(err)
	}
	if err := pair.WaitReady(ctx); err != nil {
		t.Fatal(err)
	}
	return ctx, pair
}

// closeAfter closes a site after its test, and shows what happened on it if
// the test failed.
func closeAfter(t *testing.T, s *site.Site) {
	t.Cleanup(func() {
		if t.Failed() {
			var timeline strings.Builder
			for _, e := range s.Journal.All() {
				fmt.Fprintln(&timeline, e)
			}
			t.Log(timeline.String())
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}

// handOver expects that a fault on the active node moves the VIP and the
// master to the other one, and that writing goes on there.
func handOver(t *testing.T, fault func(context.Context, *site.Node) error) (context.Context, *site.Site, *site.Node) {
	t.Helper()
	ctx, pair := shellPair(t)
	active, err := pair.Holder()
	if err != nil {
		t.Fatal(err)
	}
	standby := pair.Others(active)[0]
	writes := pair.Ledger(ledger.Config{})
	defer writes.Stop()
	if err := writes.WaitAcknowledged(ctx, 500); err != nil {
		t.Fatal(err)
	}
	if err := fault(ctx, active); err != nil {
		t.Fatal(err)
	}
	if err := netlab.Until(ctx, func(context.Context) error { // the old one may keep the VIP
		if holds, err := standby.Holds(pair.VIP.Addr()); !holds {
			return fmt.Errorf("the standby does not have the VIP: %v", err)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if err := writes.WaitAcknowledged(ctx, 500); err != nil {
		t.Fatal(err)
	}
	if err := standby.Redis.WaitRole(ctx, "master"); err != nil {
		t.Error(err)
	}
	writes.Stop()
	report := writes.Report()
	t.Logf("outage %v, %d acknowledged, errors %v", report.Outage.Duration(), report.Acknowledged, report.Errors)
	return ctx, pair, active
}

func TestKilledRedis(t *testing.T) {
	ctx, pair, old := handOver(t, func(ctx context.Context, n *site.Node) error { return n.Redis.Kill(ctx) })
	if old.Redis.Running() {
		t.Error("it runs")
	}
	if err := pair.WaitHolder(ctx, pair.Others(old)[0]); err != nil {
		t.Error(err)
	}
	if err := old.Redis.Start(ctx); err != nil {
		t.Fatal(err)
	}
	if err := old.Redis.WaitAnswering(ctx); err != nil {
		t.Fatal(err)
	}
	if role, err := old.Redis.Role(ctx); role != "slave" {
		t.Errorf("never boot as a master: it is a %s, %v", role, err)
	}
}

func TestHungRedis(t *testing.T) {
	ctx, pair, old := handOver(t, func(ctx context.Context, n *site.Node) error { return n.Redis.Hang() })
	if !old.Redis.Running() {
		t.Error("a hung Redis has ended")
	}
	if err := pair.WaitHolder(ctx, pair.Others(old)[0]); err != nil {
		t.Error(err)
	}
	if err := old.Redis.Ping(ctx).Err(); err == nil {
		t.Error("a hung Redis answers")
	}
	if err := old.Redis.Wake(); err != nil {
		t.Fatal(err)
	}
	if err := old.Redis.WaitAnswering(ctx); err != nil {
		t.Error(err)
	}
}

func TestStoppedKeepalived(t *testing.T) {
	ctx, pair, old := handOver(t, func(ctx context.Context, n *site.Node) error { return n.Keepalived.Stop(ctx) })
	if err := pair.WaitHolder(ctx, pair.Others(old)[0]); err != nil {
		t.Error(err)
	}
}

// Only a keepalived that ends in order takes its VIP with it.
func TestFrozenAndKilledKeepalivedKeepTheVIP(t *testing.T) {
	ctx, pair, old := handOver(t, func(ctx context.Context, n *site.Node) error { return n.Keepalived.Hang() })
	holds, err := old.Holds(pair.VIP.Addr())
	if err != nil || !holds {
		t.Errorf("frozen, it lost the VIP: %v", err)
	}
	if err := old.Keepalived.KillAll(ctx); err != nil {
		t.Fatal(err)
	}
	if out, err := old.Output(ctx, "pgrep", "-l", "keepalived"); err == nil {
		t.Errorf("KillAll leaves %s", out)
	}
	if holds, err := old.Holds(pair.VIP.Addr()); err != nil || !holds {
		t.Errorf("killed, it lost the VIP: %v", err)
	}
	if err := old.Keepalived.Start(ctx); err != nil {
		t.Fatal(err)
	}
	if err := pair.WaitHolder(ctx, pair.Others(old)[0]); err != nil {
		t.Errorf("started again, it cleans up: %v", err)
	}
}

func TestCrashedServiceComesBack(t *testing.T) {
	ctx, pair := shellPair(t)
	r := pair.Nodes[0].Redis
	r.RestartAfter = 100 * time.Millisecond
	before := r.Main().PID
	if err := r.Kill(ctx); err != nil {
		t.Fatal(err)
	}
	if err := netlab.Until(ctx, func(context.Context) error {
		if r.Main().PID == before {
			return errors.New("not started again")
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if err := r.WaitAnswering(ctx); err != nil {
		t.Error(err)
	}
	if err := r.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	time.Sleep(3 * r.RestartAfter) // nothing to wait for: it must not happen
	if r.Running() {
		t.Error("stopped on purpose, it came back")
	}
}

// Sentinel moves the master, and calls the script on the way.
func TestTrio(t *testing.T) {
	t.Parallel()
	netlab.Require(t, "redis-server", "redis-sentinel")
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	trio, err := site.Trio(ctx, site.Options{Files: shell.Files()})
	if err != nil {
		t.Fatal(err)
	}
	closeAfter(t, trio)
	if err := trio.Start(ctx); err != nil {
		t.Fatal(err)
	}
	if err := trio.WaitReady(ctx); err != nil {
		t.Fatal(err)
	}
	old, err := trio.Holder()
	if err != nil {
		t.Fatal(err)
	}
	if err := old.Redis.Kill(ctx); err != nil {
		t.Fatal(err)
	}
	if err := netlab.Until(ctx, func(context.Context) error {
		holder, err := trio.Holder()
		if err == nil && holder == old {
			err = errors.New("the VIP has not moved")
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if err := old.Redis.Start(ctx); err != nil {
		t.Fatal(err)
	}
	if err := trio.WaitReady(ctx); err != nil {
		t.Error(err)
	}
}

// systemd gives a hook that outlives keepalived the chance to end in order.
func TestStopEndsHooksInOrder(t *testing.T) {
	ctx, pair := shellPair(t)
	n, err := pair.Holder()
	if err != nil {
		t.Fatal(err)
	}
	hook := netlab.File{Path: "/usr/lib/redis-vip/notify-backup", Mode: 0o755, Content: []byte(`#!/bin/sh
setsid sh -c 'trap "logger -t hook ended in order; exit" TERM; logger -t hook started; while :; do sleep 0.1; done' &
`)}
	if err := n.WriteFile(hook); err != nil {
		t.Fatal(err)
	}
	if err := n.Keepalived.Stop(ctx); err != nil { // runs notify_stop
		t.Fatal(err)
	}
	if _, err := pair.Journal.Wait(ctx, func(e netlab.Entry) bool {
		return e.Host == n.Name && e.Identifier == "hook" && e.Message == "ended in order"
	}); err != nil {
		t.Error(err)
	}
	if pids, err := n.Keepalived.Main().Group(ctx); err != nil || len(pids) > 0 {
		t.Errorf("left: %v, %v", pids, err)
	}
}

func TestHostsMayHaveBothFamilies(t *testing.T) {
	t.Parallel()
	netlab.Require(t, "redis-server", "keepalived")
	pair, err := site.Pair(t.Context(), site.Options{IPv6: true})
	if err != nil {
		t.Fatal(err)
	}
	closeAfter(t, pair)
	list, err := pair.Nodes[1].AddressList()
	if got := fmt.Sprint(list); err != nil || got != "[192.168.0.2/24 fd00::2/64]" {
		t.Errorf("addresses %v, %v", got, err)
	}
}
