package fault

import (
	"context"
	"fmt"
	"time"

	"redis-vip/examples/lab/site"
)

// Every write is on the disk before it is acknowledged. boot-wait is short, so that
// the tests are.
const (
	onDisk   = "appendonly yes\nappendfsync always"
	bootWait = 10 * time.Second
	apart    = 3 * time.Second // between the two hosts' power losses, and their boots
)

// powerFaults take the power away, from both hosts in the end.
func powerFaults() []Scenario {
	setup := Setup{Redis: onDisk, Group: fmt.Sprintf("boot_wait = %q", bootWait)}
	return []Scenario{
		{
			Name: "host-gone", Title: "the active host loses power, and comes back once the other one serves", Make: hostGone,
			Promises: []Promise{nowhere(inFlight), outage(6 * time.Second), oneAfter(0), settled(15 * time.Second)},
		},
		{
			Name: "power-loss", Title: "both hosts lose power, the standby 3 s earlier; it boots first (boot-wait 10 s)",
			Setup: setup,
			Make: func(ctx context.Context, s *Stage) error {
				if err := s.powerLoss(ctx); err != nil {
					return err
				}
				return s.boot(ctx, s.Standby, s.Active)
			},
			Promises: []Promise{lost(0), oneAfter(0), settled(bootWait + 15*time.Second)},
		},
		{
			Name: "power-loss-swapped", Title: "both hosts lose power, the active one first and the other after it took over; the first boots first (boot-wait 10 s)",
			Setup: setup,
			Make: func(ctx context.Context, s *Stage) error {
				if err := s.PowerOff(ctx, s.Active); err != nil {
					return err
				}
				if err := s.failedOver(ctx, s.Standby); err != nil {
					return err
				}
				if err := s.last(ctx, apart); err != nil {
					return err
				}
				if err := s.PowerOff(ctx, s.Standby); err != nil {
					return err
				}
				return s.boot(ctx, s.Active, s.Standby)
			},
			Promises: []Promise{lost(inFlight), oneAfter(0), settled(bootWait + 15*time.Second)},
		},
		{
			Name: "power-loss-one", Title: "both hosts lose power, the standby 3 s earlier; only that one boots, and the other much later (boot-wait 10 s)",
			Setup: setup,
			Make: func(ctx context.Context, s *Stage) error {
				if err := s.powerLoss(ctx); err != nil {
					return err
				}
				if err := s.PowerOn(ctx, s.Standby); err != nil {
					return err
				}
				if err := s.within(ctx, bootWait+patience, "the one that boots serves", func(ctx context.Context) error {
					return s.failedOver(ctx, s.Standby)
				}); err != nil {
					return err
				}
				return s.PowerOn(ctx, s.Active)
			},
			Promises: []Promise{
				nowhere(0), timely("the one that boots serves", bootWait+10*time.Second),
				oneAfter(0), settled(bootWait + 15*time.Second),
			},
		},
	}
}

// powerLoss takes the power from the standby, and then from the active host.
func (s *Stage) powerLoss(ctx context.Context) error {
	if err := s.PowerOff(ctx, s.Standby); err != nil {
		return err
	}
	if err := s.last(ctx, apart); err != nil {
		return err
	}
	return s.PowerOff(ctx, s.Active)
}

// boot gives the power back to one host, and then to the other.
func (s *Stage) boot(ctx context.Context, first, second *site.Node) error {
	if err := s.PowerOn(ctx, first); err != nil {
		return err
	}
	if err := s.last(ctx, apart); err != nil {
		return err
	}
	return s.PowerOn(ctx, second)
}
