package booted_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"redis-vip/examples/lab/booted"
	"redis-vip/examples/lab/netlab"
)

// unprivileged is what an operator may write where no group has a VIP.
var unprivileged = netlab.File{
	Path: "/etc/systemd/system/redis-vip-reconcile.service.d/no-vip.conf", Mode: 0o644,
	Content: []byte("[Service]\nAmbientCapabilities=\nCapabilityBoundingSet=\n"),
}

// HAProxy's stock unit runs our check as the example says: once told twice that it may,
// and without a chroot. Behind it, the stock units of Redis and Sentinel and ours, which
// has no capability: what a deposed master has taken is saved.
func TestProxiedOnStockUnits(t *testing.T) {
	ctx, trio := startWith(t, booted.NewProxied, booted.Options{Files: []netlab.File{unprivileged}})
	for _, unit := range []string{"haproxy", "keepalived"} {
		if got := output(t, ctx, trio.Proxy, "systemctl", "show", "--value", "--property=ActiveState,DropInPaths", unit); strings.TrimSpace(got) != "active" {
			t.Errorf("%s is %q", unit, got)
		}
	}
	// HAProxy has started the check as its own user, and the check has found its way to the
	// journal: changes only, for each server.
	if _, err := trio.Journal.Wait(ctx, func(e netlab.Entry) bool {
		return e.Host == trio.Proxy.Name && e.Identifier == "redis-check" && e.Fields["_SYSTEMD_UNIT"] == "haproxy.service"
	}); err != nil {
		t.Errorf("no word of redis-check: %v", err)
	}
	caps := output(t, ctx, trio.Nodes[0].Host, "sh", "-c", "grep CapEff /proc/$(systemctl show --value --property=MainPID redis-vip-reconcile.service)/status")
	if !strings.HasSuffix(caps, "\t0000000000000000") {
		t.Errorf("the service has %s", caps)
	}

	old, err := trio.Leader(ctx)
	if err != nil {
		t.Fatal(err)
	}
	book := writing(t, ctx, trio)
	if err := trio.Nodes[2].Sentinel.Do(ctx, "SENTINEL", "FAILOVER", "mymaster").Err(); err != nil {
		t.Fatal(err)
	}
	chosen := time.Now()
	if err := netlab.Until(ctx, func(ctx context.Context) error {
		if now, err := trio.Leader(ctx); err != nil {
			return err
		} else if now == old {
			return fmt.Errorf("HAProxy leads to %s", old.Name)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	t.Logf("HAProxy leads to another after %v", time.Since(chosen).Round(time.Millisecond))
	if err := book.WaitAcknowledged(ctx, 1000); err != nil {
		t.Fatal(err)
	}
	book.Stop()
	if err := trio.WaitReady(ctx); err != nil {
		t.Fatal(err)
	}
	now, err := trio.Leader(ctx)
	if err != nil {
		t.Fatal(err)
	}
	missing, err := book.Missing(ctx, now.Redis)
	if err != nil {
		t.Fatal(err)
	}
	kept, err := old.Preserved(ctx)
	if err != nil {
		t.Fatal(err)
	}
	nowhere := 0
	for _, key := range missing {
		if !kept[key] {
			nowhere++
		}
	}
	report := book.Report()
	t.Logf("outage %v, %d acknowledged, %d nowhere, %d preserved", report.Outage.Duration(), report.Acknowledged, nowhere, len(missing)-nowhere)
	if nowhere > 0 || len(missing) == 0 {
		t.Errorf("%d acknowledged writes are nowhere, of %d that the new master lacks", nowhere, len(missing))
	}

	// The distribution's own line in haproxy.cfg is what does not go with a check that is a
	// program: every server is down then, and this is all that HAProxy says.
	output(t, ctx, trio.Proxy, "sh", "-c", `sed -i 's,^global$,global\n    chroot /var/lib/haproxy,' /etc/haproxy/haproxy.cfg && haproxy -c -f /etc/haproxy/haproxy.cfg`)
	output(t, ctx, trio.Proxy, "systemctl", "restart", "haproxy")
	if _, err := trio.Journal.Wait(ctx, func(e netlab.Entry) bool {
		return e.Host == trio.Proxy.Name && strings.Contains(e.Message, "Failed to exec process for external health check")
	}); err != nil {
		t.Errorf("with a chroot: %v", err)
	}
}
