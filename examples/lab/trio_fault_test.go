package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"redis-vip/examples/lab/fault"
	"redis-vip/examples/lab/ledger"
	"redis-vip/examples/lab/netlab"
	"redis-vip/examples/lab/site"
)

// timed is three nodes under Sentinel with the timer, as the packages' units have it.
func timed(t *testing.T) (context.Context, *site.Site) {
	t.Helper()
	t.Parallel()
	return start(t, site.Trio, site.Options{Timer: true})
}

// underLoad opens a ledger through the VIP and waits until writes flow and replicate.
func underLoad(t *testing.T, ctx context.Context, s *site.Site) *ledger.Ledger {
	t.Helper()
	book := s.Ledger(ledgerDefaults)
	t.Cleanup(book.Stop)
	if err := book.WaitAcknowledged(ctx, 2000); err != nil {
		t.Fatal(err)
	}
	return book
}

// nowhere counts the acknowledged writes that are neither on the master nor in a
// preserved file, and says what else is to be said of the ledger.
func nowhere(t *testing.T, ctx context.Context, s *site.Site, book *ledger.Ledger) int {
	t.Helper()
	if err := book.WaitAcknowledged(ctx, 1000); err != nil {
		t.Fatal(err)
	}
	book.Stop()
	master := holder(t, s)
	missing, err := book.Missing(ctx, master.Redis)
	if err != nil {
		t.Fatal(err)
	}
	kept, err := fault.Preserved(ctx, s)
	if err != nil {
		t.Fatal(err)
	}
	lost := 0
	for _, key := range missing {
		if !kept[key] {
			lost++
		}
	}
	report := book.Report()
	t.Logf("outage %v, %d acknowledged, %d nowhere, %d preserved", report.Outage.Duration(), report.Acknowledged, lost, len(missing)-lost)
	return lost
}

// movedFrom waits until another node alone has the VIP.
func movedFrom(t *testing.T, ctx context.Context, s *site.Site, old *site.Node) {
	t.Helper()
	if err := netlab.Until(ctx, func(context.Context) error {
		if now, err := s.Holder(); err != nil {
			return err
		} else if now == old {
			return errors.New("the VIP has not moved")
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

// A switchover under load loses nothing.
func TestTrioSwitchover(t *testing.T) {
	ctx, trio := timed(t)
	old := holder(t, trio)
	book := underLoad(t, ctx, trio)
	status, err := person(ctx, old, "switchover", "mymaster")
	if err != nil || status.Code != 0 {
		t.Fatalf("%v %v %s%s", status, err, status.Stdout, status.Stderr)
	}
	t.Logf("%s", status.Stdout)
	movedFrom(t, ctx, trio, old)
	if err := book.WaitAcknowledged(ctx, 1000); err != nil {
		t.Fatal(err)
	}
	book.Stop()
	missing, err := book.Missing(ctx, holder(t, trio).Redis)
	if err != nil {
		t.Fatal(err)
	}
	report := book.Report()
	t.Logf("outage %v, %d acknowledged, %d lost", report.Outage.Duration(), report.Acknowledged, len(missing))
	if len(missing) > 0 {
		t.Errorf("%d acknowledged writes are lost", len(missing))
	}
	if outage := report.Outage.Duration(); outage > 3*time.Second {
		t.Errorf("outage %v", outage)
	}
	if err := trio.WaitReady(ctx); err != nil {
		t.Error(err)
	}
}

// Back at once, too: a Sentinel that saw the old master as one, and has not asked again,
// would undo its promotion. Nobody waits meanwhile.
func TestTrioSwitchoverAndBack(t *testing.T) {
	ctx, trio := timed(t)
	old := holder(t, trio)
	book := underLoad(t, ctx, trio)
	for _, said := range []string{"the Sentinels choose", "the last failover was"} {
		status, err := person(ctx, old, "switchover", "mymaster")
		if err != nil || status.Code != 0 || !strings.Contains(string(status.Stdout), said) {
			t.Fatalf("%v %v %s%s, want %q", status, err, status.Stdout, status.Stderr, said)
		}
		if err := trio.WaitReady(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if err := book.WaitAcknowledged(ctx, 1000); err != nil {
		t.Fatal(err)
	}
	book.Stop()
	missing, err := book.Missing(ctx, holder(t, trio).Redis)
	if err != nil {
		t.Fatal(err)
	}
	if len(missing) > 0 {
		t.Errorf("%d acknowledged writes are lost", len(missing))
	}
	if outage := book.Report().Outage.Duration(); outage > 3*time.Second {
		t.Errorf("outage %v", outage)
	}
}

// Two groups on one set of Sentinels, one of them with IPv4 and IPv6: each VIP is
// where the master of its group is.
func TestTrioTwoGroups(t *testing.T) {
	t.Parallel()
	const more = `
[group.other]
vips      = ["192.168.0.5/24", "fd00::5/64"]
nodes     = ["192.168.0.1:6380", "192.168.0.2:6380", "192.168.0.3:6380"]
sentinels = ["192.168.0.1:26379"]
`
	ctx, trio := start(t, site.Trio, site.Options{Timer: true, IPv6: true, Edit: map[string]func([]byte) []byte{
		"/etc/redis-vip/redis-vip.toml": func(conf []byte) []byte { return append(conf, more...) },
	}})
	first := holder(t, trio)
	var second *site.Node // the other group's master is elsewhere
	for _, n := range trio.Nodes {
		args := []string{"/usr/bin/redis-server", "--port", "6380", "--bind", "0.0.0.0", "--protected-mode", "no", "--save", "", "--dir", "/tmp", "--repl-diskless-sync-delay", "0"}
		if n != first && second == nil {
			second = n
		} else if second != nil {
			args = append(args, "--replicaof", second.IP().String()+" 6380")
		}
		if n != first {
			if _, err := n.Start(ctx, netlab.Command{Args: args, User: "redis"}); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, n := range trio.Nodes {
		if err := n.Sentinel.Do(ctx, "SENTINEL", "MONITOR", "other", second.IP().String(), "6380", "2").Err(); err != nil {
			t.Fatal(err)
		}
	}
	// at waits until a node, and no other, has both addresses of the other group.
	at := func(want func(*site.Node) bool) (found *site.Node) {
		t.Helper()
		if err := netlab.Until(ctx, func(context.Context) error {
			found = nil
			for _, n := range trio.Nodes {
				v4, err4 := n.Holds(netip.MustParseAddr("192.168.0.5"))
				v6, err6 := n.Holds(netip.MustParseAddr("fd00::5"))
				if err := errors.Join(err4, err6); err != nil {
					return err
				}
				switch {
				case v4 != v6:
					return fmt.Errorf("%s has one of two addresses", n.Name)
				case v4 && found != nil:
					return errors.New("two hosts have them")
				case v4:
					found = n
				}
			}
			if found == nil || !want(found) {
				return fmt.Errorf("not there yet: %v", found != nil)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		return found
	}
	at(func(n *site.Node) bool { return n == second })
	if err := netlab.Until(ctx, func(ctx context.Context) error {
		return second.Sentinel.Do(ctx, "SENTINEL", "FAILOVER", "other").Err()
	}); err != nil {
		t.Fatal(err)
	}
	at(func(n *site.Node) bool { return n != second })
	if now := holder(t, trio); now != first {
		t.Errorf("the first group's VIP went to %s", now.Name)
	}
}

// The death of the local Sentinel is no isolation: the master serves on.
func TestTrioLocalSentinelDies(t *testing.T) {
	ctx, trio := timed(t)
	active := holder(t, trio)
	book := underLoad(t, ctx, trio)
	if err := active.Sentinel.Kill(ctx); err != nil {
		t.Fatal(err)
	}
	rest(ctx, 9*time.Second) // longer than fence_after and a turn of the timer
	if now := holder(t, trio); now != active {
		t.Errorf("the VIP went to %s", now.Name)
	}
	book.Stop()
	if outage := book.Report().Outage.Duration(); outage > time.Second {
		t.Errorf("outage %v", outage)
	}
}

// A second failover, back to the node that the first has just deposed: no ring, and
// no lasting loss of a master.
func TestTrioSecondFailover(t *testing.T) {
	ctx, trio := timed(t)
	first := holder(t, trio)
	book := underLoad(t, ctx, trio)
	for range 2 {
		from := holder(t, trio)
		if err := netlab.Until(ctx, func(ctx context.Context) error {
			return from.Sentinel.Do(ctx, "SENTINEL", "FAILOVER", "mymaster").Err()
		}); err != nil {
			t.Fatal(err)
		}
		movedFrom(t, ctx, trio, from)
	}
	t.Logf("the VIP was on %s and is on %s", first.Name, holder(t, trio).Name)
	if n := nowhere(t, ctx, trio, book); n > 0 {
		t.Errorf("%d acknowledged writes are nowhere", n)
	}
	if err := trio.WaitReady(ctx); err != nil {
		t.Error(err)
	}
}

// Nobody's script was called, and no bell was rung: the timer alone brings the VIP to
// where the master is.
func TestTrioLostEvents(t *testing.T) {
	t.Parallel()
	nothing := netlab.File{Path: "/usr/lib/redis-vip/sentinel-reconfig", Content: []byte("#!/bin/sh\nexit 0\n"), Mode: 0o755}
	ctx, trio := start(t, site.Trio, site.Options{Timer: true, Files: []netlab.File{nothing}})
	old := holder(t, trio)
	if err := old.Redis.Kill(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := trio.Journal.Wait(ctx, func(e netlab.Entry) bool { return strings.Contains(e.Message, "+switch-master mymaster") }); err != nil {
		t.Fatal(err)
	}
	switched := time.Now()
	movedFrom(t, ctx, trio, old)
	if took := time.Since(switched); took > 5*time.Second {
		t.Errorf("the VIP moved %v after the Sentinels had switched", took)
	}
}
