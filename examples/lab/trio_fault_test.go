package main

import (
	"context"
	"errors"
	"fmt"
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

// SENTINEL FAILOVER by hand: Sentinel leaves the old master writable for ten seconds;
// here it follows within 300 ms of Sentinel's call, and what it took is saved.
func TestTrioFailoverByHand(t *testing.T) {
	ctx, trio := timed(t)
	old := holder(t, trio)
	book := underLoad(t, ctx, trio)
	if err := old.Sentinel.Do(ctx, "SENTINEL", "FAILOVER", "mymaster").Err(); err != nil {
		t.Fatal(err)
	}
	if err := old.Redis.WaitRole(ctx, "slave"); err != nil {
		t.Fatal(err)
	}
	demoted := time.Now()
	movedFrom(t, ctx, trio, old)
	// The others call their scripts when they switch; the leader has called its own
	// by then.
	e, err := trio.Journal.Wait(ctx, func(e netlab.Entry) bool { return strings.Contains(e.Message, "+switch-master mymaster") })
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("demoted %v after the Sentinels' call", demoted.Sub(e.At))
	if late := demoted.Sub(e.At); late > 300*time.Millisecond {
		t.Errorf("demoted %v after the Sentinels' call", late)
	}
	if n := nowhere(t, ctx, trio, book); n > 0 {
		t.Errorf("%d acknowledged writes are nowhere", n)
	}
	if err := trio.WaitReady(ctx); err != nil {
		t.Error(err)
	}
}

// The active Redis is killed and back before Sentinel takes it for down: it boots as a
// replica of nobody, empty, and without help Sentinel would have no master for ever.
func TestTrioRestartWithinDownAfter(t *testing.T) {
	ctx, trio := timed(t)
	active := holder(t, trio)
	book := underLoad(t, ctx, trio)
	if err := active.Redis.Kill(ctx); err != nil {
		t.Fatal(err)
	}
	if err := active.Redis.Start(ctx); err != nil {
		t.Fatal(err)
	}
	if err := active.Redis.WaitAnswering(ctx); err != nil {
		t.Fatal(err)
	}
	back := time.Now()
	if err := book.WaitAcknowledged(ctx, 100); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(back); took > 8*time.Second {
		t.Errorf("writes go on %v after Redis was back", took)
	}
	if n := nowhere(t, ctx, trio, book); n > inFlight {
		t.Errorf("%d acknowledged writes are nowhere", n)
	}
}

// The active host is cut off from the other nodes, and clients still reach it: it
// gives the VIP up, and what it took is saved.
func TestTrioCutOff(t *testing.T) {
	ctx, trio := timed(t)
	active := holder(t, trio)
	book := underLoad(t, ctx, trio)
	cut := time.Now()
	for _, other := range trio.Others(active) {
		if err := trio.CutBoth(active.Host, other.Host); err != nil {
			t.Fatal(err)
		}
	}
	if err := netlab.Until(ctx, func(context.Context) error {
		if here, err := active.Holds(trio.VIP.Addr()); err != nil || here {
			return fmt.Errorf("the VIP is still there (%v)", err)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	// fence_after is 5 s, the timer turns every 2 s, and its questions to silent
	// hosts take their time-outs.
	if took := time.Since(cut); took > 9*time.Second {
		t.Errorf("the VIP was given up after %v", took)
	} else {
		t.Logf("the VIP was given up after %v", took)
	}
	if err := trio.HealAll(); err != nil {
		t.Fatal(err)
	}
	if err := trio.WaitReady(ctx); err != nil {
		t.Fatal(err)
	}
	if n := nowhere(t, ctx, trio, book); n > 0 {
		t.Errorf("%d acknowledged writes are nowhere", n)
	}
}

// All hosts are cut from each other, as by a switch that reboots: it ends with one
// master, and service.
func TestTrioSwitchReboots(t *testing.T) {
	ctx, trio := timed(t)
	book := underLoad(t, ctx, trio)
	for _, h := range trio.Hosts() {
		if err := trio.Isolate(h); err != nil {
			t.Fatal(err)
		}
	}
	rest(ctx, 12*time.Second) // longer than fence_after, and than Sentinel's own time-outs
	if err := trio.HealAll(); err != nil {
		t.Fatal(err)
	}
	healed := time.Now()
	if err := trio.WaitReady(ctx); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(healed); took > 15*time.Second {
		t.Errorf("whole %v after the heal", took)
	}
	if n := nowhere(t, ctx, trio, book); n > 0 {
		t.Errorf("%d acknowledged writes are nowhere", n)
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
	if now := holder(t, trio); now == old {
		t.Error("the VIP has not moved")
	}
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
