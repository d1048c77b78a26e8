package hooks

import (
	"context"
	"fmt"
	"time"

	"redis-vip/checks/clock"
	"redis-vip/checks/node"
)

// drainTime is how long the last writes of a master may take to its replica.
const drainTime = time.Second

// standstill is how long nothing may arrive until the connection is given up. TCP tries
// first after 200 ms (TCP_RTO_MIN), and after packet loss only when as much time has
// passed as was lost.
const standstill = 200 * time.Millisecond

// drain waits until the replica has all that its master has, whose writers wait.
func drain(ctx context.Context, clk clock.Clock, master, replica Server) error {
	ctx, cancel := clk.WithTimeout(ctx, drainTime)
	defer cancel()
	begun, first, anew := clk.Boot(), replica.Look(ctx), false
	for mine, theirs := first, master.Look(ctx); ; mine, theirs = replica.Look(ctx), master.Look(ctx) {
		if mine.Role == node.Replica && mine.Upstream.Up && theirs.Role == node.Master && mine.ReplID == theirs.ReplID && mine.Offset == theirs.Offset {
			return nil
		}
		stands := mine.Role == node.Replica && mine.Offset == first.Offset && clk.Boot()-begun > standstill
		if continues := theirs.BacklogFrom > 0 && theirs.BacklogFrom <= mine.Offset+1; stands && continues && !anew {
			anew = true
			replica.Reconnect(ctx) // or it comes too late, as it would have
		}
		clk.Sleep(ctx, 2*time.Millisecond)
		if ctx.Err() != nil {
			return fmt.Errorf("the last writes of %s did not arrive at %s within %v", master.Addr(), replica.Addr(), drainTime)
		}
	}
}
