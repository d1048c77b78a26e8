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
			for try := 1; ; try++ {
				var journal strings.Builder
				var chosen map[string]bool
				r, err := fault.Run(context.Background(), s, fault.Options{
					Hooks: fault.Ours, Programs: programs,
					Look: func(j *netlab.Record[netlab.Entry]) {
						fault.PrintJournal(&journal, j.All())
						chosen = choices(j.All())
					},
				})
				if err != nil {
					t.Errorf("%v\n%s", err, journal.String())
					return
				}
				t.Logf("\n%s\n%s", fault.Head, r)
				err = r.Broken()
				if err != nil && len(chosen) > 1 && try < 3 {
					t.Logf("%v; the Sentinels chose more than once, which is another fault: again", err)
					continue
				}
				if err != nil {
					t.Errorf("%v\n%s", err, journal.String())
				}
				return
			}
		})
	}
}

// choices are whom the Sentinels put in place of whom. With down-after 1 s, one that hears
// nothing from the new master for a second, on a busy machine, has another one chosen.
func choices(journal []netlab.Entry) map[string]bool {
	moves := make(map[string]bool)
	for _, e := range journal {
		if _, move, found := strings.Cut(e.Message, "+switch-master "); found {
			moves[move] = true
		}
	}
	return moves
}
