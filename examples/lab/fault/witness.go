package fault

import (
	"context"
	"strings"
	"time"

	"redis-vip/checks"
	"redis-vip/examples/lab/netlab"
)

// witnessFaults are those of a pair whose third vote is on a witness.
func witnessFaults() []Scenario {
	killed := func(ctx context.Context, s *Stage) error {
		if err := s.Active.Redis.Kill(ctx); err != nil {
			return err
		}
		if err := s.failedOver(ctx, s.Standby); err != nil {
			return err
		}
		return s.back(ctx, s.Active)
	}
	return []Scenario{
		{
			Name: "witness-split", Title: "the hosts do not see each other for 12 s; both see the witness and clients, who write on both",
			Setup: Setup{Witness: true, Stubborn: true},
			Make: cut(12*time.Second, false, func(s *Stage) error {
				return s.CutBoth(s.Active.Host, s.Standby.Host)
			}),
			Promises: []Promise{nowhere(0), oneAfter(0), serving(time.Second), settled(15 * time.Second)},
		},
		{
			Name: "witness-cut-off", Title: "the active host sees neither the other one nor the witness for 15 s; clients write on both",
			Setup: Setup{Witness: true, Stubborn: true},
			Make: cut(15*time.Second, true, func(s *Stage) error {
				if err := s.CutBoth(s.Active.Host, s.Witness.Host); err != nil {
					return err
				}
				return s.CutBoth(s.Active.Host, s.Standby.Host)
			}),
			Promises: []Promise{nowhere(0), oneAfter(0), timely(fenced, 4*time.Second), settled(15 * time.Second)},
		},
		{
			Name: "witness-cut-off-unchecked", Title: "the same, and keepalived is killed there as soon as a check has seen it: only the guard is left",
			Setup: Setup{Witness: true, Stubborn: true},
			Make: unchecked(cut(15*time.Second, true, func(s *Stage) error {
				if err := s.CutBoth(s.Active.Host, s.Witness.Host); err != nil {
					return err
				}
				if err := s.CutBoth(s.Active.Host, s.Standby.Host); err != nil {
					return err
				}
				ctx, cancel := context.WithTimeout(context.Background(), patience)
				defer cancel()
				began := time.Now()
				if _, err := s.Journal.Wait(ctx, func(e netlab.Entry) bool {
					return e.Host == s.Active.Name && e.At.After(began) && strings.Contains(e.Message, checks.Isolated.Sentence())
				}); err != nil {
					return err
				}
				_, err := s.Active.Output(ctx, "pkill", "-KILL", "-x", "keepalived")
				return err
			})),
			Promises: []Promise{nowhere(0), oneAfter(0), timely(fenced, 4*time.Second), settled(20 * time.Second)},
		},
		{
			Name: "witness-one-way", Title: "nothing gets from the active host to the standby for 15 s; both see the witness; clients write on both",
			Setup: Setup{Witness: true, Stubborn: true},
			Make: cut(15*time.Second, false, func(s *Stage) error {
				return s.Cut(s.Active.Host, s.Standby.Host)
			}),
			Promises: []Promise{nowhere(0), oneAfter(0), serving(time.Second), settled(15 * time.Second)},
		},
		{
			Name: "witness-dead", Title: "the witness is dead for 10 s, and nothing else is wrong",
			Setup: Setup{Witness: true},
			Make: func(ctx context.Context, s *Stage) error {
				if err := s.Witness.Redis.Kill(ctx); err != nil {
					return err
				}
				if err := s.last(ctx, 10*time.Second); err != nil {
					return err
				}
				return s.Witness.Redis.Start(ctx)
			},
			Promises: []Promise{lost(0), outage(time.Second), still, settled(5 * time.Second)},
		},
		{
			Name: "witness-redis-killed", Title: "Redis is killed on the active host; the witness lives",
			Setup: Setup{Witness: true}, Make: killed,
			Promises: []Promise{nowhere(inFlight), outage(notice + time.Second), oneAfter(0), settled(15 * time.Second)},
		},
		{
			Name: "witness-dead-redis-killed", Title: "the witness is dead, and then Redis is killed on the active host",
			Setup: Setup{Witness: true},
			Make: func(ctx context.Context, s *Stage) error {
				if err := s.Witness.Redis.Kill(ctx); err != nil {
					return err
				}
				if err := s.last(ctx, 6*time.Second); err != nil { // longer than any lease
					return err
				}
				if err := killed(ctx, s); err != nil {
					return err
				}
				return s.Witness.Redis.Start(ctx)
			},
			Promises: []Promise{nowhere(inFlight), outage(notice + time.Second), oneAfter(0), settled(15 * time.Second)},
		},
		{
			Name: "witness-host-gone", Title: "the active host loses power; the witness lives",
			Setup: Setup{Witness: true}, Make: hostGone,
			Promises: []Promise{nowhere(inFlight), outage(7 * time.Second), oneAfter(0), settled(15 * time.Second)},
		},
		{
			Name: "witness-forgets", Title: "the hosts do not see each other for 20 s, and in the middle of it the witness restarts empty; clients write on both",
			Setup: Setup{Witness: true, Stubborn: true},
			Make: cut(20*time.Second, false, func(s *Stage) error {
				if err := s.CutBoth(s.Active.Host, s.Standby.Host); err != nil {
					return err
				}
				ctx, cancel := context.WithTimeout(context.Background(), patience)
				defer cancel()
				if err := s.last(ctx, 6*time.Second); err != nil {
					return err
				}
				if err := s.Witness.Redis.Kill(ctx); err != nil {
					return err
				}
				return s.Witness.Redis.Start(ctx)
			}),
			Promises: []Promise{nowhere(0), oneAfter(0), settled(15 * time.Second)},
		},
	}
}

// unchecked makes a fault that leaves the active host without keepalived, and starts
// that again.
func unchecked(fault func(context.Context, *Stage) error) func(context.Context, *Stage) error {
	return func(ctx context.Context, s *Stage) error {
		if err := fault(ctx, s); err != nil {
			return err
		}
		return s.Active.Keepalived.Start(ctx)
	}
}

// hostGone takes the power from the active host, and gives it back once the other one
// serves.
func hostGone(ctx context.Context, s *Stage) error {
	if err := s.PowerOff(ctx, s.Active); err != nil {
		return err
	}
	if err := s.failedOver(ctx, s.Standby); err != nil {
		return err
	}
	return s.PowerOn(ctx, s.Active)
}
