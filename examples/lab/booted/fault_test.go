package booted_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"redis-vip/examples/lab/booted"
	"redis-vip/examples/lab/ledger"
	"redis-vip/examples/lab/netlab"
	"redis-vip/examples/lab/site"
)

// writing opens a ledger through the VIP and waits until writes flow.
func writing(t *testing.T, ctx context.Context, trio *booted.Trio) *ledger.Ledger {
	t.Helper()
	book := trio.Ledger(ledger.Config{})
	t.Cleanup(book.Stop)
	if err := book.WaitAcknowledged(ctx, 2000); err != nil {
		t.Fatal(err)
	}
	return book
}

// movedFrom waits until another node alone has the VIP.
func movedFrom(t *testing.T, ctx context.Context, trio *booted.Trio, old *booted.Node) *booted.Node {
	t.Helper()
	var now *booted.Node
	if err := netlab.Until(ctx, func(context.Context) (err error) {
		if now, err = trio.Holder(); err == nil && now == old {
			err = errors.New("the VIP has not moved")
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return now
}

// goesOn waits for more writes, and counts the acknowledged ones that the master does
// not have. What a deposed master had taken is in its preserved files.
func goesOn(t *testing.T, ctx context.Context, trio *booted.Trio, book *ledger.Ledger) (missing int) {
	t.Helper()
	if err := book.WaitAcknowledged(ctx, 1000); err != nil {
		t.Fatal(err)
	}
	book.Stop()
	master, err := trio.Holder()
	if err != nil {
		t.Fatal(err)
	}
	lost, err := book.Missing(ctx, master.Redis)
	if err != nil {
		t.Fatal(err)
	}
	report := book.Report()
	t.Logf("outage %v, %d acknowledged, %d not on the master", report.Outage.Duration(), report.Acknowledged, len(lost))
	return len(lost)
}

// On stock units without a drop-in, Sentinel's script may only ring; the service that
// systemd starts for it moves the VIP.
func TestTrioFailsOverOnStockUnits(t *testing.T) {
	ctx, trio := start(t, booted.Options{})
	old, err := trio.Holder()
	if err != nil {
		t.Fatal(err)
	}
	book := writing(t, ctx, trio)
	if _, err := old.Systemctl(ctx, "stop", "redis-server"); err != nil {
		t.Fatal(err)
	}
	now := movedFrom(t, ctx, trio, old)
	if missing := goesOn(t, ctx, trio, book); missing > 3 {
		t.Errorf("%d acknowledged writes are lost", missing)
	}
	// Sentinel's script has rung, from within its sandbox.
	if _, err := trio.Journal.Wait(ctx, func(e netlab.Entry) bool {
		return e.Host == now.Name && e.Fields["_SYSTEMD_UNIT"] == "redis-sentinel.service" && strings.Contains(e.Message, "rang, and the run has ended")
	}); err != nil {
		t.Errorf("%s: nobody has rung: %v", now.Name, err)
	}
	// The replicaof that Sentinel has written is taken back, from within our sandbox.
	if err := netlab.Until(ctx, func(ctx context.Context) error { return unpinned(ctx, trio) }); err != nil {
		t.Error(err)
	}
	if _, err := old.Systemctl(ctx, "start", "redis-server"); err != nil {
		t.Fatal(err)
	}
	if err := trio.WaitReady(ctx); err != nil {
		t.Error(err)
	}
}

// unpinned is nil if no node would boot as a replica of another.
func unpinned(ctx context.Context, trio *booted.Trio) error {
	for _, n := range trio.Nodes {
		conf, err := n.ReadFile(ctx, site.RedisConf)
		if err != nil {
			return err
		}
		if site.Pinned(conf) {
			return fmt.Errorf("%s would boot as a replica of another node", n.Name)
		}
	}
	return nil
}

// systemd restarts a killed Redis after 100 ms, long before Sentinel takes it for
// down: it comes back as an empty replica of nobody.
func TestTrioRedisKilledAndRestartedBySystemd(t *testing.T) {
	ctx, trio := start(t, booted.Options{})
	active, err := trio.Holder()
	if err != nil {
		t.Fatal(err)
	}
	book := writing(t, ctx, trio)
	if _, err := active.Systemctl(ctx, "kill", "--signal=KILL", "redis-server"); err != nil {
		t.Fatal(err)
	}
	if missing := goesOn(t, ctx, trio, book); missing > 3 {
		t.Errorf("%d acknowledged writes are lost", missing)
	}
	if outage := book.Report().Outage.Duration(); outage > 8*time.Second {
		t.Errorf("outage %v", outage)
	}
	if err := trio.WaitReady(ctx); err != nil {
		t.Error(err)
	}
}

// The active host loses power, and comes back as a replica.
func TestTrioActiveHostLosesPower(t *testing.T) {
	ctx, trio := start(t, booted.Options{})
	active, err := trio.Holder()
	if err != nil {
		t.Fatal(err)
	}
	book := writing(t, ctx, trio)
	if err := active.Kill(ctx); err != nil {
		t.Fatal(err)
	}
	movedFrom(t, ctx, trio, active)
	if missing := goesOn(t, ctx, trio, book); missing > 3 {
		t.Errorf("%d acknowledged writes are lost", missing)
	}
	if err := active.PowerOn(ctx); err != nil {
		t.Fatal(err)
	}
	if err := trio.WaitReady(ctx); err != nil {
		t.Error(err)
	}
}

// The active host reboots in order, within Sentinel's patience or not.
func TestTrioActiveHostReboots(t *testing.T) {
	ctx, trio := start(t, booted.Options{})
	active, err := trio.Holder()
	if err != nil {
		t.Fatal(err)
	}
	book := writing(t, ctx, trio)
	if err := active.Reboot(ctx); err != nil {
		t.Fatal(err)
	}
	if missing := goesOn(t, ctx, trio, book); missing > 3 {
		t.Errorf("%d acknowledged writes are lost", missing)
	}
	if err := trio.WaitReady(ctx); err != nil {
		t.Error(err)
	}
}

// Sentinel is restarted on the host of the active master: nothing moves, and the next
// failover goes as ever.
func TestTrioSentinelRestarts(t *testing.T) {
	ctx, trio := start(t, booted.Options{})
	active, err := trio.Holder()
	if err != nil {
		t.Fatal(err)
	}
	book := writing(t, ctx, trio)
	if _, err := active.Systemctl(ctx, "restart", "redis-sentinel"); err != nil {
		t.Fatal(err)
	}
	if err := book.WaitAcknowledged(ctx, 10000); err != nil { // longer than fence_after
		t.Fatal(err)
	}
	if now, err := trio.Holder(); err != nil || now != active {
		t.Fatalf("the VIP has moved: %v", err)
	}
	if outage := book.Report().Outage.Duration(); outage > time.Second {
		t.Errorf("outage %v", outage)
	}
	if err := trio.WaitReady(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := active.Systemctl(ctx, "stop", "redis-server"); err != nil {
		t.Fatal(err)
	}
	movedFrom(t, ctx, trio, active)
	if missing := goesOn(t, ctx, trio, book); missing > 3 {
		t.Errorf("%d acknowledged writes are lost", missing)
	}
}
