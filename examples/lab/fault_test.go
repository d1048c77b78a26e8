package main

import (
	"context"
	"strings"
	"testing"

	"redis-vip/examples/lab/fault"
	"redis-vip/examples/lab/netlab"
)

// What the README promises for every fault, on real daemons and under load.
func TestFaults(t *testing.T) {
	netlab.Require(t, "redis-server", "keepalived", "ip", "mount")
	for _, s := range fault.All() {
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			var journal strings.Builder
			r, err := fault.Run(context.Background(), s, fault.Options{
				Hooks: fault.Ours, Programs: programs,
				Look: func(j *netlab.Record[netlab.Entry]) { fault.PrintJournal(&journal, fault.Since(j.All())) },
			})
			if err == nil {
				t.Logf("\n%s\n%s", fault.Head, r)
				err = r.Broken()
			}
			if err != nil {
				t.Logf("what the hosts logged:\n%s", journal.String())
				t.Error(err) // last: who keeps only the end of a long log keeps the reason
			}
		})
	}
}
