package hooks

import (
	"context"
	"fmt"
	"time"

	"redis-vip/checks/clock"
	"redis-vip/checks/node"
)

// How long the last writes of a master may take to its replica, while they go on to arrive
// and when they do not: those who wrote them wait for handoverPause at most.
const (
	drainTime = 3 * time.Second
	drainIdle = time.Second
)

// standstill is how long nothing may arrive until the connection is given up. TCP tries
// first after 200 ms (TCP_RTO_MIN), and after packet loss only when as much time has
// passed as was lost.
const standstill = 200 * time.Millisecond

// drain waits until the replica has all that its master has, whose writers wait.
func drain(ctx context.Context, clk clock.Clock, master, replica Server) error {
	begun := clk.Boot()
	ctx, cancel := clk.WithTimeout(ctx, drainTime)
	defer cancel()
	var (
		offset int64 = -1
		moved        = begun
		anew   bool
	)
	for {
		mine, theirs := replica.Look(ctx), master.Look(ctx)
		if mine.Role == node.Replica && mine.Upstream.Up && theirs.Role == node.Master && mine.ReplID == theirs.ReplID && mine.Offset == theirs.Offset {
			return nil
		}
		if mine.Role == node.Replica && mine.Offset != offset {
			offset, moved = mine.Offset, clk.Boot()
		}
		still := clk.Boot() - moved
		continues := theirs.BacklogFrom > 0 && theirs.BacklogFrom <= mine.Offset+1
		if mine.Role == node.Replica && still > standstill && continues && !anew {
			anew = true
			replica.Reconnect(ctx) // or it comes too late, as it would have
		}
		clk.Sleep(ctx, 2*time.Millisecond)
		if ctx.Err() != nil || still > drainIdle {
			return fmt.Errorf("the last writes of %s did not arrive at %s within %v", master.Addr(), replica.Addr(), (clk.Boot() - begun).Round(time.Millisecond))
		}
	}
}
