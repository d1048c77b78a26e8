package booted_test

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"redis-vip/examples/lab/booted"
	"redis-vip/examples/lab/netlab"
)

// script runs Sentinel's script as Sentinel's user, who may only ring, and returns how
// long it ran. Of its arguments only the name of the master counts.
func script(t *testing.T, ctx context.Context, n *booted.Node) time.Duration {
	t.Helper()
	const timed = `b=$(date +%s%N)
/usr/lib/redis-vip/sentinel-reconfig mymaster observer start 192.168.0.9 6379 192.168.0.8 6379 || exit
e=$(date +%s%N); echo $((e - b))`
	status, err := n.Run(ctx, netlab.Command{Args: []string{"sh", "-c", timed}, User: "redis", Capture: true})
	if err != nil || status.Code != 0 {
		t.Fatalf("%v %v %s", status, err, status.Stderr)
	}
	took, err := strconv.Atoi(strings.TrimSpace(string(status.Stdout)))
	if err != nil {
		t.Fatal(err)
	}
	return time.Duration(took)
}

// From the script's start to its end the bell is rung, the VIP added and announced.
func TestTrioBellRoundTrip(t *testing.T) {
	ctx, trio := start(t, booted.Options{})
	master, err := trio.Holder()
	if err != nil {
		t.Fatal(err)
	}
	rounds := func(n int, before func()) []time.Duration {
		var runs []time.Duration
		for range n {
			before()
			if err := master.RemoveAddress(trio.VIP); err != nil {
				t.Fatal(err)
			}
			runs = append(runs, script(t, ctx, master))
			if holds, err := master.Holds(trio.VIP.Addr()); err != nil || !holds {
				t.Fatalf("the script has ended, and the VIP is not here: %v", err)
			}
		}
		slices.Sort(runs)
		return runs
	}
	runs := rounds(15, func() {})
	// The service has just ended, and the bell starts it.
	cold := rounds(5, func() { output(t, ctx, master.Host, "systemctl", "stop", "redis-vip-reconcile.service") })
	t.Logf("median %v, with the service to be started", cold[len(cold)/2])
	t.Log(output(t, ctx, master.Host, "sh", "-c", "systemd-analyze --no-pager security redis-vip-reconcile.service | tail -1"))
	t.Logf("median %v, from %v to %v", runs[len(runs)/2], runs[0], runs[len(runs)-1])
	if median := runs[len(runs)/2]; median > time.Second {
		t.Errorf("median %v", median)
	}
}

// hostile is a client of the bell that never reads: it opens a thousand connections at
// once, says garbage, a line of a megabyte or nothing, holds them open for a while, and
// does it again.
const hostile = `use IO::Socket::UNIX; $SIG{PIPE} = "IGNORE";
my @said = ("\0\377*1\r\n\$-1\r\nSHUTDOWN\r\n", "x" x 1000000 . "\n", "");
while (1) {
	my @held;
	for my $n (1..1000) {
		my $s = IO::Socket::UNIX->new(Peer => "/run/redis-vip/reconcile.sock", Timeout => 1) or next;
		$s->blocking(0); syswrite $s, $said[$n % 3]; push @held, $s;
	}
	die "no bell" unless @held;
	select undef, undef, undef, 0.3;
}`

// besiege runs a command as Sentinel's user on all nodes until the test ends.
func besiege(t *testing.T, ctx context.Context, trio *booted.Trio, args ...string) {
	t.Helper()
	for _, n := range trio.Nodes {
		p, err := n.Start(ctx, netlab.Command{Args: args, User: "redis"})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if !p.Running() {
				t.Errorf("%s: the siege ended by itself", n.Name)
			}
			p.SignalAll(syscall.SIGKILL)
		})
	}
}

// healthy expects that no unit of a node has failed, and that ours do their work.
func healthy(t *testing.T, ctx context.Context, trio *booted.Trio) {
	t.Helper()
	for _, n := range trio.Nodes {
		if failed := output(t, ctx, n.Host, "systemctl", "--failed", "--plain", "--no-legend"); failed != "" {
			t.Errorf("%s: %s", n.Name, failed)
		}
		for _, unit := range trio.Units {
			if got := output(t, ctx, n.Host, "systemctl", "is-active", unit); got != "active" {
				t.Errorf("%s: %s is %s", n.Name, unit, got)
			}
		}
	}
}

// Whoever is in the group redis may ring, and only that: the VIP stays where it is, the
// unit survives, and a failover goes on as ever.
func TestTrioHostileBellClients(t *testing.T) {
	ctx, trio := start(t, booted.Options{})
	active, err := trio.Holder()
	if err != nil {
		t.Fatal(err)
	}
	book := writing(t, ctx, trio)
	besiege(t, ctx, trio, "perl", "-e", hostile)
	if err := book.WaitAcknowledged(ctx, 10000); err != nil { // some seconds of it
		t.Fatal(err)
	}
	if outage := book.Report().Outage.Duration(); outage > 2*time.Second {
		t.Errorf("outage %v, and nothing had happened yet", outage)
	}
	if now, err := trio.Holder(); err != nil || now != active {
		t.Fatalf("the VIP has moved: %v", err)
	}
	healthy(t, ctx, trio)
	if _, err := active.Systemctl(ctx, "stop", "redis-server"); err != nil {
		t.Fatal(err)
	}
	movedFrom(t, ctx, trio, active)
	if missing := goesOn(t, ctx, trio, book); missing > 3 {
		t.Errorf("%d acknowledged writes are lost", missing)
	}
	healthy(t, ctx, trio)
}

// Sentinel repeats its script again and again, with what was true long ago, while one
// failover follows the other.
func TestTrioRetryStorm(t *testing.T) {
	ctx, trio := start(t, booted.Options{})
	const again = `while :; do
	/usr/lib/redis-vip/sentinel-reconfig mymaster observer start 192.168.0.1 6379 192.168.0.2 6379 &
	/usr/lib/redis-vip/sentinel-reconfig mymaster leader start 192.168.0.2 6379 192.168.0.3 6379 &
	/usr/lib/redis-vip/sentinel-reconfig mymaster observer start 192.168.0.3 6379 192.168.0.1 6379
	wait
done`
	besiege(t, ctx, trio, "sh", "-c", again)
	for range 3 {
		old, err := trio.Holder()
		if err != nil {
			t.Fatal(err)
		}
		if err := netlab.Until(ctx, func(ctx context.Context) error {
			return old.Sentinel.Do(ctx, "SENTINEL", "FAILOVER", "mymaster").Err()
		}); err != nil {
			t.Fatal(err)
		}
		movedFrom(t, ctx, trio, old)
		if err := trio.WaitReady(ctx); err != nil {
			t.Fatal(err)
		}
	}
	healthy(t, ctx, trio)
}
