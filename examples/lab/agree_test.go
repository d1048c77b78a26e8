package main

import (
	"context"
	"strings"
	"testing"

	"redis-vip/examples/lab/agree"
	"redis-vip/examples/lab/fault"
	"redis-vip/examples/lab/netlab"
)

// What the simulator says of a schedule is what happens on real hosts.
func TestModelAgrees(t *testing.T) {
	t.Parallel()
	netlab.Require(t, "redis-server", "redis-sentinel", "keepalived", "ip", "mount", "pkill")
	// In the turn of one test: they mostly wait.
	agree.Run(context.Background(), agree.Cases(), programs, func(r agree.Result) {
		t.Run(r.Case.Name, func(t *testing.T) {
			err := r.Err
			if err == nil {
				t.Logf("\n%s\n%s", agree.Head, r)
				err = r.Differs()
			}
			if err != nil {
				var journal strings.Builder
				fault.PrintJournal(&journal, r.Journal)
				t.Errorf("%s: %v\n%s", r.Case.Title, err, journal.String())
			}
		})
	})
}
