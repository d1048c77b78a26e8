package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"redis-vip/examples/lab/netlab"
	"redis-vip/examples/lab/shell"
	"redis-vip/examples/lab/site"
)

// The intervals of examples/active-standby/keepalived.conf.
const fallTimesInterval = 2 * 2 * time.Second

// inFlight is what asynchronous replication may lose when Redis is killed: one write
// for each of the writers. Redis answers the clients of one turn of its event loop
// and feeds its replicas in no fixed order (networking.c,
// handleClientsWithPendingWrites), so a kill in between leaves answers behind that
// the replica has not seen.
const inFlight = 3

// Whenever in keepalived's interval Redis dies, the other node serves within
// fall x interval and a second, with everything that was acknowledged.
func TestPairRedisKilled(t *testing.T) {
	for phase := range 4 {
		t.Run(fmt.Sprint(phase), func(t *testing.T) {
			t.Parallel()
			ctx, pair := start(t, site.Pair, site.Options{})
			report, missing := failover(t, ctx, pair, func(ctx context.Context, active *site.Node) error {
				// The check runs every two seconds; this is the spread over them.
				time.Sleep(time.Duration(phase) * 500 * time.Millisecond)
				return active.Redis.Kill(ctx)
			})
			if outage := report.Outage.Duration(); outage > fallTimesInterval+time.Second {
				t.Errorf("outage %v, want at most %v", outage, fallTimesInterval+time.Second)
			}
			if len(missing) > inFlight {
				t.Errorf("%d acknowledged writes are lost, the first is %s", len(missing), missing[0])
			}
			// The dead one comes back as a replica.
			dead := pair.Others(holder(t, pair))[0]
			if err := dead.Redis.Start(ctx); err != nil {
				t.Fatal(err)
			}
			if err := pair.WaitReady(ctx); err != nil {
				t.Error(err)
			}
		})
	}
}

func holder(t *testing.T, s *site.Site) *site.Node {
	t.Helper()
	n, err := s.Holder()
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// A planned stop costs no more than with shell hooks on the same machine at the
// same time.
func TestPairKeepalivedStopped(t *testing.T) {
	t.Parallel()
	const slack = 300 * time.Millisecond
	stop := func(ctx context.Context, active *site.Node) error { return active.Keepalived.Stop(ctx) }
	var ours, theirs time.Duration
	var both sync.WaitGroup
	ctx, pair := start(t, site.Pair, site.Options{})
	shellCtx, shellPair := start(t, site.Pair, shell.Options())
	both.Go(func() {
		report, missing := failover(t, ctx, pair, stop)
		ours = report.Outage.Duration()
		if len(missing) > 0 {
			t.Errorf("%d acknowledged writes are lost", len(missing))
		}
	})
	both.Go(func() {
		report, _ := failover(t, shellCtx, shellPair, stop)
		theirs = report.Outage.Duration()
	})
	both.Wait()
	if ours > theirs+slack {
		t.Errorf("outage %v, with shell hooks %v", ours, theirs)
	}
}

// hook runs one of our programs as keepalived does.
func hook(ctx context.Context, n *site.Node, program string) (netlab.Status, error) {
	return n.Run(ctx, netlab.Command{
		Args: []string{"/usr/lib/redis-vip/" + program}, User: "redis-vip", Group: "redis", Umask: 0o177, Capture: true,
	})
}

// bare is a pair of Redis servers without keepalived, the second a replica of the
// first, which has the VIP: a test plays keepalived's part.
func bare(t *testing.T) (context.Context, *site.Site) {
	t.Helper()
	ctx, pair := prepare(t, site.Pair, site.Options{})
	for _, n := range pair.Nodes {
		if err := n.Redis.Start(ctx); err != nil {
			t.Fatal(err)
		}
		if err := n.Redis.WaitAnswering(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if err := pair.Nodes[0].AddAddress(pair.VIP); err != nil {
		t.Fatal(err)
	}
	succeed(t, ctx, nil, pair.Nodes[0])
	follow(t, ctx, pair.Nodes[1], pair.Nodes[0])
	return ctx, pair
}

// follow makes a node a replica of another by hand, and waits for the link.
func follow(t *testing.T, ctx context.Context, n, master *site.Node) {
	t.Helper()
	if err := n.Redis.SlaveOf(ctx, master.IP().String(), "6379").Err(); err != nil {
		t.Fatal(err)
	}
	if err := n.Redis.WaitFollowing(ctx, master.Endpoint()); err != nil {
		t.Fatal(err)
	}
}

// succeed makes a node a master by hand, out of the history of old, if that is one.
func succeed(t *testing.T, ctx context.Context, old, n *site.Node) {
	t.Helper()
	if old != nil {
		if err := old.Redis.SlaveOf(ctx, "NO", "ONE").Err(); err != nil {
			t.Fatal(err)
		}
		follow(t, ctx, n, old)
	}
	if err := n.Redis.SlaveOf(ctx, "NO", "ONE").Err(); err != nil {
		t.Fatal(err)
	}
}

// settled expects that role and configuration file of a node are what the VIP
// asks for. With the include, the file names no node of the group, whatever the role:
// CONFIG REWRITE of a replica would.
func settled(t *testing.T, ctx context.Context, n *site.Node, vip bool, other *site.Node) {
	t.Helper()
	role, err := n.Redis.Role(ctx)
	if err != nil {
		t.Fatal(err)
	}
	facts, err := n.Redis.Facts(ctx)
	if err != nil {
		t.Fatal(err)
	}
	conf, err := n.ReadFile(site.RedisConf)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(conf), "\nreplicaof 192.168.") {
		t.Errorf("%s: redis.conf names a master", n.Name)
	}
	switch {
	case vip && role != "master":
		t.Errorf("%s: the VIP is here; the role is %s", n.Name, role)
	case !vip && (role != "slave" || facts["master_host"] != other.IP().String()):
		t.Errorf("%s: the VIP is not here; the role is %s, of %s", n.Name, role, facts["master_host"])
	}
}

// Twenty hooks on either node in random order while the address goes back and
// forth: in the end the address decides, and no run fails.
func TestPairTwentyHooksAtOnce(t *testing.T) {
	for round := range 4 {
		t.Run(fmt.Sprint(round), func(t *testing.T) {
			t.Parallel()
			ctx, pair := bare(t)
			var running sync.WaitGroup
			holder := 0
			for i := range 20 {
				if i == 19 && holder != round%2 || i < 19 && rand.IntN(2) == 0 {
					if err := pair.Nodes[holder].RemoveAddress(pair.VIP); err != nil {
						t.Fatal(err)
					}
					holder = 1 - holder
					if err := pair.Nodes[holder].AddAddress(pair.VIP); err != nil {
						t.Fatal(err)
					}
				}
				for _, n := range pair.Nodes {
					program := []string{"notify-master", "notify-backup"}[rand.IntN(2)]
					running.Go(func() {
						if status, err := hook(ctx, n, program); err != nil || status.Code != 0 {
							t.Errorf("%s on %s: %v %v %s", program, n.Name, status, err, status.Stderr)
						}
					})
				}
			}
			running.Wait()
			settled(t, ctx, pair.Nodes[holder], true, pair.Nodes[1-holder])
			settled(t, ctx, pair.Nodes[1-holder], false, pair.Nodes[holder])
		})
	}
}

// A hook that is killed at any moment, and run again, comes to the same end.
func TestPairHookKilled(t *testing.T) {
	for _, vip := range []bool{true, false} {
		t.Run(fmt.Sprintf("VIP here %v", vip), func(t *testing.T) {
			t.Parallel()
			ctx, pair := bare(t)
			other, n := pair.Nodes[0], pair.Nodes[1]
			if vip {
				other, n = n, other
			}
			for moment := range 20 {
				// Each round begins with the node in the role that it is to leave, and
				// all the steps before it: the VIP is on the first node.
				succeed(t, ctx, n, other)
				if vip {
					follow(t, ctx, n, other)
				}
				p, err := n.Start(ctx, netlab.Command{
					Args: []string{"/usr/lib/redis-vip/notify-backup"}, User: "redis-vip", Group: "redis", Umask: 0o177,
				})
				if err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Duration(moment) * time.Millisecond)
				if p.Running() {
					p.Signal(syscall.SIGKILL)
				}
				if _, err := p.Wait(ctx); err != nil {
					t.Fatal(err)
				}
				if status, err := hook(ctx, n, "notify-master"); err != nil || status.Code != 0 {
					t.Fatalf("again: %v %v %s", status, err, status.Stderr)
				}
				settled(t, ctx, n, vip, other)
				settled(t, ctx, other, !vip, n)
			}
		})
	}
}

// An address that swallows everything costs redis-check its deadline and no more.
func TestPairCheckOfABlackHole(t *testing.T) {
	t.Parallel()
	const timeout, slack = 500 * time.Millisecond, 50 * time.Millisecond
	ctx, pair := bare(t)
	if err := pair.Isolate(pair.Nodes[0].Host); err != nil {
		t.Fatal(err)
	}
	// The client asks the first node as if it were its own.
	if err := pair.Client.WriteFile(netlab.File{Path: "/usr/bin/redis-check", Content: read(t, programs+"/redis-check"), Mode: 0o755}); err != nil {
		t.Fatal(err)
	}
	address := pair.Nodes[0].IP().String()
	best := limit
	for try := 0; try < 10 && best > timeout+slack; try++ { // the machine is busy with other labs
		start := time.Now()
		status, err := pair.Client.Run(ctx, netlab.Command{Capture: true, Args: []string{
			"/usr/bin/redis-check", "--nodes", address, "--node", address, "--timeout", timeout.String(),
		}})
		took := time.Since(start)
		if err != nil || status.Code != 1 {
			t.Fatalf("%v %v %s", status, err, status.Stderr)
		}
		if took < timeout {
			t.Errorf("gave up after %v", took)
		}
		best = min(best, took)
	}
	if best > timeout+slack {
		t.Errorf("took %v, the time-out is %v", best, timeout)
	}
}
