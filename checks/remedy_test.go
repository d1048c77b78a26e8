package checks

import (
	"strings"
	"testing"
)

// Whoever is woken by a reason is told what to do about it, in one sentence.
func TestRemedy(t *testing.T) {
	for i := range reasons {
		r := Reason(i)
		switch remedy := r.Remedy(); {
		case remedy == "" && (!r.Fit() || r.Loud()):
			t.Errorf("%s: no remedy", r)
		case remedy != "" && (!strings.HasSuffix(remedy, ".") || strings.Contains(remedy, "\n")):
			t.Errorf("%s: %q is no sentence", r, remedy)
		}
	}
	for _, test := range []struct {
		verdict Verdict
		names   string // what the remedy tells to run
	}{
		{Verdict{Fit: true, Reason: InSync, Goal: BeMaster, Drift: true}, "notify-master"},
		{Verdict{Fit: true, Reason: Candidate, Goal: BeReplica, Drift: true}, "notify-backup"},
		{Verdict{Reason: Rogue, Goal: BeReplica, Drift: true}, "notify-backup"},
		{Verdict{Reason: NotPromoted, Goal: BeMaster, Drift: true}, "notify-master"},
	} {
		if remedy := test.verdict.Remedy(); !strings.Contains(remedy, "redis-vip "+test.names) {
			t.Errorf("%+v: %q", test.verdict, remedy)
		}
	}
	if remedy := (Verdict{Fit: true, Reason: InSync, Goal: BeReplica}).Remedy(); remedy != "" {
		t.Errorf("a healthy replica: %q", remedy)
	}
}
