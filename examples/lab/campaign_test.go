package main

import (
	"context"
	"strings"
	"testing"
	"time"

	"redis-vip/examples/lab/campaign"
	"redis-vip/examples/lab/netlab"
	"redis-vip/examples/sim/world"
)

// A short campaign of short faults on every architecture breaks no promise. Its seed is
// fixed; make campaign goes on from there for hours.
func TestCampaign(t *testing.T) {
	t.Parallel()
	netlab.Require(t, "redis-server", "redis-sentinel", "keepalived", "ip", "mount", "pkill")
	ctx, cancel := context.WithTimeout(context.Background(), 8*time.Minute)
	defer cancel()
	result, err := campaign.Config{
		Labs: world.Architectures(), Faults: 12, Seed: 1, Longest: 3 * time.Second, Programs: programs,
		Tell: func(r campaign.Round, journal func() []netlab.Entry) {
			t.Log(r)
			if len(r.Violations) > 0 {
				var text strings.Builder
				printRound(&text, r, journal())
				t.Error(text.String())
			}
		},
	}.Run(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if got := result.Faults(); got < 12 {
		t.Errorf("%d faults were made, not 12", got)
	}
	var table strings.Builder
	result.Print(&table)
	t.Logf("\n%s", table.String())
}
