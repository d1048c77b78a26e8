package trouble

import (
	"context"
	"fmt"
	"net/netip"

	"redis-vip/examples/lab/fault"
	"redis-vip/examples/lab/netlab"
	"redis-vip/examples/lab/site"
	"redis-vip/examples/sim/world"
)

// client2 is the second host that writes. The model has one client on each.
var client2 = netlab.Plan{Name: "client2", Addresses: []netip.Prefix{netip.MustParsePrefix("192.168.0.102/24")}}

// Client2 is the second host that writes.
func Client2(s *site.Site) *netlab.Host { return s.Host(client2.Name) }

// Build sets up what the model begins with, with our programs of a folder; env is
// added to the environment of the nodes' daemons. Nothing is started. The site must be
// closed.
func Build(ctx context.Context, u world.Setup, programs string, env ...string) (*site.Site, error) {
	build := site.Pair
	switch u.Architecture {
	case world.Sentinel:
		build = site.Trio
	case world.Witness:
		build = site.Witnessed
	}
	options := setup(u).Site(fault.Options{Hooks: fault.Ours, Programs: programs})
	options.Extra = append(options.Extra, client2)
	options.Env = env
	return build(ctx, options)
}

// setup is the model's in the lab's terms.
func setup(u world.Setup) fault.Setup {
	return fault.Setup{
		Redis: fmt.Sprintf("%s\nrepl-backlog-size %d", map[world.Persistence]string{
			world.NoPersistence: `save ""`,
			world.Snapshots:     "",
			world.AppendOnly:    "appendonly yes",
		}[u.Persistence], u.Backlog),
		Gateway: u.Gateway, Witness: u.Architecture == world.Witness, Trio: u.Architecture == world.Sentinel,
	}
}
