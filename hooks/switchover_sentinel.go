package hooks

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"redis-vip/checks"
	"redis-vip/checks/clock"
	"redis-vip/checks/node"
)

// SentinelSwitchover has the Sentinels choose another master, without losing a write:
// the writers of the old one wait until a replica has everything, and until they find the
// new one. SENTINEL FAILOVER alone leaves the old master writable for ten seconds
// (redis#6062).
type SentinelSwitchover struct {
	Survey   func(context.Context) checks.Facts // of all nodes, this one among them
	Convene  func(context.Context) []checks.Answer
	Failover func(context.Context) error
	Server   func(netip.AddrPort) Server      // a node of the group
	At       func(context.Context) node.Facts // who answers at the VIP; nil: there is none
	Retry    time.Duration
	Say      func(format string, args ...any)
}

// switchPause is how long writers wait at most if this program dies in the middle:
// Sentinel takes a second from its command to its scripts.
const switchPause = 8 * time.Second

// calm is how long after a failover a Sentinel may still take the old master for one: each
// asks the replicas every 10 s (sentinel_info_period), and did so for the first time right
// after it had switched. Where the old master is promoted again before, such a Sentinel
// takes it for a replica that has been a master for more than 8 s, and undoes the promotion
// (+convert-to-slave, sentinel.c:2713).
const calm = 12 * time.Second

// Calm waits until no Sentinel has switched so lately. It has a bound of its own, and
// nothing has been changed yet.
func (s SentinelSwitchover) Calm(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*calm)
	defer cancel()
	said := false
	return s.until(ctx, "the Sentinels to look at the old master", func() bool {
		var left time.Duration
		for _, a := range s.Convene(ctx) {
			if a.Epoch > 0 && a.Named > 0 { // before the first failover there is no old master
				left = max(left, calm-a.Named)
			}
		}
		if left > 0 && !said {
			s.Say("the last failover was %.1f s ago: it takes %.1f s until the Sentinels have looked at the old master", (calm - left).Seconds(), left.Seconds())
			said = true
		}
		return left <= 0
	})
}

// Plan checks that a switchover can succeed, and returns the master and the replicas
// of which one will take over.
func (s SentinelSwitchover) Plan(ctx context.Context) (master checks.Node, replicas []checks.Node, err error) {
	answers := s.Convene(ctx)
	named, reached, found := (checks.Council{Answers: answers}).Majority()
	if !found {
		return master, nil, fmt.Errorf("%d of %d Sentinels answer, and no majority of them names a master", reached, len(answers))
	}
	for _, a := range answers {
		if a.Failover {
			return master, nil, fmt.Errorf("the Sentinel at %s is in the middle of a failover", a.Sentinel)
		}
	}
	facts := s.Survey(ctx)
	for _, n := range append([]checks.Node{facts.Node}, facts.Peers...) {
		switch {
		case n.Addr == named:
			master = n
		case n.Linked() && n.Follows(named):
			replicas = append(replicas, n)
		}
	}
	switch {
	case !master.IsMaster():
		return master, nil, fmt.Errorf("the Sentinels name %s, which is: %s", named, Describe(master.Facts))
	case len(replicas) == 0:
		return master, nil, fmt.Errorf("no other node is a replica of %s that hears it", named)
	}
	return master, replicas, nil
}

// Run switches over. The context is its deadline; where that comes first, the writers
// of the old master go on, unless it is one no more.
func (s SentinelSwitchover) Run(ctx context.Context) error {
	master, replicas, err := s.Plan(ctx)
	if err != nil {
		return err
	}
	old := s.Server(master.Addr)
	if err := old.Pause(ctx, switchPause); err != nil {
		return fmt.Errorf("%s: %w", master.Addr, err)
	}
	s.Say("the writers of %s wait", master.Addr)
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		old.Unpause(ctx) // as a replica it must not stay paused either
	}()
	if err := s.drain(ctx, old, replicas); err != nil {
		return err
	}
	s.Say("the replicas have everything")
	if err := s.Failover(ctx); err != nil {
		return fmt.Errorf("SENTINEL FAILOVER: %w", err)
	}
	s.Say("the Sentinels choose")

	var next netip.AddrPort
	if err := s.until(ctx, "the Sentinels to name another master", func() bool {
		named, _, found := (checks.Council{Answers: s.Convene(ctx)}).Majority()
		next = named
		return found && named != master.Addr
	}); err != nil {
		return err
	}
	s.Say("%s is the master", next)
	if s.At != nil {
		if err := s.until(ctx, "the VIP to be there", func() bool {
			at := s.At(ctx)
			return at.RunID != "" && at.RunID == s.Server(next).Look(ctx).RunID
		}); err != nil {
			return err
		}
		s.Say("the VIP is there")
	}
	return s.retire(ctx, old)
}

// retire waits until the old master is one no more: let go before, its writers would go on
// there. The reconciler of its host does it at once; where none runs, a Sentinel some ten
// seconds later, which is longer than the pause.
func (s SentinelSwitchover) retire(ctx context.Context, old Server) error {
	if err := s.until(ctx, fmt.Sprintf("%s to follow the new master", old.Addr()), func() bool {
		f := old.Look(ctx)
		if f.Role == node.Master {
			old.Pause(ctx, switchPause)
		}
		return f.Role == node.Replica
	}); err != nil {
		return err
	}
	s.Say("%s follows it", old.Addr())
	return nil
}

// drain waits until every replica has what the old master has: which one the
// Sentinels choose is theirs.
func (s SentinelSwitchover) drain(ctx context.Context, old Server, replicas []checks.Node) error {
	for _, replica := range replicas {
		if err := drain(ctx, clock.Wall{}, old, s.Server(replica.Addr)); err != nil {
			return fmt.Errorf("%w: nothing was changed", err)
		}
	}
	return nil
}

func (s SentinelSwitchover) until(ctx context.Context, what string, done func() bool) error {
	for !done() {
		select {
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("waited for %s", what), ctx.Err())
		case <-time.After(s.Retry):
		}
	}
	return nil
}
