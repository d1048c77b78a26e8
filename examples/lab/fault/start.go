package fault

import (
	"context"
	"time"

	"redis-vip/examples/lab/netlab"
	"redis-vip/examples/lab/site"
)

// fromNothing is the time from the start of the first daemon until a master has the VIP.
const fromNothing = "service from nothing"

// starts are no faults: empty hosts, replicas of nobody, start, and that is all.
func starts() []Scenario {
	nothing := func(context.Context, *Stage) error { return nil }
	return []Scenario{
		{
			Name: "start", Title: "two empty hosts start, and nothing happens to them",
			Setup:    Setup{Fresh: true},
			Make:     nothing,
			Promises: []Promise{timely(fromNothing, 15*time.Second), lost(0), still, settled(time.Second)},
		},
		{
			Name: "sentinel-start", Title: "three empty hosts start under Sentinel, and nobody says who is the master",
			Setup:    Setup{Trio: true, Fresh: true},
			Make:     nothing,
			Promises: []Promise{timely(fromNothing, 15*time.Second), lost(0), still, settled(time.Second)},
		},
	}
}

// untilServed starts all daemons, and returns how long it took until a master has the VIP.
func untilServed(ctx context.Context, s *site.Site) (time.Duration, error) {
	began := time.Now()
	if err := s.Start(ctx); err != nil {
		return 0, err
	}
	err := netlab.Until(ctx, func(ctx context.Context) error {
		_, err := s.Master(ctx)
		return err
	})
	return time.Since(began), err
}
