package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"testing"

	"redis-vip/examples/lab/fault"
	"redis-vip/examples/lab/netlab"
	"redis-vip/examples/lab/site"
)

// pinned finds the line that Sentinel's CONFIG REWRITE appends for a replica, below
// the include: the next start copies that master's data before any program can look.
var pinned = regexp.MustCompile(`(?m)^replicaof 192\.168\.`)

// Power is lost on all hosts. The replica has saved more than the master, boots later,
// and was sent to that master by Sentinel, which had its configuration rewritten: what
// only the replica has is on the master in the end, or in a file.
func TestTrioReplicaHasSavedMore(t *testing.T) {
	ctx, trio := timed(t)
	first := holder(t, trio)
	if err := netlab.Until(ctx, func(ctx context.Context) error {
		return first.Sentinel.Do(ctx, "SENTINEL", "FAILOVER", "mymaster").Err()
	}); err != nil {
		t.Fatal(err)
	}
	movedFrom(t, ctx, trio, first)
	if err := trio.WaitReady(ctx); err != nil {
		t.Fatal(err)
	}
	// Sentinel has rewritten the file of the third: it sends replicas there itself.
	master := holder(t, trio)
	var replica *site.Node
	for _, n := range trio.Others(master) {
		if n != first {
			replica = n
		}
	}
	if err := netlab.Until(ctx, func(context.Context) error {
		for _, n := range trio.Nodes {
			if conf, err := n.ReadFile(site.RedisConf); err != nil {
				return err
			} else if pinned.Match(conf) {
				return fmt.Errorf("%s would boot as a replica of another node", n.Name)
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}

	const keys = 100
	save := func(n *site.Node) {
		t.Helper()
		if err := n.Redis.Save(ctx).Err(); err != nil {
			t.Fatal(err)
		}
	}
	if err := master.Redis.Set(ctx, "early", 1, 0).Err(); err != nil {
		t.Fatal(err)
	}
	save(master)
	for i := range keys {
		if err := master.Redis.Set(ctx, fmt.Sprint("late:", i), i, 0).Err(); err != nil {
			t.Fatal(err)
		}
	}
	if err := netlab.Until(ctx, func(ctx context.Context) error {
		if n, err := replica.Redis.DBSize(ctx).Result(); err != nil || n < keys {
			return fmt.Errorf("%d keys, %w", n, err)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	save(replica)
	var failed error
	for _, n := range trio.Nodes {
		failed = errors.Join(failed, n.Redis.Kill(ctx))
	}
	if failed = errors.Join(failed, master.Redis.Start(ctx)); failed != nil {
		t.Fatal(failed)
	}
	if err := netlab.Until(ctx, func(ctx context.Context) error {
		return master.Redis.Set(ctx, "back", 1, 0).Err()
	}); err != nil {
		t.Fatal(err)
	}
	for _, n := range trio.Others(master) {
		if err := n.Redis.Start(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if err := trio.WaitReady(ctx); err != nil {
		t.Fatal(err)
	}
	kept, err := fault.Preserved(ctx, trio)
	if err != nil {
		t.Fatal(err)
	}
	now := holder(t, trio)
	lost, saved := 0, 0
	for i := range keys {
		key := fmt.Sprint("late:", i)
		n, err := now.Redis.Exists(ctx, key).Result()
		switch {
		case err != nil:
			t.Fatal(err)
		case n == 0 && kept[key]:
			saved++
		case n == 0:
			lost++
		}
	}
	t.Logf("of %d writes that only %s had, %d are preserved and %d lost", keys, replica.Name, saved, lost)
	if lost > 0 {
		t.Errorf("%d writes are lost", lost)
	}
}
