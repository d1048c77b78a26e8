package campaign

import (
	"context"
	"errors"
	"fmt"
	"time"

	"redis-vip/examples/lab/fault"
	"redis-vip/examples/lab/netlab"
	"redis-vip/examples/sim/world"
)

const (
	poll  = 200 * time.Millisecond
	quiet = 4 * time.Second // all has to be well for that long: two checks

	// splitBound is thrice what the simulator gives two masters that both serve to end it.
	splitBound = 3 * 10 * time.Second
	// overlap is thrice what one look may be late: with a witness no two nodes take writes.
	overlap = 3 * 100 * time.Millisecond
)

// bound is how long all may take to be well. The simulator's is 105 s; Sentinel waits for
// up to two failover-timeouts (10 s each) more before it tries again.
func bound(a world.Architecture) time.Duration {
	if a == world.Sentinel {
		return 150 * time.Second
	}
	return 120 * time.Second
}

// well waits until all is well, and stays so for a while. What is not within the bound is
// returned.
func (l *lab) well(ctx context.Context, from time.Time) error {
	ctx, cancel := context.WithDeadline(ctx, from.Add(bound(l.setup.Architecture)))
	defer cancel()
	var since time.Time
	var wrong error
	for {
		switch err := l.wrong(ctx); {
		case ctx.Err() != nil && wrong != nil:
			return wrong
		case err != nil:
			since, wrong = time.Time{}, err
		case since.IsZero():
			since, wrong = time.Now(), errors.New("not yet for long enough")
		case time.Since(since) >= quiet:
			return nil
		}
		rest(ctx, poll)
	}
}

// wrong is what is not as it should be: one node has the VIP, is the master, and takes
// writes; the others follow it, and apply what they get; no host has an address that nobody
// gave it; and our programs find every node fit.
func (l *lab) wrong(ctx context.Context) error {
	if err := l.Ready(ctx); err != nil {
		return err
	}
	for _, n := range l.Nodes {
		list, err := n.AddressList()
		if err != nil {
			return err
		}
		for _, a := range list {
			if a.Addr() != n.IP() && a.Addr() != l.VIP.Addr() {
				return fmt.Errorf("%s has an address that nobody gave it, %v", n.Name, a)
			}
		}
	}
	if err := l.applied(ctx); err != nil {
		return err
	}
	if l.setup.Architecture == world.Sentinel {
		return nil
	}
	for _, n := range l.Nodes {
		status, err := n.Run(ctx, netlab.Command{Args: []string{"/usr/lib/redis-vip/redis-check"}, User: "redis-vip", Group: "redis"})
		if err != nil || status.Code != 0 {
			return fmt.Errorf("redis-check on %s: %v %w", n.Name, status, err)
		}
	}
	return nil
}

// applied says whether what clients write now gets to every node: a replica whose writers
// were left paused says that its link is up, and applies nothing.
func (l *lab) applied(ctx context.Context) error {
	const patience = 2 * time.Second
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for _, b := range l.books {
		n, _ := b.Acknowledged()
		if err := b.WaitAcknowledged(ctx, 1); err != nil {
			return err
		}
		fresh := b.Since(n)[0]
		for _, node := range l.Nodes {
			if err := netlab.Until(ctx, func(ctx context.Context) error {
				if got, err := node.Redis.Exists(ctx, fresh.Key).Result(); err != nil || got == 0 {
					return fmt.Errorf("%s does not get what is written (%w)", node.Name, err)
				}
				return nil
			}); err != nil {
				return err
			}
		}
	}
	return nil
}

// broken are the promises about the way there that were not kept.
func (l *lab) broken(r round, watch *fault.Watch, over time.Time) (list []string) {
	if two := watch.Two(over); two > splitBound {
		list = append(list, fmt.Sprintf("two nodes took writes until %v after the faults were over", two))
	}
	if l.setup.Architecture == world.Witness && r.Two > overlap && !excused(r.Faults) {
		list = append(list, fmt.Sprintf("with a witness, two nodes took writes for %v", r.Two))
	}
	return list
}

// excused says whether nothing of ours could stop a master's writers: it was frozen or
// hung with all that watches over it, our programs were killed, or somebody made a second
// master by hand.
func excused(faults []Fault) bool {
	for _, f := range faults {
		if f.kind.byHand || f.kind.seat == programs || f.kind.seat == guard || f.kind == kindOf(world.HostFrozen) || f.kind == kindOf(world.RedisHangs) {
			return true
		}
	}
	return false
}
