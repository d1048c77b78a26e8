package main

import (
	"context"
	"strings"
	"testing"

	"redis-vip/examples/lab/netlab"
	"redis-vip/examples/lab/site"
)

// lintOn runs redis-vip lint on a host, as root. There is no systemd in a lab of
// namespaces, which it says.
func lintOn(t *testing.T, ctx context.Context, n *site.Node) (code int, says string) {
	t.Helper()
	status, err := n.Run(ctx, netlab.Command{Args: []string{"/usr/bin/redis-vip", "lint", "--strict"}, Capture: true})
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status.Stderr) + string(status.Stdout)) {
		if !strings.HasPrefix(line, "note: not looked at: the units: ") {
			says += line
		}
	}
	return status.Code, says
}

// No false alarm: on the hosts of the examples, running, redis-vip lint finds nothing,
// neither in the files nor in what runs.
func TestLintFindsNothing(t *testing.T) {
	for name, build := range map[string]builder{"pair": site.Pair, "fast pair": site.Fast, "pair with a witness": site.Witnessed, "trio": site.Trio, "HAProxy": site.Proxied} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, s := start(t, build, site.Options{Timer: name == "trio" || name == "HAProxy"})
			for _, n := range s.Nodes {
				if code, says := lintOn(t, ctx, n); code != 0 || says != "" {
					t.Errorf("%s: exit %d:\n%s", n.Name, code, says)
				}
			}
		})
	}
}

// What no file shows.
func TestLintSeesWhatRuns(t *testing.T) {
	t.Parallel()
	ctx, pair := start(t, site.Pair, site.Options{})
	active := holder(t, pair)
	standby := pair.Others(active)[0]
	find := func(what, rule string) {
		t.Helper()
		if code, says := lintOn(t, ctx, active); code != 1 || !strings.Contains(says, "["+rule+"]") {
			t.Errorf("%s: exit %d:\n%s", what, code, says)
		}
	}
	if err := standby.AddAddress(pair.VIP); err != nil {
		t.Fatal(err)
	}
	find("the VIP on both hosts", "vip-twice")
	if err := standby.Redis.Hang(); err != nil {
		t.Fatal(err)
	}
	find("a standby that hangs", "node-unreachable")
}
