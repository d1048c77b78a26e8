package fault

import (
	"context"
	"time"

	"redis-vip/examples/lab/site"
)

// roleFaults are roles that nobody gave: keepalived sees no event.
func roleFaults() []Scenario {
	const replicating = "the standby replicates again"
	// died is what the fault matters for: the active Redis dies some time later.
	died := func(ctx context.Context, s *Stage) error {
		if err := s.within(ctx, 10*time.Second, replicating, func(ctx context.Context) error {
			return s.Standby.Redis.WaitFollowing(ctx, s.Active.Endpoint())
		}); err != nil {
			return err
		}
		if err := s.Book.WaitAcknowledged(ctx, before); err != nil {
			return err
		}
		if err := s.Active.Redis.Kill(ctx); err != nil {
			return err
		}
		if err := s.failedOver(ctx, s.Standby); err != nil {
			return err
		}
		return s.back(ctx, s.Active)
	}
	promises := []Promise{nowhere(inFlight), timely(replicating, 10*time.Second), outage(notice + time.Second), settled(15 * time.Second)}
	return []Scenario{
		{
			Name: "standby-restarted", Title: "the standby's Redis is restarted, with a redis.conf that makes it no replica; later the active one dies",
			Make: func(ctx context.Context, s *Stage) error {
				if err := standAlone(ctx, s.Standby); err != nil {
					return err
				}
				if err := s.Standby.Redis.Restart(ctx); err != nil {
					return err
				}
				return died(ctx, s)
			},
			Promises: promises,
		},
		{
			Name: "standby-promoted", Title: "somebody makes the standby's Redis a master by hand; later the active one dies",
			Make: func(ctx context.Context, s *Stage) error {
				if err := standAlone(ctx, s.Standby); err != nil {
					return err
				}
				return died(ctx, s)
			},
			Promises: promises,
		},
		{
			Name: "second-failover", Title: "keepalived is stopped and started on the active host; within 5 s Redis dies on the other",
			Make: func(ctx context.Context, s *Stage) error {
				if err := s.Active.Keepalived.Restart(ctx); err != nil {
					return err
				}
				if err := s.failedOver(ctx, s.Standby); err != nil {
					return err
				}
				if err := s.last(ctx, time.Until(s.began.Add(4500*time.Millisecond))); err != nil {
					return err
				}
				if err := s.Standby.Redis.Kill(ctx); err != nil {
					return err
				}
				if err := s.failedOver(ctx, s.Active); err != nil {
					return err
				}
				return s.back(ctx, s.Standby)
			},
			Promises: []Promise{nowhere(inFlight), outage(notice + 3*time.Second), oneAfter(0), settled(15 * time.Second)},
		},
		{
			Name: "ring", Title: "somebody makes the master a replica of its own replica",
			Make: func(ctx context.Context, s *Stage) error {
				return s.Active.Redis.SlaveOf(ctx, s.Standby.IP().String(), "6379").Err()
			},
			Promises: []Promise{lost(0), oneAfter(0), settled(15 * time.Second)},
		},
	}
}

// standAlone makes a Redis a master by hand, and that for good.
func standAlone(ctx context.Context, n *site.Node) error {
	if err := n.Redis.SlaveOf(ctx, "NO", "ONE").Err(); err != nil {
		return err
	}
	return n.Redis.ConfigRewrite(ctx).Err()
}
