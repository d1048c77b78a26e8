package survey_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"redis-vip/checks"
	"redis-vip/checks/clock"
	"redis-vip/checks/node"
	"redis-vip/checks/node/nodetest"
	"redis-vip/checks/survey"
)

// Where this node's own Redis, the other one, who has the VIP and the gateway are all
// hostile, a survey costs no more than one of them would.
func TestHostileNeighbourhood(t *testing.T) {
	nodetest.Hostile(t, func(t *testing.T, ctx context.Context, e node.Endpoint) {
		target := survey.Target{Addr: e.Addr, Look: func(ctx context.Context) node.Facts {
			ctx, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
			defer cancel()
			return e.Look(ctx)
		}}
		dir := t.TempDir()
		f := survey.Survey{
			Self: target, Peers: []survey.Target{target, target}, VIP: target, Gateway: survey.Endpoint(e.Addr),
			Where: func() checks.Presence { return checks.Absent }, Patience: 100 * time.Millisecond, Clock: clock.Wall{},
			Recall: survey.File(filepath.Join(dir, "memory")), Contested: survey.Marked(filepath.Join(dir, "contested")),
		}.Full(ctx)
		v := checks.Judge(f, checks.Policy{BootWait: 30 * time.Second})
		if v.Fit && f.Role == node.NoRole && !f.Class.Answers() || len(f.Peers) != 2 {
			t.Errorf("%+v: %+v", v, f)
		}
	})
}
