package fault

import (
	"context"
	"time"
)

// networkFaults are those of the network between the hosts; both hosts and all
// daemons go on, and clients reach both hosts.
func networkFaults() []Scenario {
	return []Scenario{
		{
			Name: "split", Title: "the hosts do not see each other for 12 s; clients write on both",
			Setup: Setup{Stubborn: true},
			Make: cut(12*time.Second, true, func(s *Stage) error {
				return s.CutBoth(s.Active.Host, s.Standby.Host)
			}),
			Promises: []Promise{nowhere(0), settled(15 * time.Second)},
		},
		{
			Name: "split-small-backlog", Title: "the same, with a backlog too small for what is written in that time: all data has to be preserved",
			Setup: Setup{Stubborn: true, Redis: "repl-backlog-size 32kb"},
			Make: cut(12*time.Second, true, func(s *Stage) error {
				return s.CutBoth(s.Active.Host, s.Standby.Host)
			}),
			Promises: []Promise{nowhere(0), settled(15 * time.Second)},
		},
		{
			Name: "cut-off", Title: "the active host sees neither the other one nor the gateway for 15 s; clients write on both",
			Setup: Setup{Stubborn: true, Gateway: true},
			Make: cut(15*time.Second, true, func(s *Stage) error {
				if err := s.CutBoth(s.Active.Host, s.Host(gatewayName)); err != nil {
					return err
				}
				return s.CutBoth(s.Active.Host, s.Standby.Host)
			}),
			Promises: []Promise{nowhere(0), timely(fenced, notice+3*time.Second), settled(15 * time.Second)},
		},
		{
			Name: "one-way", Title: "nothing gets from the active host to the standby for 15 s; clients write on both",
			Setup: Setup{Stubborn: true},
			Make: cut(15*time.Second, false, func(s *Stage) error {
				return s.Cut(s.Active.Host, s.Standby.Host)
			}),
			Promises: []Promise{nowhere(0), oneAfter(5 * time.Second), settled(15 * time.Second)},
		},
		{
			Name: "switch-out", Title: "the switch is out for 12 s: nobody sees anybody, and the gateway neither",
			Setup: Setup{Gateway: true},
			Make: func(ctx context.Context, s *Stage) error {
				for _, h := range s.Hosts() {
					if err := s.Isolate(h); err != nil {
						return err
					}
				}
				if err := s.last(ctx, 12*time.Second); err != nil {
					return err
				}
				s.over()
				return s.HealAll()
			},
			Promises: []Promise{lost(0), settled(15 * time.Second)},
		},
	}
}

// fenced is the time until the host that was cut off took its last write.
const fenced = "the active node's last write"

// cut makes a fault of the network for a time, and mends it. All the while, the
// stubborn client talks to the host that was the active one. The others go where
// the VIP was announced last; or, with apart, to the standby once it has the VIP.
func cut(d time.Duration, apart bool, fault func(*Stage) error) func(context.Context, *Stage) error {
	return func(ctx context.Context, s *Stage) error {
		stubborn := s.Host(stubbornName)
		if err := s.point(ctx, stubborn, s.Active, stuck); err != nil {
			return err
		}
		if err := fault(s); err != nil {
			return err
		}
		if apart {
			if err := s.moved(ctx, s.Standby); err != nil {
				return err
			}
			if err := s.point(ctx, s.Client, s.Standby, stuck); err != nil {
				return err
			}
		}
		if err := s.last(ctx, time.Until(s.began.Add(d))); err != nil {
			return err
		}
		s.Times[fenced] = s.Watch.Last(s.Active, s.began)
		if err := s.HealAll(); err != nil {
			return err
		}
		s.over()
		// From here on they listen to announcements again.
		if apart {
			if err := s.point(ctx, s.Client, s.Standby, learned); err != nil {
				return err
			}
		}
		return s.point(ctx, stubborn, s.Active, learned)
	}
}
