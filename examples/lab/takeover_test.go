package main

import (
	"context"
	"strings"
	"testing"
	"time"

	"redis-vip/examples/lab/netlab"
	"redis-vip/examples/lab/site"
	"redis-vip/examples/lab/takeover"
)

// slack is how much longer than the median of a bench one takeover may take, on a machine
// that is busy with other labs.
const slack = 3

// Each fault of examples/fast-failover is over in a moment, and nothing is lost: the other
// host has the VIP and is the master, and who was, stands by again.
func TestFastFailover(t *testing.T) {
	for _, f := range takeover.Faults {
		t.Run(f.Name, func(t *testing.T) {
			t.Parallel()
			ctx, pair := start(t, site.Fast, site.Options{})
			active := takenOver(t, ctx, pair, f)
			if err := f.Back(ctx, pair, active); err != nil {
				t.Fatal(err)
			}
			if err := takeover.WaitStandby(ctx, pair); err != nil {
				t.Fatal(err)
			}
			if now := holder(t, pair); now == active {
				t.Errorf("%s has taken the VIP back", active.Name)
			}
		})
	}
}

// Debian's unit starts a Redis again 100 ms after its end: sooner than any check has seen
// that it was gone. It has given the VIP up all the same, and comes back as a replica.
func TestFastFailoverOfARedisThatRestarts(t *testing.T) {
	t.Parallel()
	ctx, pair := start(t, site.Fast, site.Options{})
	for _, n := range pair.Nodes {
		n.Redis.RestartAfter = 100 * time.Millisecond
	}
	killed := takeover.Faults[1]
	active := takenOver(t, ctx, pair, killed)
	if err := takeover.WaitStandby(ctx, pair); err != nil {
		t.Fatal(err)
	}
	if now := holder(t, pair); now == active {
		t.Errorf("%s has taken the VIP back", active.Name)
	}
	if told := string(must(active.ReadFile("/run/redis-ended"))(t)); told != "0\n" {
		t.Errorf("Redis runs, and keepalived is told %q", told)
	}
	for _, e := range pair.Journal.All() {
		if e.Host == active.Name && strings.Contains(e.Message, "tracked file ended now FAULT") {
			return
		}
	}
	t.Errorf("keepalived on %s has not looked at what systemd says", active.Name)
}

// takenOver makes a fault on the active host, which it returns.
func takenOver(t *testing.T, ctx context.Context, pair *site.Site, f takeover.Fault) *site.Node {
	t.Helper()
	if err := takeover.WaitStandby(ctx, pair); err != nil {
		t.Fatal(err)
	}
	active := holder(t, pair)
	r, err := takeover.Run(ctx, pair, f, f.Name)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v", r)
	if most := slack * f.Goal; time.Duration(r.Outage) > most {
		t.Errorf("writes paused for %v, should be at most %v", time.Duration(r.Outage), most)
	}
	if r.Lost > f.Lost {
		t.Errorf("%d acknowledged writes are lost", r.Lost)
	}
	if sum := r.Phases.Detection + r.Phases.VRRP + r.Phases.Hook + r.Phases.Client; sum != r.Outage {
		t.Errorf("the phases are %v in all, the outage %v", time.Duration(sum), time.Duration(r.Outage))
	}
	if err := netlab.Until(ctx, func(ctx context.Context) error {
		_, err := pair.Master(ctx)
		return err
	}); err != nil {
		t.Error(err)
	}
	return active
}

// must fails the test with an error.
func must[T any](value T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}
