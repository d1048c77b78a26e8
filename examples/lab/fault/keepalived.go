package fault

import (
	"context"
	"time"
)

// planned is how long a planned move may stop writes: 0.6 s with shell hooks, and
// 0.3 s for what they leave out.
const planned = 900 * time.Millisecond

// drained is how long a switchover may stop writes: 0.3 s, and what VRRP takes, which
// is (256 - priority) / 256 s of the standby.
const drained = 300*time.Millisecond + time.Second*(256-240)/256

// keepalivedFaults are those of keepalived on the active host; Redis goes on.
func keepalivedFaults() []Scenario {
	return []Scenario{
		{
			Name: "keepalived-stopped", Title: "keepalived is stopped on the active host, under pipelined load as well",
			Setup: Setup{Load: true},
			Make: func(ctx context.Context, s *Stage) error {
				return s.Active.Keepalived.Stop(ctx)
			},
			Promises: []Promise{lost(0), outage(planned), oneAfter(0), settled(10 * time.Second)},
		},
		{
			Name: "switchover", Title: "somebody switches over, under pipelined load as well",
			Setup: Setup{Load: true},
			Make: func(ctx context.Context, s *Stage) error {
				if s.Hooks == Shell { // what people do who have nothing else
					return s.Active.Keepalived.Restart(ctx)
				}
				out, err := s.Active.Output(ctx, "redis-vip", "switchover", "mymaster")
				s.Note("redis-vip switchover: %q", out)
				return err
			},
			Promises: []Promise{lost(0), outage(drained), oneAfter(0), settled(10 * time.Second)},
		},
		{
			Name: "keepalived-killed", Title: "all of keepalived is killed on the active host: its address is left behind",
			Make: func(ctx context.Context, s *Stage) error {
				if err := s.Active.Keepalived.KillAll(ctx); err != nil {
					return err
				}
				if err := s.failedOver(ctx, s.Standby); err != nil {
					return err
				}
				// Nothing watches over the address that is left behind, until somebody
				// starts keepalived again. Clients may still reach it.
				if err := s.last(ctx, 8*time.Second); err != nil {
					return err
				}
				return s.Active.Keepalived.Start(ctx)
			},
			Promises: []Promise{nowhere(0), oneAfter(6 * time.Second), settled(15 * time.Second)},
		},
		{
			Name: "keepalived-frozen", Title: "keepalived is frozen for 10 s on the active host, which keeps its address",
			Make: func(ctx context.Context, s *Stage) error {
				if err := s.Active.Keepalived.Hang(); err != nil {
					return err
				}
				if err := s.last(ctx, 10*time.Second); err != nil {
					return err
				}
				return s.Active.Keepalived.Wake()
			},
			Promises: []Promise{lost(0), oneAfter(6 * time.Second), settled(15 * time.Second)},
		},
	}
}
