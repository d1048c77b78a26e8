package checks_test

import (
	"testing"
	"time"

	"redis-vip/checks"
	"redis-vip/checks/node"
)

// What it missed may still come back, for boot-wait after the master was seen.
func TestPairStale(t *testing.T) {
	s := situation{states: [2]state{lost, silent}, keys: [2]int64{10, 10}, uptime: [2]time.Duration{time.Hour, time.Hour}}
	f := s.facts(0)
	f.Upstream.DownSince = 10 * time.Minute
	for ago, fit := range map[time.Duration]bool{time.Second: false, bootWait + time.Second: true} {
		f.Memory.Missing = checks.Sighting{Since: now.Add(-ago - 11*time.Second), Last: now.Add(-ago)}
		if v := checks.Judge(f, policy); v.Fit != fit {
			t.Errorf("seen %v ago: %+v", ago, v)
		}
	}
}

// Both hosts have lost their power. The last master has loaded a file from before the history
// that it remembers, and the other node has data of that one: that goes first.
func TestPairOlderFile(t *testing.T) {
	for name, test := range map[string]struct {
		mine, theirs string // replication IDs
		offset       int64
		wait         time.Duration
	}{
		"older":                {"before", "id", 100, 3 * bootWait},
		"of a stranger":        {"before", "other", 100, bootWait},
		"an AOF has no offset": {"new", "id", 0, bootWait},
	} {
		t.Run(name, func(t *testing.T) {
			s := situation{states: [2]state{nobodys, nobodys}, keys: [2]int64{10, 20}, memory: [2]int{2, 1}}
			f := s.facts(0)
			f.ReplID, f.Offset, f.Memory.ReplID = test.mine, test.offset, "id"
			f.Peers[0].ReplID, f.Peers[0].Offset = test.theirs, 200
			for _, ago := range []time.Duration{-time.Second, time.Second} {
				f.Uptime = test.wait + ago
				if v := checks.Judge(f, policy); v.Fit != (ago > 0) {
					t.Errorf("%v after its start: %+v", f.Uptime, v)
				}
			}
		})
	}
}

// How long a node misses what a master writes is known while it goes on: afterwards the link
// looks young.
func TestPairMissing(t *testing.T) {
	for name, test := range map[string]struct {
		state state
		keys  int64
		stale bool
	}{
		"a link that is down":         {lost, 10, true},
		"a node that does not answer": {silent, 10, true},
		"a replica that hears":        {linked, 10, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := situation{states: [2]state{test.state, master}, keys: [2]int64{test.keys, 10}, uptime: [2]time.Duration{time.Hour, time.Hour}}
			f := s.facts(0)
			f.Upstream.DownSince = 0
			f.Now = f.Now.Add(-time.Second)
			for range 17 {
				f.Now = f.Now.Add(time.Second)
				f.Memory, _ = checks.Remember(f, policy)
			}
			after := situation{states: [2]state{lost, silent}, keys: [2]int64{10, 10}, uptime: [2]time.Duration{time.Hour, time.Hour}}.facts(0)
			after.Upstream.DownSince = 0
			after.Memory, after.Now = f.Memory, f.Now.Add(time.Second)
			if v := checks.Judge(after, policy); (v.Reason == checks.Stale) != test.stale {
				t.Errorf("when the master is gone: %+v", v)
			}
		})
	}
}

// Where the VIP comes to a replica, it may become a master at any moment: it remembers that
// until it is a master, or hears one and the VIP is gone.
func TestRememberCalled(t *testing.T) {
	for _, test := range []struct {
		state state
		vip   place
		was   bool
		want  bool
	}{
		{linked, nowhere, false, false},
		{linked, onA, false, true},
		{lost, onA, false, true},
		{lost, nowhere, true, true},
		{nobodys, nowhere, true, true}, // restarted
		{linked, nowhere, true, false},
		{master, onA, true, false},
	} {
		s := situation{states: [2]state{test.state, silent}, keys: [2]int64{10, 10}, uptime: [2]time.Duration{time.Hour, time.Hour}, memory: [2]int{1, 1}, vip: test.vip}
		f := s.facts(0)
		f.Memory.Called = test.was
		if m, changed := checks.Remember(f, policy); m.Called != test.want || test.was != test.want && !changed {
			t.Errorf("%+v: %v, to be written down %v", test, m.Called, changed)
		}
	}
}

// Redis links itself to a master that has come back with less, and copies that. Where no
// program has seen to what is here, a hook does: once, for each history.
func TestPairUnprepared(t *testing.T) {
	told, other := checks.Memory{Role: node.Replica, ReplID: "id1"}, checks.Memory{Role: node.Replica, ReplID: "before"}
	for name, test := range map[string]struct {
		state  state
		keys   int64
		memory checks.Memory
		drift  bool
	}{
		"waits":                  {lost, 10, other, true},
		"copies":                 {syncing, 10, other, true},
		"was a master":           {lost, 10, checks.Memory{Role: node.Master, ReplID: "id1"}, true},
		"has been seen to":       {lost, 10, told, false},
		"of the same process":    {lost, 10, checks.Memory{Role: node.Replica, ReplID: "before", Master: "run1"}, false},
		"copies, by our command": {syncing, 10, told, false},
		"hears it":               {linked, 10, other, false},
		"has nothing":            {lost, 0, other, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := situation{states: [2]state{test.state, master}, keys: [2]int64{test.keys, 10}, uptime: [2]time.Duration{time.Hour, time.Hour}, vip: onB}
			f := s.facts(0)
			f.Memory = test.memory
			if v := checks.Judge(f, policy); v.Drift != test.drift {
				t.Errorf("%+v", v)
			}
		})
	}
}
