package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"redis-vip/examples/lab/netlab"
	"redis-vip/examples/lab/site"
)

// After a failover both hosts tell of it where there is no journal: who did what and
// why in the history, written by keepalived's user and read by root; and as metrics,
// which any other user reads.
func TestPairTellsOfAFailover(t *testing.T) {
	t.Parallel()
	ctx, pair := start(t, site.Pair, site.Options{Edit: map[string]func([]byte) []byte{
		site.KeepalivedConf: func(conf []byte) []byte {
			return bytes.Replace(conf, []byte("redis-check --heal"), []byte("redis-check --heal --textfile /run/redis-vip"), 1)
		},
	}})
	old := holder(t, pair)
	failover(t, ctx, pair, func(ctx context.Context, active *site.Node) error { return active.Redis.Kill(ctx) })

	told := func(n *site.Node, wanted ...string) {
		t.Helper()
		for _, want := range wanted {
			if err := netlab.Until(ctx, func(context.Context) error {
				if list := transitions(t, ctx, n); !strings.Contains(list, want) {
					return fmt.Errorf("%s: no %q in\n%s", n.Name, want, list)
				}
				return nil
			}); err != nil {
				t.Fatal(err)
			}
		}
	}
	told(holder(t, pair), "redis-check fit→fit candidate", "notify-master replica→master master done")
	told(old, "redis-check fit→unfit unreachable")

	for n, want := range map[*site.Node][]string{
		holder(t, pair): {`redis_vip_fit{%s} 1`, `redis_vip_role{%s,role="master"} 1`, `redis_vip_vip_here{%s} 1`},
		old:             {`redis_vip_fit{%s} 0`, `redis_vip_reason_info{%s,reason="unreachable"} 1`, `redis_vip_vip_here{%s} 0`},
	} {
		about := fmt.Sprintf(`group="mymaster",node=%q`, n.Endpoint())
		if err := netlab.Until(ctx, func(context.Context) error {
			text := output(t, ctx, n, "nobody", "cat", "/run/redis-vip/redis-vip-mymaster.prom")
			for _, line := range want {
				if line = fmt.Sprintf(line, about); !strings.Contains(text, line+"\n") {
					return fmt.Errorf("%s: no %s in\n%s", n.Name, line, text)
				}
			}
			return nil
		}); err != nil {
			t.Error(err)
		}
	}
}

// transitions is the history of a node, a line for each: program from→to reason outcome.
func transitions(t *testing.T, ctx context.Context, n *site.Node) string {
	t.Helper()
	var entries []struct{ Program, From, To, Reason, Outcome string }
	text := output(t, ctx, n, "", "/usr/bin/redis-vip", "history", "--json")
	if err := json.Unmarshal([]byte(text), &entries); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	var lines strings.Builder
	for _, e := range entries {
		fmt.Fprintf(&lines, "%s %s→%s %s %s\n", e.Program, e.From, e.To, e.Reason, e.Outcome)
	}
	return lines.String()
}

// output runs a program on the node to its end.
func output(t *testing.T, ctx context.Context, n *site.Node, user string, args ...string) string {
	t.Helper()
	status, err := n.Run(ctx, netlab.Command{Args: args, User: user, Capture: true})
	if err == nil && status.Code != 0 {
		err = errors.New(string(status.Stderr))
	}
	if err != nil {
		t.Fatalf("%s: %v: %v", n.Name, args, err)
	}
	return string(status.Stdout)
}
