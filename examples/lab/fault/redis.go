package fault

import (
	"context"
	"fmt"
	"time"
)

// inFlight is how many writes a master may have acknowledged that no replica has
// got when it dies: Redis answers first.
const inFlight = 3

// redisFaults are those of Redis itself on the active host.
func redisFaults() []Scenario {
	list := []Scenario{{
		Name: "redis-killed", Title: "Redis is killed on the active host, and comes back later",
		Make: func(ctx context.Context, s *Stage) error {
			if err := s.Active.Redis.Kill(ctx); err != nil {
				return err
			}
			if err := s.failedOver(ctx, s.Standby); err != nil {
				return err
			}
			return s.back(ctx, s.Active)
		},
		Promises: []Promise{nowhere(inFlight), outage(notice + time.Second), oneAfter(0), settled(15 * time.Second)},
	}}
	for _, persistence := range []struct{ name, lines string }{
		{"none", `save ""`},
		{"aof", "appendonly yes"},
	} {
		for _, pause := range []time.Duration{100 * time.Millisecond, time.Second, 3 * time.Second} {
			list = append(list, Scenario{
				Name:  fmt.Sprintf("redis-killed-back-%v-%s", pause, persistence.name),
				Title: fmt.Sprintf("Redis is killed on the active host; the service manager starts it again after %v (persistence: %s)", pause, persistence.name),
				Setup: Setup{Redis: persistence.lines},
				Make: func(ctx context.Context, s *Stage) error {
					for _, n := range s.Nodes {
						n.Redis.RestartAfter = pause
					}
					return s.Active.Redis.Kill(ctx)
				},
				Promises: []Promise{nowhere(inFlight), oneAfter(0), settled(15 * time.Second)},
			})
		}
	}
	return append(list, Scenario{
		Name: "redis-hang", Title: "Redis hangs for 15 s on the active host, and wakes",
		Make: func(ctx context.Context, s *Stage) error {
			if err := s.Active.Redis.Hang(); err != nil {
				return err
			}
			if err := s.last(ctx, 15*time.Second); err != nil {
				return err
			}
			if err := s.Active.Redis.Wake(); err != nil {
				return err
			}
			s.over()
			return s.within(ctx, patience, "the woken node demoted", func(ctx context.Context) error {
				return s.Active.Redis.WaitRole(ctx, "slave")
			})
		},
		Promises: []Promise{
			lost(inFlight), outage(notice + 2*time.Second), timely("the woken node demoted", 5*time.Second),
			settled(15 * time.Second),
		},
	})
}
