package main

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"redis-vip/examples/lab/netlab"
	"redis-vip/examples/lab/site"
)

// fill gives a node keys of its own, as a master that it is no more afterwards: it
// restarts with them as a replica of nobody.
func fill(t *testing.T, ctx context.Context, n *site.Node, keys int) {
	t.Helper()
	if err := n.Redis.SlaveOf(ctx, "NO", "ONE").Err(); err != nil {
		t.Fatal(err)
	}
	pipe := n.Redis.Pipeline()
	for i := range keys {
		pipe.Set(ctx, fmt.Sprintf("%s:%d", n.Name, i), i, 0)
	}
	pipe.Save(ctx)
	if _, err := pipe.Exec(ctx); err != nil {
		t.Fatal(err)
	}
	if err := n.Redis.Restart(ctx); err != nil {
		t.Fatal(err)
	}
	if err := n.Redis.WaitAnswering(ctx); err != nil {
		t.Fatal(err)
	}
}

// A first start in which `sentinel monitor` names an empty host, and others have the
// data. The Sentinels know nobody else, and nobody copies from a replica of nobody: it
// ends in service all the same, with the data, and without an operator.
func TestTrioFirstStartWithTheDataElsewhere(t *testing.T) {
	t.Parallel()
	ctx, trio := prepare(t, site.Trio, site.Options{Timer: true})
	for _, n := range trio.Nodes {
		if err := n.Redis.Start(ctx); err != nil {
			t.Fatal(err)
		}
		if err := n.Redis.WaitAnswering(ctx); err != nil {
			t.Fatal(err)
		}
	}
	const keys = 5000
	fill(t, ctx, trio.Nodes[1], keys)
	began := time.Now()
	for _, n := range trio.Nodes {
		if err := n.Sentinel.Start(ctx); err != nil {
			t.Fatal(err)
		}
		if err := n.Timer.Start(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if err := netlab.Until(ctx, func(ctx context.Context) error {
		n, err := trio.Holder()
		if err != nil {
			return err
		}
		return n.Redis.Set(ctx, "new", "write", 0).Err()
	}); err != nil {
		t.Fatal(err)
	}
	t.Logf("service after %v", time.Since(began))
	if took := time.Since(began); took > 30*time.Second {
		t.Errorf("service only after %v", took)
	}
	master := holder(t, trio)
	if n, err := master.Redis.DBSize(ctx).Result(); err != nil || n != keys+1 {
		t.Errorf("%s has %d keys of %d, %v", master.Name, n, keys+1, err)
	}
	if err := trio.WaitReady(ctx); err != nil {
		t.Error(err)
	}
	// What the operator reads is told once, and none of it is an error of a node.
	for _, n := range trio.Nodes {
		lines := 0
		for _, e := range trio.Journal.All() {
			if e.Host == n.Name && e.Identifier == "sentinel-reconfig" {
				lines++
				if strings.Contains(e.Message, "NOGOODSLAVE") || strings.Contains(e.Message, "should be") {
					t.Errorf("%s: %s", n.Name, e.Message)
				}
			}
		}
		if lines > 8 {
			t.Errorf("%s has %d lines in the journal", n.Name, lines)
		}
	}
}
