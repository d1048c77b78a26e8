package hooks

import (
	"context"
	"time"

	"redis-vip/checks"
	"redis-vip/checks/node"
)

// Contest is one call of keepalived's notify_master_rx_lower_pri. keepalived makes it
// every second for as long as it is MASTER and hears a node of lower priority that is
// MASTER too.
//
// Where the other node can be talked to, the two will agree, and this is nothing.
// Where it cannot, what this node sends gets lost: the other one serves, and this
// one must not. redis-check sees the mark and gives the VIP up; until then writers
// wait.
type Contest struct {
	Mark   func() error
	Survey func(context.Context) checks.Facts
	Local  Server
}

// contestedPause outlasts the time to the next call.
const contestedPause = 4 * time.Second

// Run marks the VIP as contested and, where the other node is silent, pauses writes.
// Where it has done nothing more than to mark, the verdict's reason is another one.
func (c Contest) Run(ctx context.Context) (verdict checks.Verdict, mark, pause error) {
	mark = c.Mark()
	facts := c.Survey(ctx)
	facts.Contested = true
	verdict = checks.Judge(facts, checks.Policy{})
	if verdict.Reason == checks.Contested && facts.Role == node.Master {
		pause = c.Local.Pause(ctx, contestedPause)
	}
	return verdict, mark, pause
}
