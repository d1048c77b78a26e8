package fault

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"redis-vip/examples/lab/netlab"
	"redis-vip/examples/lab/site"
)

// What the scenarios of three hosts under Sentinel take the time of.
const (
	elsewhere = "service elsewhere"

	demoted = "after the Sentinels switched, the old master follows"
	dropped = "the host that is cut off gives the VIP up"
	retried = "after the Sentinels switched, the VIP is there"
	script  = "the script alone, on the master, the VIP to be added"
)

// sentinelFaults are those of three hosts under Sentinel.
func sentinelFaults() []Scenario {
	trio := Setup{Trio: true}
	list := []Scenario{
		{
			Name: "sentinel-redis-killed", Title: "Redis is killed on the active of three hosts, and comes back later",
			Setup: trio,
			Make: func(ctx context.Context, s *Stage) error {
				if err := s.Active.Redis.Kill(ctx); err != nil {
					return err
				}
				if err := s.elsewhere(ctx); err != nil {
					return err
				}
				return s.back(ctx, s.Active)
			},
			Promises: []Promise{nowhere(inFlight), outage(5 * time.Second), oneAfter(0), settled(20 * time.Second)},
		},
		{
			Name: "sentinel-redis-killed-back", Title: "Redis is killed on the active of three hosts, and back before Sentinel takes it for down, without data",
			Setup: trio,
			Make: func(ctx context.Context, s *Stage) error {
				if err := s.Active.Redis.Kill(ctx); err != nil {
					return err
				}
				return s.back(ctx, s.Active)
			},
			Promises: []Promise{nowhere(inFlight), outage(8 * time.Second), settled(20 * time.Second)},
		},
		{
			Name: "sentinel-failover", Title: "somebody has Sentinel fail over by hand (SENTINEL FAILOVER)",
			Setup: trio,
			Make: func(ctx context.Context, s *Stage) error {
				if err := s.Active.Sentinel.Do(ctx, "SENTINEL", "FAILOVER", "mymaster").Err(); err != nil {
					return err
				}
				switched, err := s.switched(ctx)
				if err != nil {
					return err
				}
				if err := s.Active.Redis.WaitRole(ctx, "slave"); err != nil {
					return err
				}
				s.Times[demoted] = max(time.Since(switched), 0)
				return s.elsewhere(ctx)
			},
			// 60 to 210 ms on a machine that is not busy with other labs; ten seconds are
			// Sentinel's own.
			Promises: []Promise{nowhere(0), timely(demoted, 2*time.Second), settled(20 * time.Second)},
		},
		{
			Name: "sentinel-switchover", Title: "somebody switches over among three hosts (redis-vip switchover)",
			Setup: trio,
			Make: func(ctx context.Context, s *Stage) error {
				if s.Hooks == Shell { // what people do who have nothing else
					return s.Active.Sentinel.Do(ctx, "SENTINEL", "FAILOVER", "mymaster").Err()
				}
				out, err := s.Active.Output(ctx, "redis-vip", "switchover", "mymaster")
				s.Note("redis-vip switchover: %q", out)
				return err
			},
			Promises: []Promise{lost(0), outage(3 * time.Second), oneAfter(0), settled(20 * time.Second)},
		},
		{
			Name: "sentinel-reboot", Title: "the active of three hosts reboots before Sentinel takes it for down, without data",
			Setup: trio,
			Make: func(ctx context.Context, s *Stage) error {
				if err := s.PowerOff(ctx, s.Active); err != nil {
					return err
				}
				return s.PowerOn(ctx, s.Active)
			},
			Promises: []Promise{nowhere(inFlight), outage(8 * time.Second), settled(20 * time.Second)},
		},
		{
			Name: "sentinel-cut-off", Title: "the active of three hosts does not see the others for 15 s; clients write on both sides",
			Setup: Setup{Trio: true, Stubborn: true},
			Make: func(ctx context.Context, s *Stage) error {
				stubborn := s.Host(stubbornName)
				if err := s.point(ctx, stubborn, s.Active, stuck); err != nil {
					return err
				}
				for _, other := range s.Others(s.Active) {
					if err := s.CutBoth(s.Active.Host, other.Host); err != nil {
						return err
					}
				}
				if err := s.within(ctx, 14*time.Second, dropped, func(ctx context.Context) error {
					return netlab.Until(ctx, func(context.Context) error {
						if here, err := s.Active.Holds(s.VIP.Addr()); err != nil || here {
							return fmt.Errorf("it is still there (%w)", err)
						}
						return nil
					})
				}); err != nil {
					return err
				}
				if err := s.last(ctx, time.Until(s.began.Add(15*time.Second))); err != nil {
					return err
				}
				if err := s.HealAll(); err != nil {
					return err
				}
				s.over()
				return s.point(ctx, stubborn, s.Active, learned)
			},
			// fence_after is 5 s; the timer's turn and questions to silent hosts come on top.
			Promises: []Promise{nowhere(0), timely(dropped, 9*time.Second), settled(20 * time.Second)},
		},
		{
			Name: "sentinel-split", Title: "none of three hosts sees another for 20 s, as when a switch reboots",
			Setup: trio,
			Make: func(ctx context.Context, s *Stage) error {
				for _, h := range s.Hosts() {
					if err := s.Isolate(h); err != nil {
						return err
					}
				}
				if err := s.last(ctx, 20*time.Second); err != nil {
					return err
				}
				s.over()
				return s.HealAll()
			},
			Promises: []Promise{nowhere(0), settled(15 * time.Second)},
		},
		{
			Name: "sentinel-leader-dies", Title: "Redis is killed on the active of three hosts, and the Sentinel that leads the failover before its script",
			Setup: trio,
			Make: func(ctx context.Context, s *Stage) error {
				if err := s.Active.Redis.Kill(ctx); err != nil {
					return err
				}
				e, err := s.said(ctx, "+failover-state-wait-promotion")
				if err != nil {
					return err
				}
				leader := s.Nodes[slices.IndexFunc(s.Nodes, func(n *site.Node) bool { return n.Name == e.Host })]
				if err := leader.Sentinel.Kill(ctx); err != nil {
					return err
				}
				switched, err := s.switched(ctx)
				if err != nil {
					return err
				}
				if err := s.elsewhere(ctx); err != nil {
					return err
				}
				if s.Times[retried] = max(time.Since(switched), 0); s.Times[elsewhere] == never {
					s.Times[retried] = never
				}
				return errors.Join(leader.Sentinel.Start(ctx), s.back(ctx, s.Active))
			},
			Promises: []Promise{nowhere(inFlight), timely(retried, 5*time.Second), settled(20 * time.Second)},
		},
		{
			Name: "sentinel-script", Title: "nothing happens to three hosts but that the VIP is taken off the master five times, and Sentinel's script run there",
			Setup: trio,
			Make: func(ctx context.Context, s *Stage) error {
				var runs []time.Duration
				for range 5 {
					if err := s.Active.RemoveAddress(s.VIP); err != nil {
						return err
					}
					start := time.Now()
					if _, err := s.Active.Script(ctx, arguments(s.Standby, s.Active)...); err != nil {
						return err
					}
					runs = append(runs, time.Since(start))
				}
				slices.Sort(runs)
				s.Times[script] = runs[len(runs)/2]
				return nil
			},
			Promises: []Promise{lost(0), timely(script, time.Second), settled(5 * time.Second)},
		},
	}
	return append(list, nonsense()...)
}

// nonsense is what Sentinel's script is called with although it is not so.
func nonsense() (list []Scenario) {
	for _, call := range []struct {
		name, title string
		args        func(*Stage) []string
	}{
		{"nothing", "no arguments", func(*Stage) []string { return nil }},
		{"name", "a host name for the new master", func(s *Stage) []string {
			return append(arguments(s.Standby, s.Active)[:5], s.Active.Name, "6379")
		}},
		{"empty", "an empty address for the new master", func(s *Stage) []string {
			return append(arguments(s.Standby, s.Active)[:5], "", "6379")
		}},
		{"stale", "a failover that is long over, as in a late retry", func(s *Stage) []string { return arguments(s.Active, s.Standby) }},
	} {
		list = append(list, Scenario{
			Name: "sentinel-nonsense-" + call.name, Title: "Sentinel's script is called on all three hosts with " + call.title,
			Setup: Setup{Trio: true},
			Make: func(ctx context.Context, s *Stage) error {
				for _, n := range s.Nodes {
					if _, err := n.Script(ctx, call.args(s)...); err != nil {
						return err
					}
				}
				return nil
			},
			Promises: []Promise{lost(0), outage(time.Second), still, settled(5 * time.Second)},
		})
	}
	return list
}

// arguments are those of the script after a failover.
func arguments(from, to *site.Node) []string {
	return []string{"mymaster", "observer", "start", from.IP().String(), "6379", to.IP().String(), "6379"}
}

// elsewhere waits until another node than the active one alone has the VIP and takes
// writes. What never comes is no error here, but in the end.
func (s *Stage) elsewhere(ctx context.Context) error {
	return s.within(ctx, patience, elsewhere, func(ctx context.Context) error {
		if err := netlab.Until(ctx, func(context.Context) error {
			if now, err := s.Holder(); err != nil {
				return err
			} else if now == s.Active {
				return errors.New("the VIP has not moved")
			}
			return nil
		}); err != nil {
			return err
		}
		return s.Book.WaitAcknowledged(ctx, after/3)
	})
}

// said waits for what a Sentinel says of the fault.
func (s *Stage) said(ctx context.Context, text string) (netlab.Entry, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	return s.Journal.Wait(ctx, func(e netlab.Entry) bool {
		return e.Identifier == "redis-sentinel" && e.At.After(s.began) && strings.Contains(e.Message, text)
	})
}

// switched waits until the first Sentinel names another master, and returns when.
func (s *Stage) switched(ctx context.Context) (time.Time, error) {
	e, err := s.said(ctx, "+switch-master mymaster")
	return e.At, err
}
