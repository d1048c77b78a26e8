package checks_test

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"redis-vip/checks"
	"redis-vip/checks/node"
)

// What the Sentinels say, and what a host makes of it.
func TestResolve(t *testing.T) {
	me, other := addrs[0], netip.MustParseAddrPort("192.168.0.10:6379") // begins like mine
	down, unknown := errors.New("refused"), checks.ErrUnknownMaster
	names := func(answers ...any) (list []checks.Answer) {
		for _, a := range answers {
			switch a := a.(type) {
			case netip.AddrPort:
				list = append(list, checks.Answer{Master: a})
			case error:
				list = append(list, checks.Answer{Err: a})
			}
		}
		return list
	}
	knowing := func(replicas int, answers []checks.Answer) []checks.Answer {
		for i := range answers {
			answers[i].Replicas = replicas
		}
		return answers
	}
	choosing := func(answers []checks.Answer) []checks.Answer {
		answers[1].Failover = true
		return answers
	}
	for name, test := range map[string]struct {
		answers []checks.Answer
		self    state
		peer    state
		course  checks.Course
		soon    bool
	}{
		"all name me":                   {names(me, me, me), master, linked, checks.Serve, false},
		"two of three name me":          {names(me, other, me), master, linked, checks.Serve, false},
		"the local one is dead":         {names(down, me, me), master, linked, checks.Serve, false},
		"two are dead":                  {names(me, down, down), master, linked, checks.Undecidable, false},
		"I am not one yet":              {names(me, me, me), linked, master, checks.Undecidable, true},
		"my Redis is dead":              {names(me, me, me), refused, silent, checks.Undecidable, true},
		"my Redis loads":                {names(me, me, me), loading, silent, checks.Undecidable, true},
		"I restarted and follow nobody": {names(me, me, me), nobodys, refused, checks.Mend, false},
		"and another has what I had":    {knowing(1, names(me, me, me)), nobodys, lost, checks.PassOn, false},
		"and nobody knows it":           {names(me, me, me), nobodys, lost, checks.CatchUp, false},
		"and it is a master":            {knowing(1, names(me, me, me)), nobodys, master, checks.CatchUp, false},
		"and I copy it":                 {names(me, me, me), unlinked, master, checks.Wait, false},
		"they choose already":           {choosing(names(me, me, me)), nobodys, lost, checks.Undecidable, true},
		"another copies mine":           {names(addrs[1], addrs[1], addrs[1]), master, unlinked, checks.Wait, false},
		"another may be about to":       {names(addrs[1], addrs[1], addrs[1]), master, nobodys, checks.Undecidable, true},
		"a ring":                        {names(me, me, me), linked, linked, checks.Mend, false},
		"all name another":              {names(other, other, other), linked, master, checks.Yield, false},
		"another, and I am a master":    {names(other, other, other), master, master, checks.Yield, false},
		"another, and I am dead":        {names(other, other, down), refused, master, checks.Yield, false},
		"they disagree":                 {names(me, other), master, linked, checks.Undecidable, true},
		"nobody knows the group":        {names(unknown, unknown, unknown), master, linked, checks.Undecidable, false},
		"one does not know the group":   {names(unknown, me, me), master, linked, checks.Serve, false},
		"a single Sentinel":             {names(other), master, linked, checks.Yield, false},
		"no Sentinel at all":            {nil, master, linked, checks.Undecidable, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := situation{states: [2]state{test.self, test.peer}, keys: [2]int64{10, 10}, uptime: [2]time.Duration{time.Minute, time.Minute}, lineage: sameEqual}
			f := s.facts(0)
			f.Asked, f.Peers = true, []checks.Node{s.node(1)}
			c := checks.Council{Facts: f, Answers: test.answers, FenceIn: 5 * time.Second}
			r := c.Resolve(policy)
			if r.Course != test.course || r.Soon != test.soon || r.Course == checks.Undecidable && r.Why == nil {
				t.Errorf("%+v", r)
			}
		})
	}
}

// Whatever the two nodes are at: the one that is named and empty does not become the
// master as long as the other has data, or may yet show that it has.
func TestResolveNeverServesNothing(t *testing.T) {
	named := checks.Answer{Master: addrs[0]}
	courses := make(map[checks.Course]int)
	each(func(s situation) {
		f := s.facts(0)
		f.Asked, f.Peers = true, []checks.Node{s.node(1)}
		peer := f.Peers[0]
		if f.Keys > 0 || !f.Restarted() || peer.Role == node.NoRole && f.Uptime >= bootWait {
			return
		}
		r := checks.Council{Facts: f, Answers: []checks.Answer{named, named, named}}.Resolve(policy)
		courses[r.Course]++
		if r.Course == checks.Mend && (peer.Keys > 0 || peer.Role == node.NoRole) {
			t.Errorf("%v: %+v", s, r)
		}
	})
	for _, c := range []checks.Course{checks.Mend, checks.CatchUp, checks.Wait} {
		if courses[c] == 0 {
			t.Errorf("never %v: %v", c, courses)
		}
	}
}

// A node that was copying the one that is named when that died keeps what it had until it
// sees that. So the named one, which is back and empty, waits for it.
func TestResolveWaitsForABrokenCopy(t *testing.T) {
	named := checks.Answer{Master: addrs[0]}
	for uptime, want := range map[time.Duration]checks.Course{time.Second: checks.Wait, bootWait: checks.Mend} {
		s := situation{states: [2]state{nobodys, syncing}, keys: [2]int64{0, 10}, uptime: [2]time.Duration{uptime, time.Hour}}
		f := s.facts(0)
		f.Peers = []checks.Node{s.node(1)}
		if r := (checks.Council{Facts: f, Answers: []checks.Answer{named, named, named}}).Resolve(policy); r.Course != want {
			t.Errorf("%v after its start: %+v", uptime, r)
		}
	}
}

// Of several nodes that have better data, the best; and the Sentinels are asked first
// where they know somebody to choose.
func TestResolveFindsTheBest(t *testing.T) {
	at := func(addr netip.AddrPort, order int, keys int64) checks.Node {
		return checks.Node{Addr: addr, Order: order, Facts: node.Facts{
			Class: node.Alive, Role: node.Replica, RunID: addr.String(), ReplID: addr.String(), SecondOff: -1, Keys: keys, Uptime: time.Hour,
			Upstream: node.Upstream{Host: "127.0.0.1", Port: 1, LastIO: -time.Second, DownSince: -time.Second},
		}}
	}
	third := netip.MustParseAddrPort("192.168.0.3:6379")
	named := checks.Answer{Master: addrs[0], Replicas: 2}
	c := checks.Council{Answers: []checks.Answer{named, named, named}}
	for _, few := range []int64{0, 10} {
		c.Facts = checks.Facts{Node: at(addrs[0], 0, 0), Peers: []checks.Node{at(addrs[1], 1, few), at(third, 2, 1000)}, VIP: checks.Absent}
		if r := c.Resolve(policy); r.Course != checks.PassOn || r.Better != third || r.Else != checks.CatchUp {
			t.Errorf("%+v", r)
		}
	}
	c.Uptime = time.Second
	if r := c.Resolve(policy); r.Course != checks.PassOn || r.Else != checks.Undecidable {
		t.Errorf("just restarted: %+v", r)
	}
}

// A node lends its data where it has no VIP, and where there is none to have.
func TestResolveLends(t *testing.T) {
	named := checks.Answer{Master: addrs[1]}
	for _, test := range []struct {
		vip    checks.Presence
		peer   state
		course checks.Course
		soon   bool
	}{
		{checks.Absent, unlinked, checks.Wait, false},
		{checks.Unasked, unlinked, checks.Wait, false},
		{checks.Here, unlinked, checks.Yield, false},
		{checks.Absent, nobodys, checks.Undecidable, true},
		{checks.Unasked, nobodys, checks.Undecidable, true},
		{checks.Here, nobodys, checks.Yield, false},
	} {
		s := situation{states: [2]state{master, test.peer}, keys: [2]int64{10, 10}, uptime: [2]time.Duration{time.Minute, time.Minute}, lineage: sameEqual}
		f := s.facts(0)
		f.VIP, f.Peers = test.vip, []checks.Node{s.node(1)}
		r := checks.Council{Facts: f, Answers: []checks.Answer{named, named, named}}.Resolve(policy)
		if r.Course != test.course || r.Soon != test.soon {
			t.Errorf("%+v: %+v", test, r)
		}
	}
}

// Sentinels that refuse to answer are there: their password was changed, and the host that
// asks with the old one is not cut off.
func TestResolveRefused(t *testing.T) {
	down, noauth := checks.Answer{Err: errors.New("unreachable")}, checks.Answer{Err: refusal("NOAUTH Authentication required.")}
	master := checks.Facts{Node: checks.Node{Addr: addrs[0], Facts: node.Facts{Class: node.Alive, Role: node.Master}}, VIP: checks.Here}
	for want, answers := range map[checks.Course][]checks.Answer{
		checks.Undecidable: {noauth, noauth, down},
		checks.Fence:       {noauth, down, down},
	} {
		c := checks.Council{Facts: master, Answers: answers, Silence: time.Minute, FenceIn: 5 * time.Second}
		if r := c.Resolve(policy); r.Course != want || r.Soon {
			t.Errorf("%v, want %v: %+v", r.Course, want, r)
		}
	}
}

// While the Sentinels are in the middle of a failover, the node that they have just
// promoted is not sent back.
func TestResolveDuringAFailover(t *testing.T) {
	s := situation{states: [2]state{master, master}, keys: [2]int64{10, 10}, uptime: [2]time.Duration{time.Minute, time.Minute}, lineage: aOutOfB, vip: onB}
	f := s.facts(0)
	named := checks.Answer{Master: addrs[1]}
	c := checks.Council{Facts: f, Answers: []checks.Answer{named, named, {Master: addrs[1], Failover: true}}}
	if r := c.Resolve(policy); r.Course != checks.Undecidable || !r.Soon {
		t.Errorf("%+v", r)
	}
	// One has ended it, and the others have not heard.
	told := c
	told.Answers = []checks.Answer{named, named, {Master: addrs[0], Epoch: 1}}
	if r := told.Resolve(policy); r.Course != checks.Undecidable || !r.Soon {
		t.Errorf("ended: %+v", r)
	}
	// The deposed one is not the one that was promoted, although the failover goes on.
	deposed := s
	deposed.lineage = bOutOfA
	old := deposed.facts(0)
	if r := (checks.Council{Facts: old, Answers: c.Answers}).Resolve(policy); r.Course != checks.Yield {
		t.Errorf("the deposed one: %+v", r)
	}
	c.Answers[2].Failover = false
	if r := c.Resolve(policy); r.Course != checks.Yield {
		t.Errorf("%+v", r)
	}
}

// Only the host to which clients come fences itself, and only after a while: the one with
// the VIP, or without one whoever is a master.
func TestResolveFence(t *testing.T) {
	down := checks.Answer{Err: errors.New("unreachable")}
	for _, test := range []struct {
		vip     checks.Presence
		role    node.Role
		silence time.Duration
		course  checks.Course
	}{
		{checks.Here, node.Master, time.Second, checks.Undecidable},
		{checks.Here, node.Master, 6 * time.Second, checks.Fence},
		{checks.Here, node.NoRole, 6 * time.Second, checks.Fence},
		{checks.Absent, node.Master, 6 * time.Second, checks.Undecidable},
		{checks.Unasked, node.Master, time.Second, checks.Undecidable},
		{checks.Unasked, node.Master, 6 * time.Second, checks.Fence},
		{checks.Unasked, node.Replica, 6 * time.Second, checks.Undecidable},
	} {
		c := checks.Council{
			Facts:   checks.Facts{Node: checks.Node{Addr: addrs[0], Facts: node.Facts{Class: node.Alive, Role: test.role}}, VIP: test.vip},
			Answers: []checks.Answer{down, down, {Master: addrs[0]}}, Silence: test.silence, FenceIn: 5 * time.Second,
		}
		if r := c.Resolve(policy); r.Course != test.course {
			t.Errorf("%+v: %+v", test, r)
		}
	}
}
