package hooks_test

import (
	"errors"
	"testing"

	"redis-vip/checks"
	"redis-vip/hooks"
)

// The line that an operator reads.
func TestRecordMessage(t *testing.T) {
	why := errors.New("because")
	for want, r := range map[string]hooks.Record{
		"this host is left as it is: because":                   {Err: why},
		"this node is not what it should be, a master: because": {Err: why, Goal: checks.BeMaster},
		"another run has this in hand":                          {Outcome: hooks.AlreadyRunning},
		"the VIP is absent: unknown":                            {Outcome: hooks.Done, Facts: checks.Facts{VIP: checks.Absent}},
		"unknown: because":                                      {Outcome: hooks.Done, Why: why},
		"the VIP is absent: unknown: because":                   {Outcome: hooks.Done, Why: why, Facts: checks.Facts{VIP: checks.Absent}},
	} {
		if got := r.Message(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
