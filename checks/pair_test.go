package checks_test

import (
	"net/netip"
	"testing"
	"time"

	"redis-vip/checks"
	"redis-vip/checks/node"
)

// Both nodes judge the same situation. What must never be is never.
func TestPairNeverBothUnfit(t *testing.T) {
	failures := 0
	fail := func(s situation, v [2]checks.Verdict, what string) {
		if failures++; failures <= 20 {
			t.Errorf("%s: %s\n  a: %+v\n  b: %+v", what, s, v[0], v[1])
		}
	}
	n := each(func(s situation) {
		var v [2]checks.Verdict
		for i := range 2 {
			v[i] = checks.Judge(s.facts(i), policy)
		}
		old := s.uptime[0] >= 2*bootWait && s.uptime[1] >= 2*bootWait
		switch {
		case v[0].Reason == checks.Undecided || v[1].Reason == checks.Undecided:
			fail(s, v, "no verdict")
		case old && !v[0].Fit && !v[1].Fit && (canServe(s.states[0]) || canServe(s.states[1])):
			fail(s, v, "nobody is fit")
		case v[0].Reason == checks.Rogue && v[1].Reason == checks.Rogue:
			fail(s, v, "both yield")
		case v[0].Fit && v[1].Fit && s.states[0] == master && s.states[1] == master && s.vip != onBoth:
			fail(s, v, "two masters, and both stay")
		}
		for i := range 2 {
			if s.states[i] == linked && s.states[1-i] == master && !s.here(i) && (!v[i].Fit || v[i].Drift) {
				fail(s, v, "a healthy standby is unfit")
			}
			if s.states[i] == master && s.states[1-i] == linked && !v[i].Fit {
				fail(s, v, "a healthy master is unfit")
			}
			if v[i].Fit && !canServe(s.states[i]) {
				fail(s, v, "fit, and cannot serve")
			}
			// nopreempt: whoever comes back never takes over from a live master with data.
			returning := s.states[i] == nobodys || s.states[i] == unlinked || s.states[i] == lost
			if returning && s.states[1-i] == master && s.keys[1-i] > 0 && v[i].Fit {
				fail(s, v, "a returning node would take over from a live master")
			}
			// An empty node that came up by itself never wins against data.
			if returning && s.states[i] != lost && s.keys[i] == 0 && canServe(s.states[1-i]) && s.keys[1-i] > 0 && v[i].Fit {
				fail(s, v, "an empty node would win against data")
			}
		}
	})
	t.Logf("%d situations, %d failures", n, failures)
}

func TestRankIsSymmetric(t *testing.T) {
	each(func(s situation) {
		a, b := s.node(0), s.node(1)
		for _, vip := range []*checks.Node{nil, &a, &b} {
			d, ground := checks.Rank(a, b, vip, bootWait)
			back, why := checks.Rank(b, a, vip, bootWait)
			if d != -back || ground != why || d == 0 {
				t.Fatalf("%s: %d by %v, and back %d by %v", s, d, ground, back, why)
			}
		}
	})
}

// The cases that have a name.
func TestPair(t *testing.T) {
	const young, old = 2 * time.Second, time.Minute
	both := func(a, b state) [2]state { return [2]state{a, b} }
	for name, test := range map[string]struct {
		s      situation
		reason checks.Reason
		drift  bool
	}{
		"the standby boots first after a power loss": {
			situation{states: both(nobodys, silent), keys: [2]int64{10, 0}, uptime: [2]time.Duration{young, 0}, memory: [2]int{1, 0}},
			checks.Waiting, false,
		},
		"and nobody else ever comes": {
			situation{states: both(nobodys, silent), keys: [2]int64{10, 0}, uptime: [2]time.Duration{old, 0}, memory: [2]int{1, 0}},
			checks.Alone, false,
		},
		"the last master, whose standby was gone, boots first": {
			situation{states: both(nobodys, silent), keys: [2]int64{10, 0}, uptime: [2]time.Duration{young, 0}, memory: [2]int{3, 0}},
			checks.Alone, false,
		},
		"a master that may have been succeeded boots first": {
			situation{states: both(nobodys, silent), keys: [2]int64{10, 0}, uptime: [2]time.Duration{young, 0}, memory: [2]int{2, 0}},
			checks.Waiting, false,
		},
		"and waits less once the other one is there with no more": {
			situation{states: both(nobodys, nobodys), keys: [2]int64{10, 10}, uptime: [2]time.Duration{11 * time.Second, 11 * time.Second}, memory: [2]int{2, 1}},
			checks.Alone, false,
		},
		"which waits for it": {
			situation{states: both(nobodys, nobodys), keys: [2]int64{10, 10}, uptime: [2]time.Duration{bootWait + time.Second, bootWait + time.Second}, memory: [2]int{1, 2}},
			checks.Waiting, false,
		},
		"the last master lost its data": {
			situation{states: both(nobodys, silent), uptime: [2]time.Duration{young, 0}, memory: [2]int{3, 0}},
			checks.Waiting, false,
		},
		"both boot, this was the standby": {
			situation{states: both(nobodys, nobodys), keys: [2]int64{10, 10}, uptime: [2]time.Duration{young, young}, memory: [2]int{1, 3}},
			checks.Waiting, false,
		},
		"both are new and empty": {
			situation{states: both(nobodys, nobodys), uptime: [2]time.Duration{young, young}},
			checks.Alone, false,
		},
		"the active Redis came back at once, and the standby has all": {
			situation{states: both(nobodys, lost), keys: [2]int64{10, 10}, uptime: [2]time.Duration{young, old}, memory: [2]int{2, 1}, vip: onA},
			checks.Outranked, false,
		},
		"the standby of one that came back at once": {
			situation{states: both(lost, nobodys), keys: [2]int64{10, 10}, uptime: [2]time.Duration{old, young}, memory: [2]int{1, 2}, vip: onB},
			checks.Candidate, false,
		},
		"it came back empty": {
			situation{states: both(nobodys, lost), keys: [2]int64{0, 10}, uptime: [2]time.Duration{young, old}, vip: onA},
			checks.Outranked, false,
		},
		"it came back and was made a master, empty": {
			situation{states: both(master, lost), keys: [2]int64{0, 10}, uptime: [2]time.Duration{young, old}, vip: onA},
			checks.Rogue, false,
		},
		"nobody follows an empty master that has just come up": {
			situation{states: both(lost, master), keys: [2]int64{10, 0}, uptime: [2]time.Duration{old, young}, vip: onB},
			checks.Candidate, false,
		},
		"the standby came back and follows nobody": {
			situation{states: both(nobodys, master), keys: [2]int64{10, 10}, uptime: [2]time.Duration{young, old}, vip: onB},
			checks.Returning, true,
		},
		"a hung master wakes behind its successor": {
			situation{states: both(master, master), keys: [2]int64{10, 10}, uptime: [2]time.Duration{old, old}, lineage: bOutOfA, vip: onB},
			checks.Rogue, true,
		},
		"the successor": {
			situation{states: both(master, master), keys: [2]int64{10, 10}, uptime: [2]time.Duration{old, old}, lineage: aOutOfB, vip: onA},
			checks.Serving, false,
		},
		"after a split VRRP gave the VIP to the one that was left behind": {
			situation{states: both(master, master), keys: [2]int64{10, 10}, uptime: [2]time.Duration{old, old}, lineage: bOutOfA, vip: onA},
			checks.Serving, false, // both were written to: the other one's writes go to a file
		},
		"and the other one, which is the successor": {
			situation{states: both(master, master), keys: [2]int64{10, 10}, uptime: [2]time.Duration{old, old}, lineage: aOutOfB, vip: onB},
			checks.Rogue, true,
		},
		"the VIP is here and the hook was lost": {
			situation{states: both(linked, master), keys: [2]int64{10, 10}, uptime: [2]time.Duration{old, old}, lineage: sameEqual, vip: onA},
			checks.InSync, true,
		},
		"a ring, with the VIP": {
			situation{states: both(linked, linked), keys: [2]int64{10, 10}, uptime: [2]time.Duration{old, old}, lineage: sameEqual, vip: onA},
			checks.InSync, true,
		},
		"never had the data of a living master": {
			situation{states: both(unlinked, master), keys: [2]int64{0, 10}, uptime: [2]time.Duration{young, old}, vip: onB},
			checks.NeverSynced, false,
		},
		"the link broke and the master lives": {
			situation{states: both(lost, master), keys: [2]int64{10, 10}, uptime: [2]time.Duration{old, old}, vip: onB},
			checks.LinkLost, true, // it remembers nothing: a hook sees to what it has
		},
		"the link broke and the master is dead": {
			situation{states: both(lost, silent), keys: [2]int64{10, 10}, uptime: [2]time.Duration{old, old}},
			checks.Candidate, false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			if !test.s.possible() {
				t.Fatalf("this cannot be: %s", test.s)
			}
			v := checks.Judge(test.s.facts(0), policy)
			if v.Reason != test.reason || v.Drift != test.drift || v.Fit != test.reason.Fit() {
				t.Errorf("%+v, want %v, drift %v", v, test.reason, test.drift)
			}
		})
	}
}

// A gateway tells a dead peer from a cut cable.
func TestPairIsolation(t *testing.T) {
	for name, test := range map[string]struct {
		self      state
		peer      state
		gateway   checks.Reach
		contested bool
		here      place
		fit       bool
	}{
		"cut off with the VIP":                   {master, silent, checks.GatewaySilent, false, onA, false},
		"cut off, standing by":                   {lost, silent, checks.GatewaySilent, false, nowhere, false},
		"the other one is dead":                  {master, silent, checks.GatewayAnswers, false, onA, true},
		"the other one is dead, standing by":     {lost, silent, checks.GatewayAnswers, false, nowhere, true},
		"its host lives":                         {master, refused, checks.GatewaySilent, false, onA, true},
		"both lost the gateway":                  {master, lost, checks.GatewaySilent, false, onA, true},
		"no gateway, and silence":                {master, silent, checks.NoGateway, false, onA, true},
		"silence, and the VIP is contested":      {master, silent, checks.GatewayAnswers, true, onA, false},
		"contested, and the other one answers":   {master, lost, checks.GatewayAnswers, true, onA, true},
		"contested a moment ago, no longer here": {lost, silent, checks.GatewayAnswers, true, nowhere, true},
	} {
		t.Run(name, func(t *testing.T) {
			s := situation{states: [2]state{test.self, test.peer}, keys: [2]int64{10, 10}, uptime: [2]time.Duration{time.Minute, time.Minute}, vip: test.here}
			f := s.facts(0)
			f.Gateway, f.Contested = test.gateway, test.contested
			if v := checks.Judge(f, policy); v.Fit != test.fit {
				t.Errorf("%+v", v)
			}
		})
	}
}

// A replica that acknowledges is reached, also where it is too slow to answer a question, and
// the gateway is dead: a hook asks whatever a check need not.
func TestPairIsolationOfOneThatIsHeard(t *testing.T) {
	s := situation{states: [2]state{master, silent}, keys: [2]int64{10, 10}, uptime: [2]time.Duration{time.Minute, time.Minute}, vip: onA}
	for lag, want := range map[time.Duration]checks.Reason{checks.Unacknowledged: checks.Serving, checks.Unacknowledged + time.Second: checks.Isolated} {
		f := s.facts(0)
		f.Gateway = checks.GatewaySilent
		f.Downstream = []node.Downstream{{Addr: addrs[1], State: "online", Offset: f.Offset, Lag: lag}}
		if v := checks.Judge(f, policy); v.Reason != want {
			t.Errorf("acknowledged %v ago: %+v", lag, v)
		}
	}
}

func TestPairNotPromoted(t *testing.T) {
	s := situation{states: [2]state{linked, master}, keys: [2]int64{10, 10}, uptime: [2]time.Duration{time.Hour, time.Hour}, lineage: sameEqual, vip: onA}
	f := s.facts(0)
	f.Memory.Missed = now.Add(-policy.Grace - time.Second)
	if v := checks.Judge(f, policy); v.Fit || v.Reason != checks.NotPromoted || !v.Drift {
		t.Errorf("%+v", v)
	}
}

// A replica that was promoted by hand and written to by nobody has nothing that the
// master lacks; one that was written to is the successor.
func TestPairPromotedForNothing(t *testing.T) {
	s := situation{states: [2]state{master, master}, keys: [2]int64{10, 10}, uptime: [2]time.Duration{time.Hour, time.Hour}, lineage: bOutOfA, vip: onA}
	f := s.facts(0)
	f.Peers[0].SecondOff = 96 // promoted at 95, and at 95 since; the master went on to 100
	f.Peers[0].Offset = 95
	if v := checks.Judge(f, policy); v.Reason != checks.Serving {
		t.Errorf("nobody wrote to the other one: %+v", v)
	}
	f.Peers[0].Offset = 97
	if v := checks.Judge(f, policy); v.Reason != checks.Serving {
		t.Errorf("the other one was written to, and the VIP is here: %+v", v)
	}
	f.VIP = checks.Absent
	if v := checks.Judge(f, policy); v.Reason != checks.Rogue {
		t.Errorf("the other one was written to, and the VIP is nowhere: %+v", v)
	}
}

// Among three: after a switchover the third node still hears the old master, which
// is a replica now. It has the data, and is sent to the master.
func TestThreeChained(t *testing.T) {
	third := netip.MustParseAddrPort("192.168.0.3:6379")
	s := situation{states: [2]state{linked, master}, keys: [2]int64{10, 10}, uptime: [2]time.Duration{time.Hour, time.Hour}, lineage: sameEqual, vip: onB}
	f := s.facts(0)
	f.Addr, f.Order, f.Group = third, 2, addrs[:]
	f.Upstream.Host = addrs[0].Addr().String()
	old := s.node(0)
	f.Asked, f.Peers = true, []checks.Node{old, s.node(1)}
	if v := checks.Judge(f, policy); !v.Fit || !v.Drift {
		t.Errorf("%+v", v)
	}
}

// What was copied from a server that is no node of the group is not its data.
func TestPairStranger(t *testing.T) {
	s := situation{states: [2]state{linked, silent}, keys: [2]int64{10, 10}, uptime: [2]time.Duration{time.Hour, time.Hour}}
	f := s.facts(0)
	f.Upstream.Host = "192.168.0.77"
	if f.Conclusive() {
		t.Error("conclusive")
	}
	if v := checks.Judge(f, policy); v.Fit || v.Reason != checks.Stranger {
		t.Errorf("%+v", v)
	}
}

// A rogue master with a replica of its own is looked into all the same.
func TestMasterIsConclusiveOnlyWithTheVIP(t *testing.T) {
	s := situation{states: [2]state{master, linked}, keys: [2]int64{10, 10}, uptime: [2]time.Duration{time.Hour, time.Hour}, vip: onA}
	f := s.facts(0)
	if !f.Conclusive() {
		t.Error("with the VIP and its replica: not conclusive")
	}
	f.VIP = checks.Absent
	if f.Conclusive() {
		t.Error("without the VIP: conclusive")
	}
	f.VIP = checks.Here
	f.Downstream[0].Addr = netip.MustParseAddrPort("192.168.0.77:6379")
	if f.Conclusive() {
		t.Error("with a stranger for a replica: conclusive")
	}
}

// The better node goes first, but not for ever.
func TestPairOutrankedEnds(t *testing.T) {
	s := situation{states: [2]state{nobodys, lost}, keys: [2]int64{10, 10}, uptime: [2]time.Duration{2 * time.Second, time.Hour}}
	if v := checks.Judge(s.facts(0), policy); v.Reason != checks.Outranked {
		t.Errorf("%+v", v)
	}
	s.uptime[0] = bootWait
	s.memory[0] = 3
	f := s.facts(0)
	f.Now = f.Now.Add(-time.Second)
	for seen := 0 * time.Second; seen < bootWait+5*time.Second; seen += time.Second {
		f.Now = f.Now.Add(time.Second)
		if v := checks.Judge(f, policy); v.Fit != (seen >= bootWait) {
			t.Errorf("seen for %v: %+v", seen, v)
		}
		f.Memory, _ = checks.Remember(f, policy)
	}
	for name, d := range map[string]time.Duration{"the clock is set back": -time.Hour, "the clock is set ahead, or it was out of sight": time.Hour} {
		f := f
		f.Now = f.Now.Add(d)
		if v := checks.Judge(f, policy); v.Reason != checks.Outranked {
			t.Errorf("%s: %+v", name, v)
		}
	}
}

// A master that restarted and has had no replica since does not count its writes: it
// is never taken for one that nobody wrote to.
func TestPairWithoutBacklog(t *testing.T) {
	s := situation{states: [2]state{master, master}, keys: [2]int64{10, 10}, uptime: [2]time.Duration{time.Hour, time.Hour}, lineage: bOutOfA, vip: onB}
	f := s.facts(1)
	f.Offset, f.SecondOff, f.Backlog = 95, 96, false
	if v := checks.Judge(f, policy); v.Reason != checks.Serving {
		t.Errorf("%+v", v)
	}
}

// A replica that has long heard nobody must not be there when Redis links itself again:
// what comes back may have less.
func TestPairAbandoned(t *testing.T) {
	for name, test := range map[string]struct {
		self, peer  state
		since       time.Duration
		reason      checks.Reason
		drift, here bool
	}{
		"dead for a moment":        {lost, refused, checks.Silence, checks.Candidate, false, false},
		"long dead":                {lost, refused, checks.Silence + time.Second, checks.Candidate, true, false},
		"long cut off":             {lost, silent, time.Minute, checks.Candidate, true, false},
		"the master is there":      {lost, master, time.Minute, checks.LinkLost, false, false},
		"here is the VIP":          {lost, silent, time.Minute, checks.Candidate, true, true}, // by another hook
		"has let go of it already": {nobodys, silent, -time.Second, checks.Waiting, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := situation{states: [2]state{test.self, test.peer}, keys: [2]int64{10, 10}, uptime: [2]time.Duration{time.Second, time.Hour}}
			f := s.facts(0)
			f.Upstream.DownSince = test.since
			f.Memory = checks.Memory{Role: node.Replica, ReplID: "id1"}
			if test.here {
				f.VIP = checks.Here
			}
			if v := checks.Judge(f, policy); v.Reason != test.reason || v.Drift != test.drift {
				t.Errorf("%+v, want %v, drift %v", v, test.reason, test.drift)
			}
		})
	}
}

// A node that was promoted out of the other's history knows all of it up to there. One
// that restarted from a file of before that has less, whoever wrote since.
func TestRankOfOneThatRestartedWithLess(t *testing.T) {
	promoted := checks.Node{Order: 1, Facts: node.Facts{Class: node.Alive, Role: node.Replica, Uptime: time.Hour, Keys: 10, ReplID: "b", ReplID2: "a", SecondOff: 1001, Offset: 1000, Upstream: node.Upstream{DownSince: time.Second}}}
	for name, test := range map[string]struct {
		offset int64
		want   checks.Ground
	}{
		"with less":                     {600, checks.ByLineage},
		"with all of it":                {1000, checks.ByOrder},
		"with more, and wrote it since": {1200, checks.ByLineage},
	} {
		restarted := checks.Node{Facts: node.Facts{Class: node.Alive, Role: node.Replica, Uptime: time.Second, Keys: 10, ReplID: "a", Offset: test.offset, Upstream: node.Upstream{DownSince: -time.Second}}}
		d, ground := checks.Rank(promoted, restarted, nil, bootWait)
		if ground != test.want || (test.offset < 1000) != (d < 0) {
			t.Errorf("%s: %d by %v", name, d, ground)
		}
	}
}
