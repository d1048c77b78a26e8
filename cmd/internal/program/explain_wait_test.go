package program_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"redis-vip/checks/node/nodetest"
)

// A Sentinel that is told to forget what it knows while it ends a failover goes back to the
// old master for good. So --wait does not end before that, nor before a Sentinel that was
// told so knows again whom it has to.
func TestExplainWaitsForTheSentinels(t *testing.T) {
	g := newTrio(t)
	g.waits(t, "10s")
	leader := g.lead(t)
	if code, out := g.explain(t, "--wait", "100ms"); code != 1 || !strings.Contains(flat(out), "still so: the Sentinel at "+leader.Addr.String()+" is in the middle of a failover") {
		t.Fatalf("exit %d: %s", code, out)
	}
	g.promoted.Do("ACL", "SETUSER", "default", "+psync")
	g.waits(t, "20s")
	nodetest.Eventually(t, "a look at a Sentinel that has just forgotten all", func() error {
		leader.Do("SENTINEL", "RESET", "default")
		code, out := g.explain(t, "--wait", "1ms")
		state := g.master(leader) // it may have heard from all in the meantime
		if state["num-slaves"] != "0" && state["num-other-sentinels"] == "2" {
			return fmt.Errorf("it knows all again: %v", state)
		}
		if code != 1 {
			t.Fatalf("exit %d: %s", code, out)
		}
		return nil
	})
	g.waits(t, "20s")
	for _, s := range g.sentinels {
		known := map[bool]string{true: "1", false: "2"}[s == leader] // it has forgotten the dead one
		if state := g.master(s); state["num-slaves"] != known || state["num-other-sentinels"] != "2" || state["port"] != fmt.Sprint(g.promoted.Addr.Port()) {
			t.Errorf("%s: %v", s.Addr, state)
		}
	}
}

// What it is that has to be waited for; and what mends it where nobody waited.
func TestExplainFindsASentinelAstray(t *testing.T) {
	g := newTrio(t)
	g.waits(t, "10s")
	leader := g.lead(t)
	leader.Do("SENTINEL", "RESET", "default")
	g.promoted.Do("ACL", "SETUSER", "default", "+psync")
	g.old.Start()
	g.old.Follow(g.promoted)
	nodetest.Eventually(t, "all but the Sentinel that was reset", func() error {
		for _, s := range g.sentinels {
			if state := g.master(s); state["num-other-sentinels"] != "2" || (state["num-slaves"] == "2") != (s != leader) {
				return fmt.Errorf("%s: %v", s.Addr, state)
			}
		}
		return nil
	})
	if ok := fmt.Sprint(leader.Do("SENTINEL", "CKQUORUM", "default")); !strings.HasPrefix(ok, "OK 3 usable Sentinels") {
		t.Errorf("CKQUORUM, which sees nothing of it: %s", ok)
	}
	code, out := g.explain(t, "--wait", "2s")
	contains(t, out, leader.Addr.String()+" names "+g.old.Addr.String(), "What to do: The Sentinel at "+leader.Addr.String()+" does not learn by itself", "redis-vip switchover default")
	if code != 1 {
		t.Errorf("exit %d", code)
	}
	other := g.sentinels[(slices.Index(g.sentinels, leader)+1)%3]
	if said := other.Do("SENTINEL", "FAILOVER", "default"); said != "OK" { // which a switchover sends
		t.Fatal(said)
	}
	nodetest.Eventually(t, "the Sentinel that has learnt better", func() error {
		if _, out := g.explain(t); strings.Contains(out, "does not learn") || strings.Contains(out, " names ") {
			return errors.New(out)
		}
		return nil
	})
}

// trio is a group under Sentinel whose failover takes as long as the test wants.
type trio struct {
	dir                  string
	args                 []string
	sentinels            []*nodetest.Server
	old, promoted, third *nodetest.Server
}

func newTrio(t *testing.T) *trio {
	t.Helper()
	g := &trio{dir: t.TempDir(), old: nodetest.Redis(t), promoted: nodetest.Redis(t, "replica-priority 1"), third: nodetest.Redis(t)}
	nodes := []*nodetest.Server{g.old, g.promoted, g.third}
	g.promoted.Follow(g.old)
	g.third.Follow(g.old)
	for range 3 {
		g.sentinels = append(g.sentinels, nodetest.Sentinel(t,
			fmt.Sprintf("sentinel monitor default 127.0.0.1 %d 2", g.old.Addr.Port()),
			// With 1000, one of twenty has a second failover, as the README of sentinel-vip says.
			"sentinel down-after-milliseconds default 2000", "sentinel failover-timeout default 60000"))
	}
	list := func(servers []*nodetest.Server) string {
		var names []string
		for _, s := range servers {
			names = append(names, s.Addr.String())
		}
		return strings.Join(names, ",")
	}
	g.args = []string{"--nodes", list(nodes), "--node", g.promoted.Addr.String(), "--sentinels", list(g.sentinels)}
	return g
}

func (g *trio) explain(t *testing.T, args ...string) (code int, out string) {
	t.Helper()
	return run(t, g.dir, "redis-vip", slices.Concat([]string{"explain"}, args, g.args)...)
}

func (g *trio) waits(t *testing.T, limit string) {
	t.Helper()
	began := time.Now()
	if code, out := g.explain(t, "--wait", limit); code != 0 {
		t.Fatalf("exit %d after %v: %s", code, time.Since(began), out)
	}
	t.Logf("at rest after %v", time.Since(began))
}

// lead kills the master, and returns the Sentinel that leads the failover, which does not
// end: the third node is not given what the promoted one has.
func (g *trio) lead(t *testing.T) (leader *nodetest.Server) {
	t.Helper()
	g.promoted.Do("ACL", "SETUSER", "default", "-psync", "-sync")
	g.old.Kill()
	nodetest.Eventually(t, "a Sentinel that leads", func() error {
		for _, s := range g.sentinels {
			if g.master(s)["failover-state"] == "reconf_slaves" {
				leader = s
				return nil
			}
		}
		return errors.New("none")
	})
	nodetest.Eventually(t, "the others", func() error {
		for _, s := range g.sentinels {
			if state := g.master(s); s != leader && state["port"] != fmt.Sprint(g.promoted.Addr.Port()) {
				return fmt.Errorf("%s: %v", s.Addr, state)
			}
		}
		return nil
	})
	return leader
}

// master is what a Sentinel says of the group.
func (g *trio) master(s *nodetest.Server) map[string]string {
	state := map[string]string{}
	switch said := s.Do("SENTINEL", "MASTER", "default").(type) {
	case map[any]any:
		for key, value := range said {
			state[fmt.Sprint(key)] = fmt.Sprint(value)
		}
	case []any:
		for i := 0; i+1 < len(said); i += 2 {
			state[fmt.Sprint(said[i])] = fmt.Sprint(said[i+1])
		}
	}
	return state
}
