// Package campaign makes random faults on labs that stay up, for as long as is wanted, and
// looks after each whether what the project promises holds again.
package campaign

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"redis-vip/examples/lab/netlab"
	"redis-vip/examples/lab/trouble"
	"redis-vip/examples/sim/world"
)

// kind is what can go wrong.
type kind struct {
	name string
	in   []world.Architecture // none: all
	seat seat

	// begin and end make a fault, and end it. For the model's kinds they are trouble's.
	begin, end func(context.Context, *lab, Fault) error
	model      world.Kind

	between    bool // two hosts
	everywhere bool // all nodes
	anyHost    bool // the witness may have it, too
	byHand     bool // somebody's mistake, rarer than others
	restless   bool // nothing comes of it unless something else happens: it never comes alone
}

// seat is the part of a host that a fault is of. One part has one fault at a time, and
// none beside one of the whole host.
type seat uint8

const (
	network seat = iota // has as many as there are cables
	host
	redisServer
	guard // keepalived or Sentinel
	programs
	disk
	clock
	order // given by hand, in a moment
)

var keepalived = []world.Architecture{world.Pair, world.Witness}

var kinds = []*kind{
	{name: "Redis is killed", seat: redisServer, model: world.RedisKilled},
	{name: "Redis is stopped", seat: redisServer, model: world.RedisStopped},
	{name: "Redis hangs", seat: redisServer, model: world.RedisHangs},
	{name: "keepalived is stopped", seat: guard, model: world.KeepalivedStopped, in: keepalived},
	{name: "keepalived is killed", seat: guard, model: world.KeepalivedKilled, in: keepalived},
	{name: "keepalived is frozen", seat: guard, model: world.KeepalivedFrozen, in: keepalived},
	{name: "keepalived's child dies", seat: guard, model: world.KeepalivedCrash, in: keepalived},
	{name: "Sentinel is killed", seat: guard, model: world.SentinelKilled, in: []world.Architecture{world.Sentinel}},
	{name: "Sentinel is frozen", seat: guard, model: world.SentinelFrozen, in: []world.Architecture{world.Sentinel}},
	{name: "SENTINEL FAILOVER by hand", seat: order, model: world.SentinelFailover, in: []world.Architecture{world.Sentinel}},
	{name: "a host is frozen", seat: host, model: world.HostFrozen, anyHost: true},
	{name: "power is lost", seat: host, model: world.PowerLoss, anyHost: true},
	{name: "power is lost everywhere", seat: host, begin: blackout, end: lights, everywhere: true},
	{name: "a host reboots", seat: host, model: world.Reboot},
	{name: "a cable is cut", seat: network, model: world.Cut, between: true},
	{name: "a cable is cut one way", seat: network, model: world.CutOneWay, between: true},
	{name: "packets are lost", seat: network, model: world.Lossy, between: true},
	{name: "a host is cut off", seat: network, model: world.CutOff, anyHost: true},
	{name: "the network is split", seat: network, begin: split, end: join},
	{name: "promoted by hand", seat: order, model: world.Promoted, byHand: true},
	{name: "unlinked by hand", seat: order, model: world.Unlinked, byHand: true},
	{name: "a ring, by hand", seat: order, model: world.RingMade, byHand: true},
	{name: "switched over", seat: order, begin: switchover, in: keepalived},
	{name: "maintenance", seat: order, begin: maintenance("on"), end: maintenance("off"), in: keepalived},
	{name: "a host's clock jumps", seat: clock, begin: jump, end: back},
	{name: "hooks killed half-way", seat: programs, begin: killHooks, restless: true},
	{name: "upgrade in flight", seat: programs, begin: upgrade, restless: true},
	{name: "the disk is full", seat: disk, begin: fill, end: empty, restless: true},
}

func (k *kind) possible(a world.Architecture) bool { return len(k.in) == 0 || slices.Contains(k.in, a) }

func kindOf(m world.Kind) *kind {
	return kinds[slices.IndexFunc(kinds, func(k *kind) bool { return k.begin == nil && k.model == m })]
}

// start makes the fault.
func (f Fault) start(ctx context.Context, l *lab) error {
	if f.kind.begin != nil {
		return f.kind.begin(ctx, l, f)
	}
	err := trouble.Begin(ctx, l.Site, f.world())
	if f.kind.seat == order && err != nil {
		l.Note("nobody heard it: %v", err) // a dead or hung Redis, or a Sentinel that cannot now
		err = nil
	}
	return err
}

// stop ends it.
func (f Fault) stop(ctx context.Context, l *lab) error {
	switch {
	case f.kind.end != nil:
		return f.kind.end(ctx, l, f)
	case f.kind.begin != nil:
		return nil
	}
	return trouble.End(ctx, l.Site, f.world())
}

func (f Fault) world() world.Fault {
	return world.Fault{Kind: f.kind.model, At: f.At, For: f.For, On: f.On, To: f.To}
}

// blackout takes the power from all nodes, and lights gives it back.
func blackout(ctx context.Context, l *lab, _ Fault) (failed error) {
	for _, n := range l.Nodes {
		failed = errors.Join(failed, l.PowerOff(ctx, n))
	}
	return failed
}

func lights(ctx context.Context, l *lab, _ Fault) (failed error) {
	for _, n := range l.Nodes {
		failed = errors.Join(failed, l.PowerOn(ctx, n))
	}
	return failed
}

// split leaves a node and one client in one half of the network, and all others in the
// other one: there are writers in both.
func split(_ context.Context, l *lab, f Fault) error { return l.between(f, l.CutBoth) }

func join(_ context.Context, l *lab, f Fault) error { return l.between(f, l.Heal) }

// between does something to each cable between the halves.
func (l *lab) between(f Fault, do func(a, b *netlab.Host) error) (failed error) {
	half := []*netlab.Host{l.Nodes[f.On].Host, trouble.Client2(l.Site)}
	for _, a := range half {
		for _, b := range l.Hosts() {
			if !slices.Contains(half, b) {
				failed = errors.Join(failed, do(a, b))
			}
		}
	}
	return failed
}

// String is the fault as the timeline has it.
func (f Fault) String() string {
	if f.kind.everywhere {
		return f.kind.name
	}
	text := fmt.Sprintf("%s: %s", hostName(f.on, f.On), f.kind.name)
	if f.kind.between {
		text += " to " + hostName(f.on, f.To)
	}
	return text
}

// hostName is what a host of an architecture is called that has this number in the model.
func hostName(a world.Architecture, number int) string {
	names := []string{"client", "client2", "gateway"}
	if a == world.Witness {
		names[2] = "witness"
	}
	if number < a.Nodes() {
		return fmt.Sprintf("redis%d", number+1)
	}
	return names[number-a.Nodes()]
}
