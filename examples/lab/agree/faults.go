package agree

import (
	"context"
	"errors"
	"fmt"

	"redis-vip/examples/lab/netlab"
	"redis-vip/examples/lab/site"
	"redis-vip/examples/sim/world"
)

// What fault.go of the model does to its hosts, done to real ones.

// host is the one of a number in the model: the nodes, the clients, the witness, the
// gateway.
func (p *player) host(number int) *netlab.Host {
	var hosts []*netlab.Host
	for _, n := range p.Nodes {
		hosts = append(hosts, n.Host)
	}
	hosts = append(hosts, p.Client, p.Host(client2.Name))
	if p.Witness != nil {
		return append(hosts, p.Witness.Host)[number]
	}
	return append(hosts, p.Host("gateway"))[number]
}

// node is a node, or the witness.
func (p *player) node(number int) *site.Node {
	if number < len(p.Nodes) {
		return p.Nodes[number]
	}
	return p.Witness
}

// begin makes the fault.
func (p *player) begin(ctx context.Context, f world.Fault) error {
	n := p.node(f.On)
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
		return errors.Join(signal(ctx, n, "STOP", "-x", "keepalived"), signal(ctx, n, "KILL", "-x", "keepalived"))
	case world.KeepalivedFrozen:
		return signal(ctx, n, "STOP", "-x", "keepalived")
	case world.HostFrozen:
		return errors.Join(p.Isolate(n.Host), signal(ctx, n, "STOP", "."))
	case world.PowerLoss:
		return p.PowerOff(ctx, n)
	case world.Reboot:
		for _, daemon := range []interface{ Stop(context.Context) error }{n.Keepalived, n.Redis} {
			if err := daemon.Stop(ctx); err != nil {
				return err
			}
		}
		return p.PowerOff(ctx, n)
	case world.Cut:
		return p.CutBoth(p.host(f.On), p.host(f.To))
	case world.CutOneWay:
		return p.Cut(p.host(f.On), p.host(f.To))
	case world.CutOff:
		return p.Isolate(p.host(f.On))
	case world.Promoted:
		return n.Redis.SlaveOf(ctx, "NO", "ONE").Err()
	case world.Unlinked:
		return n.Redis.SlaveOf(ctx, "127.0.0.1", "1").Err()
	case world.RingMade:
		return n.Redis.SlaveOf(ctx, p.Others(n)[0].IP().String(), "6379").Err()
	case world.HooksKilled:
		return signal(ctx, n, "KILL", "-f", "^/usr/(bin/redis-vip|lib/redis-vip/)")
	case world.SentinelKilled:
		return n.Sentinel.Kill(ctx)
	case world.SentinelFrozen:
		return n.Sentinel.Hang()
	case world.SentinelFailover:
		return n.Sentinel.Do(ctx, "SENTINEL", "FAILOVER", "mymaster").Err()
	}
	return fmt.Errorf("the lab cannot do this: kind %d", f.Kind)
}

// over ends it.
func (p *player) over(ctx context.Context, f world.Fault) error {
	n := p.node(f.On)
	switch f.Kind {
	case world.RedisKilled, world.RedisStopped:
		return n.Redis.Start(ctx)
	case world.RedisHangs:
		return n.Redis.Wake()
	case world.KeepalivedStopped, world.KeepalivedKilled:
		return n.Keepalived.Start(ctx)
	case world.KeepalivedFrozen:
		return signal(ctx, n, "CONT", "-x", "keepalived")
	case world.HostFrozen:
		return errors.Join(p.mend(n.Host), signal(ctx, n, "CONT", "."))
	case world.PowerLoss, world.Reboot:
		return p.PowerOn(ctx, n)
	case world.Cut, world.CutOneWay:
		return p.Heal(p.host(f.On), p.host(f.To))
	case world.CutOff:
		return p.mend(p.host(f.On))
	case world.SentinelKilled:
		return n.Sentinel.Start(ctx)
	case world.SentinelFrozen:
		return n.Sentinel.Wake()
	}
	return nil
}

// mend ends an Isolate.
func (p *player) mend(h *netlab.Host) (failed error) {
	for _, other := range p.Hosts() {
		if other != h {
			failed = errors.Join(failed, p.Heal(h, other))
		}
	}
	return failed
}

// signal signals the processes of a host by their names, wherever they come from. That
// there are none is no error. The host's first process, the lab's own, is never one.
func signal(ctx context.Context, n *site.Node, name string, match ...string) error {
	status, err := n.Run(ctx, netlab.Command{Args: append([]string{"pkill", "-" + name}, match...)})
	if err == nil && status.Code > 1 {
		err = fmt.Errorf("pkill on %s: %s", n.Name, status.Stderr)
	}
	return err
}
