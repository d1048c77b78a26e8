package takeover

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"time"

	"redis-vip/examples/lab/netlab"
	"redis-vip/examples/lab/site"
)

// Fault is one way for the active host to lose the VIP.
type Fault struct {
	Name  string
	Title string
	Goal  time.Duration // for the median outage
	Lost  int           // how many acknowledged writes may be gone; see [InFlight]

	Make func(context.Context, *site.Site, *site.Node) error // on the active host
	Back func(context.Context, *site.Site, *site.Node) error // that host stands by again

	noticed entry // how keepalived says that it has found out
}

// InFlight is what asynchronous replication may lose where Redis dies: one write of each
// of the ledger's writers. Redis answers a client first, and sends the write to its
// replica after that.
const InFlight = 3

// Faults are those that the example is measured by.
var Faults = []Fault{
	{
		Name: "planned", Title: "redis-vip switchover", Goal: 300 * time.Millisecond,
		Make: func(ctx context.Context, _ *site.Site, active *site.Node) error {
			_, err := active.Output(ctx, "/usr/bin/redis-vip", "switchover", "mymaster")
			return err
		},
		Back:    func(context.Context, *site.Site, *site.Node) error { return nil },
		noticed: entry{text: entersFault, active: true},
	},
	{
		Name: "killed", Title: "kill -9 of Redis", Goal: time.Second, Lost: InFlight,
		Make:    func(ctx context.Context, _ *site.Site, active *site.Node) error { return active.Redis.Kill(ctx) },
		Back:    func(ctx context.Context, _ *site.Site, dead *site.Node) error { return dead.Redis.Start(ctx) },
		noticed: entry{text: entersFault, active: true},
	},
	{
		Name: "gone", Title: "the whole host gone", Goal: 1500 * time.Millisecond, Lost: InFlight,
		Make:    func(ctx context.Context, s *site.Site, active *site.Node) error { return s.PowerOff(ctx, active) },
		Back:    func(ctx context.Context, s *site.Site, dead *site.Node) error { return s.PowerOn(ctx, dead) },
		noticed: entry{text: hearsNothing},
	},
}

// entry is a line that keepalived or Redis logs.
type entry struct {
	text   *regexp.Regexp
	active bool // on the host that was the active one, not on the other
}

// What keepalived (vrrp.c, vrrp_scheduler.c) and Redis (replication.c) log.
var (
	entersFault   = regexp.MustCompile(`Entering FAULT STATE`)
	hearsNothing  = regexp.MustCompile(`Receive advertisement timeout`)
	entersAny     = regexp.MustCompile(`Entering (\w+) STATE`)
	masterEnabled = regexp.MustCompile(`MASTER MODE enabled`)
)

// WaitStandby waits until the pair is whole, and keepalived on the standby ready to take
// the VIP: a node that has come back is in FAULT until its checks have succeeded.
func WaitStandby(ctx context.Context, s *site.Site) error {
	return netlab.Until(ctx, func(ctx context.Context) error {
		if err := s.Ready(ctx); err != nil {
			return err
		}
		holder, err := s.Holder()
		if err != nil {
			return err
		}
		if standby := s.Standby(holder); state(s, standby.Name) != "BACKUP" {
			return fmt.Errorf("keepalived on %s is in %s", standby.Name, state(s, standby.Name))
		}
		return nil
	})
}

// state is the last that keepalived on a host has entered.
func state(s *site.Site, host string) string {
	for _, e := range slices.Backward(s.Journal.All()) {
		if at := entersAny.FindStringSubmatch(e.Message); e.Host == host && at != nil {
			return at[1]
		}
	}
	return "no state yet"
}
