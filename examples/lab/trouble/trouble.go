// Package trouble makes the simulator's faults on real hosts: what fault.go of the model
// does to its own, done to those of a lab.
package trouble

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"redis-vip/examples/lab/netlab"
	"redis-vip/examples/lab/site"
	"redis-vip/examples/sim/world"
)

// host is the one of a number in the model: the nodes, the clients, the witness or the
// gateway.
func host(s *site.Site, number int) *netlab.Host {
	var hosts []*netlab.Host
	for _, n := range s.Nodes {
		hosts = append(hosts, n.Host)
	}
	hosts = append(hosts, s.Client, Client2(s))
	if s.Witness != nil {
		return append(hosts, s.Witness.Host)[number]
	}
	return append(hosts, s.Host("gateway"))[number]
}

// node is a node, or the witness.
func node(s *site.Site, number int) *site.Node {
	if number < len(s.Nodes) {
		return s.Nodes[number]
	}
	return s.Witness
}

// Begin makes a fault.
func Begin(ctx context.Context, s *site.Site, f world.Fault) error {
	n := node(s, f.On)
	switch f.Kind {
	case world.RedisKilled:
		return n.Redis.Kill(ctx)
	case world.RedisStopped:
		return n.Redis.Stop(ctx)
	case world.RedisHangs:
		return n.Redis.Hang()
	case world.KeepalivedStopped:
		return n.Keepalived.Stop(ctx)
	case world.KeepalivedKilled:
		// Alone: what it has started goes on. Both processes at once: a child that survives
		// its parent takes the VIP away.
		return errors.Join(Signal(ctx, n, "STOP", "-x", "keepalived"), Signal(ctx, n, "KILL", "-x", "keepalived"))
	case world.KeepalivedFrozen:
		return Signal(ctx, n, "STOP", "-x", "keepalived")
	case world.KeepalivedCrash:
		return Signal(ctx, n, "KILL", "-n", "-x", "keepalived") // the newest: the child
	case world.HostFrozen:
		return errors.Join(s.Isolate(n.Host), Signal(ctx, n, "STOP", "."))
	case world.PowerLoss:
		return s.PowerOff(ctx, n)
	case world.Reboot:
		for _, service := range slices.Backward(n.Services()) {
			if err := service.Stop(ctx); err != nil {
				return err
			}
		}
		return s.PowerOff(ctx, n)
	case world.Cut:
		return s.CutBoth(host(s, f.On), host(s, f.To))
	case world.Lossy:
		return s.Lose(host(s, f.On), host(s, f.To))
	case world.CutOneWay:
		return s.Cut(host(s, f.On), host(s, f.To))
	case world.CutOff:
		return s.Isolate(host(s, f.On))
	case world.Promoted:
		return n.Redis.SlaveOf(ctx, "NO", "ONE").Err()
	case world.Unlinked:
		return n.Redis.SlaveOf(ctx, "127.0.0.1", "1").Err()
	case world.RingMade:
		return n.Redis.SlaveOf(ctx, s.Others(n)[0].IP().String(), "6379").Err()
	case world.HooksKilled:
		return Signal(ctx, n, "KILL", "-f", "^/usr/(bin/redis-vip|lib/redis-vip/)")
	case world.SentinelKilled:
		return n.Sentinel.Kill(ctx)
	case world.SentinelFrozen:
		return n.Sentinel.Hang()
	case world.SentinelFailover:
		return n.Sentinel.Do(ctx, "SENTINEL", "FAILOVER", "mymaster").Err()
	}
	return fmt.Errorf("the lab cannot do this: kind %d", f.Kind)
}

// End ends it.
func End(ctx context.Context, s *site.Site, f world.Fault) error {
	n := node(s, f.On)
	switch f.Kind {
	case world.RedisKilled, world.RedisStopped:
		return n.Redis.Start(ctx)
	case world.RedisHangs:
		return n.Redis.Wake()
	case world.KeepalivedStopped, world.KeepalivedKilled:
		return n.Keepalived.Start(ctx)
	case world.KeepalivedFrozen:
		return Signal(ctx, n, "CONT", "-x", "keepalived")
	case world.HostFrozen:
		return errors.Join(mend(s, n.Host), Signal(ctx, n, "CONT", "."))
	case world.PowerLoss, world.Reboot:
		return s.PowerOn(ctx, n)
	case world.Cut, world.CutOneWay, world.Lossy:
		return s.Heal(host(s, f.On), host(s, f.To))
	case world.CutOff:
		return mend(s, host(s, f.On))
	case world.SentinelKilled:
		return n.Sentinel.Start(ctx)
	case world.SentinelFrozen:
		return n.Sentinel.Wake()
	}
	return nil
}

// mend ends an Isolate.
func mend(s *site.Site, h *netlab.Host) (failed error) {
	for _, other := range s.Hosts() {
		if other != h {
			failed = errors.Join(failed, s.Heal(h, other))
		}
	}
	return failed
}

// Signal signals the processes of a host by their names, wherever they come from. That
// there are none is no error. The host's first process, the lab's own, is never one.
func Signal(ctx context.Context, n *site.Node, name string, match ...string) error {
	status, err := n.Run(ctx, netlab.Command{Args: append([]string{"pkill", "-" + name}, match...)})
	if err == nil && status.Code > 1 {
		err = fmt.Errorf("pkill on %s: %s", n.Name, status.Stderr)
	}
	return err
}
