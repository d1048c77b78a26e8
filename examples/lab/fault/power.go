package fault

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"redis-vip/examples/lab/netlab"
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
				if err := s.powerOff(ctx, s.Active); err != nil {
					return err
				}
				if err := s.failedOver(ctx, s.Standby); err != nil {
					return err
				}
				if err := s.last(ctx, apart); err != nil {
					return err
				}
				if err := s.powerOff(ctx, s.Standby); err != nil {
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
				if err := s.powerOn(ctx, s.Standby); err != nil {
					return err
				}
				if err := s.within(ctx, bootWait+patience, "the one that boots serves", func(ctx context.Context) error {
					return s.failedOver(ctx, s.Standby)
				}); err != nil {
					return err
				}
				return s.powerOn(ctx, s.Active)
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
	if err := s.powerOff(ctx, s.Standby); err != nil {
		return err
	}
	if err := s.last(ctx, apart); err != nil {
		return err
	}
	return s.powerOff(ctx, s.Active)
}

// boot gives the power back to one host, and then to the other.
func (s *Stage) boot(ctx context.Context, first, second *site.Node) error {
	if err := s.powerOn(ctx, first); err != nil {
		return err
	}
	if err := s.last(ctx, apart); err != nil {
		return err
	}
	return s.powerOn(ctx, second)
}

// powerOff ends a host all at once: nothing of it gets out any more, every process
// is killed, and what is in its memory only is gone.
func (s *Stage) powerOff(ctx context.Context, n *site.Node) error {
	n.Note("power off")
	if err := s.Isolate(n.Host); err != nil {
		return err
	}
	for _, service := range n.Services() {
		if err := service.KillAll(ctx); err != nil {
			return err
		}
	}
	if holds, err := n.Holds(s.VIP.Addr()); err != nil {
		return err
	} else if holds {
		if err := n.RemoveAddress(s.VIP); err != nil {
			return err
		}
	}
	if s.off == nil {
		s.off = make(map[*site.Node]bool)
	}
	s.off[n] = true
	const run = "/run/redis-vip"
	return errors.Join(n.Remove(run), n.WriteFile(netlab.File{Path: run, Mode: fs.ModeDir | 0o771, Owner: "redis-vip", Group: "redis"}))
}

// powerOn boots a host: its network and its daemons.
func (s *Stage) powerOn(ctx context.Context, n *site.Node) error {
	n.Note("power on")
	delete(s.off, n)
	for _, other := range s.Hosts() {
		if other != n.Host && !s.isOff(other) {
			if err := s.Heal(n.Host, other); err != nil {
				return err
			}
		}
	}
	for _, service := range n.Services() {
		if err := service.Start(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (s *Stage) isOff(h *netlab.Host) bool {
	for n := range s.off {
		if n.Host == h {
			return true
		}
	}
	return false
}
