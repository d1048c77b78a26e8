package main

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"redis-vip/examples/lab/fault"
	"redis-vip/examples/lab/netlab"
	"redis-vip/examples/lab/site"
)

// person runs redis-vip as an operator does.
func person(ctx context.Context, n *site.Node, args ...string) (netlab.Status, error) {
	return n.Run(ctx, netlab.Command{Args: append([]string{"/usr/bin/redis-vip"}, args...), Capture: true})
}

// A switchover under load loses nothing, and writes stop for VRRP's time and 0.3 s.
func TestPairSwitchover(t *testing.T) {
	t.Parallel()
	ctx, pair := start(t, site.Pair, site.Options{})
	first := holder(t, pair)
	for range 2 { // there and back
		report, missing := failover(t, ctx, pair, func(ctx context.Context, active *site.Node) error {
			status, err := person(ctx, active, "switchover", "mymaster")
			t.Logf("%s%s", status.Stdout, status.Stderr)
			if err == nil && status.Code != 0 {
				err = fmt.Errorf("switchover: %v", status)
			}
			return err
		})
		if len(missing) > 0 {
			t.Errorf("%d acknowledged writes are lost", len(missing))
		}
		// VRRP: the standby waits (256 - priority) / 256 s, less than 0.1 s; the
		// clients notice after their time-out of 0.2 s.
		if outage := report.Outage.Duration(); outage > time.Second {
			t.Errorf("outage %v", outage)
		}
		if err := pair.WaitReady(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if now := holder(t, pair); now != first {
		t.Errorf("the VIP is on %s, it began on %s", now.Name, first.Name)
	}
}

// After packet loss TCP waits for seconds before it sends again what the replica has not
// got. The hand-over does not: nothing goes to a file.
func TestPairSwitchoverAfterPacketLoss(t *testing.T) {
	t.Parallel()
	ctx, pair := start(t, site.Pair, site.Options{})
	_, missing := failover(t, ctx, pair, func(ctx context.Context, active *site.Node) error {
		standby := pair.Others(active)[0]
		drop := fmt.Sprintf("add table ip lossy; add chain ip lossy in { type filter hook input priority 0; }; add rule ip lossy in ip saddr %s tcp sport 6379 drop", active.IP())
		if out, err := standby.Output(ctx, "nft", drop); err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		if err := netlab.Until(ctx, func(ctx context.Context) error { // the next try is 6 s away
			out, err := active.Output(ctx, "ss", "-Hti", "state", "established", "sport", "=", ":6379", "and", "dst", standby.IP().String())
			if err == nil && !strings.Contains(string(out), "backoff:5") {
				err = fmt.Errorf("%s", out)
			}
			return err
		}); err != nil {
			return err
		}
		if out, err := standby.Output(ctx, "nft", "delete table ip lossy"); err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		begun := time.Now()
		defer func() { t.Logf("the VIP has moved %v after the last loss", time.Since(begun)) }()
		return netlab.Until(ctx, func(ctx context.Context) error {
			status, err := person(ctx, active, "switchover", "mymaster")
			t.Logf("%s%s", status.Stdout, status.Stderr)
			if err == nil && status.Code != 0 {
				err = fmt.Errorf("switchover: %v", status)
			}
			return err
		})
	})
	kept, err := fault.Preserved(ctx, pair)
	if err != nil {
		t.Fatal(err)
	}
	if len(missing) > 0 || len(kept) > 0 {
		t.Errorf("%d acknowledged writes are not on the master, %d are in files", len(missing), len(kept))
	}
}

// What cannot succeed is refused, and nothing is touched.
func TestPairSwitchoverRefused(t *testing.T) {
	t.Parallel()
	ctx, pair := start(t, site.Pair, site.Options{})
	active := holder(t, pair)
	standby := pair.Others(active)[0]
	refused := func(n *site.Node, says string) {
		t.Helper()
		for _, args := range [][]string{{"switchover", "--dry-run", "mymaster"}, {"switchover", "mymaster"}} {
			status, err := person(ctx, n, args...)
			if err != nil || status.Code == 0 || !strings.Contains(string(status.Stderr), says) {
				t.Errorf("%v on %s: %v %v: %s", args, n.Name, status, err, status.Stderr)
			}
		}
		if now := holder(t, pair); now != active {
			t.Errorf("the VIP went to %s", now.Name)
		}
	}
	if status, err := person(ctx, active, "switchover", "--dry-run", "mymaster"); err != nil || status.Code != 0 {
		t.Errorf("%v %v %s", status, err, status.Stderr)
	}
	refused(standby, "run this there")
	if err := standby.Redis.Kill(ctx); err != nil {
		t.Fatal(err)
	}
	refused(active, "no other node is a replica")
}

// The standby's keepalived is dead: the VIP has nowhere to go, and comes back.
func TestPairSwitchoverTakenBack(t *testing.T) {
	t.Parallel()
	ctx, pair := start(t, site.Pair, site.Options{})
	active := holder(t, pair)
	if err := pair.Others(active)[0].Keepalived.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	status, err := person(ctx, active, "switchover", "mymaster")
	if err != nil || status.Code == 0 || !strings.Contains(string(status.Stderr), "took it back") {
		t.Errorf("%v %v: %s", status, err, status.Stderr)
	}
	if err := pair.WaitHolder(ctx, active); err != nil {
		t.Fatal(err)
	}
	book := pair.Ledger(ledgerDefaults)
	defer book.Stop()
	if err := book.WaitAcknowledged(ctx, 100); err != nil {
		t.Errorf("writes do not go on: %v", err)
	}
}

// A host in maintenance does not take the VIP, whatever happens to the other one.
func TestPairMaintenance(t *testing.T) {
	t.Parallel()
	ctx, pair := start(t, site.Pair, site.Options{})
	active := holder(t, pair)
	other := pair.Others(active)[0]
	run := func(n *site.Node, args ...string) string {
		t.Helper()
		status, err := person(ctx, n, append([]string{"maintenance"}, args...)...)
		if err != nil || status.Code != 0 {
			t.Fatalf("%v: %v %v: %s", args, status, err, status.Stderr)
		}
		return strings.TrimSpace(string(status.Stdout))
	}
	run(active, "on") // moves the VIP away first
	if now := holder(t, pair); now != other {
		t.Fatalf("the VIP is on %s", now.Name)
	}
	if state := run(active); state != "on" {
		t.Errorf("maintenance is %q", state)
	}
	if err := other.Redis.Kill(ctx); err != nil {
		t.Fatal(err)
	}
	if err := netlab.Until(ctx, func(context.Context) error {
		if has, err := other.Holds(pair.VIP.Addr()); has || err != nil {
			return fmt.Errorf("%s still has the VIP (%v)", other.Name, err)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if n, err := pair.Holder(); err == nil {
		t.Errorf("%s has the VIP", n.Name)
	}
	run(active, "off")
	if err := pair.WaitHolder(ctx, active); err != nil {
		t.Error(err)
	}
}
