package main

import (
	"context"
	"testing"
	"time"

	"redis-vip/examples/lab/ledger"
	"redis-vip/examples/lab/site"
)

// Every step of the migration under load: no write is lost, and none waits for longer than
// the VIP takes to move.
func TestMigration(t *testing.T) {
	t.Parallel()
	ctx, s := prepare(t, site.Migrating, site.Options{})
	m := migration{s, t.Logf}
	if err := m.startOld(ctx); err != nil {
		t.Fatal(err)
	}
	book := s.Ledger(ledger.Config{})
	defer book.Stop()
	for _, step := range []struct {
		name string
		run  func(context.Context) error
	}{{"chain", m.chain}, {"join", m.join}, {"hand over", m.handOver}, {"complete", m.complete}, {"retire", m.retire}} {
		if err := book.WaitAcknowledged(ctx, 1000); err != nil {
			t.Fatalf("before %s: %v", step.name, err)
		}
		if err := step.run(ctx); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		if step.name == "chain" { // as it was built, and not flattened by a hook
			if err := s.Nodes[1].Redis.WaitFollowing(ctx, s.Nodes[0].Endpoint()); err != nil {
				t.Error(err)
			}
		}
	}
	if err := book.WaitAcknowledged(ctx, 1000); err != nil {
		t.Fatal(err)
	}
	book.Stop()
	for _, n := range s.Nodes {
		missing, err := book.Missing(ctx, n.Redis)
		if err != nil || len(missing) > 0 {
			t.Errorf("%s lacks %d acknowledged writes: %v", n.Name, len(missing), err)
		}
	}
	report := book.Report()
	t.Logf("outage %v, %d acknowledged, errors %v", report.Outage.Duration(), report.Acknowledged, report.Errors)
	if outage := report.Outage.Duration(); outage > time.Second {
		t.Errorf("outage %v", outage)
	}
	for _, n := range s.Nodes {
		if code, says := lintOn(t, ctx, n); code != 0 || says != "" {
			t.Errorf("%s: exit %d:\n%s", n.Name, code, says)
		}
	}
	// The new pair is one: it survives what the old host did not.
	_, missing := failover(t, ctx, s, func(ctx context.Context, active *site.Node) error { return active.Redis.Kill(ctx) })
	if len(missing) > inFlight {
		t.Errorf("%d acknowledged writes are lost", len(missing))
	}
}
