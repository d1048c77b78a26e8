package checks_test

import (
	"fmt"
	"net/netip"
	"time"

	"redis-vip/checks"
	"redis-vip/checks/node"
)

// What one node of a pair may be at.
type state uint8

const (
	refused state = iota
	silent
	loading
	master
	linked   // a replica that hears the other
	syncing  // in the middle of a full copy
	lost     // heard the other once, and does not any more
	nobodys  // restarted, follows nobody
	unlinked // restarted, follows the other and has not heard it yet
	states
)

var stateNames = [...]string{"refused", "silent", "loading", "master", "linked", "syncing", "lost", "nobodys", "unlinked"}

// How the histories of a and b are related.
type lineage uint8

const (
	unrelated lineage = iota
	sameAhead         // the same, a has more
	sameEqual
	sameBehind
	aOutOfB // a was promoted out of b's
	bOutOfA
	lineages
)

// Where the VIP is.
type place uint8

const (
	nowhere place = iota
	onA
	onB
	onBoth // after a split, or a keepalived that froze
	places
)

var memories = []checks.Memory{
	{},
	{Role: node.Replica, Keys: 10},
	{Role: node.Master, Keys: 10, Online: true},
	{Role: node.Master, Keys: 10},
}

const bootWait = 30 * time.Second

var (
	policy = checks.Policy{BootWait: bootWait, Grace: 6 * time.Second}
	now    = time.Unix(1_800_000_000, 0)
	addrs  = [2]netip.AddrPort{netip.MustParseAddrPort("192.168.0.1:6379"), netip.MustParseAddrPort("192.168.0.2:6379")}
)

// situation is one combination for both nodes at once.
type situation struct {
	states  [2]state
	keys    [2]int64
	uptime  [2]time.Duration
	memory  [2]int
	lineage lineage
	vip     place
}

func (s situation) String() string {
	return fmt.Sprintf("a %s (%d keys, up %v, memory %d), b %s (%d keys, up %v, memory %d), lineage %d, vip %d",
		stateNames[s.states[0]], s.keys[0], s.uptime[0], s.memory[0],
		stateNames[s.states[1]], s.keys[1], s.uptime[1], s.memory[1], s.lineage, s.vip)
}

// possible leaves out what cannot be: a link has two ends.
func (s situation) possible() bool {
	for i, st := range s.states {
		other := s.states[1-i]
		if (st == linked || st == syncing) && other != master && other != linked && other != silent {
			return false
		}
		if st == master && other == linked && s.keys[0] != s.keys[1] {
			return false
		}
	}
	return true
}

// node gives what is seen of node i.
func (s situation) node(i int) checks.Node {
	st, me, other := s.states[i], addrs[i], addrs[1-i]
	n := checks.Node{Addr: me, Order: i}
	switch st {
	case refused:
		n.Class = node.Refused
		return n
	case silent:
		n.Class = node.Timeout
		return n
	}
	n.Class, n.RunID, n.Keys, n.Uptime = node.Alive, fmt.Sprint("run", i), s.keys[i], s.uptime[i]
	n.Backlog = true
	n.ReplID, n.ReplID2, n.SecondOff, n.Offset = fmt.Sprint("id", i), "0", -1, 100
	switch s.lineage {
	case sameAhead, sameEqual, sameBehind:
		n.ReplID = "id"
		n.Offset += int64(s.lineage-sameEqual) * int64(2*i-1) * 10
	case aOutOfB, bOutOfA:
		if child := int(s.lineage - aOutOfB); i == child {
			n.ReplID2, n.SecondOff = fmt.Sprint("id", 1-i), 90
		}
	}
	n.Role = node.Replica
	n.Upstream = node.Upstream{Host: other.Addr().String(), Port: other.Port(), LastIO: -time.Second, DownSince: -time.Second, Offset: n.Offset}
	switch st {
	case loading:
		n.Class = node.Loading
		n.Upstream.Host, n.Upstream.Port = "127.0.0.1", 1
	case master:
		n.Role, n.Upstream = node.Master, node.Upstream{}
	case linked:
		n.Upstream.Up, n.Upstream.LastIO, n.Upstream.DownSince = true, time.Second, 0
	case syncing:
		n.Upstream.Syncing = true
	case lost:
		n.Upstream.DownSince = 3 * time.Second
	case nobodys:
		n.Upstream.Host, n.Upstream.Port = "127.0.0.1", 1
	}
	if s.states[1-i] == linked {
		n.Downstream = []node.Downstream{{Addr: other, State: "online", Offset: n.Offset}}
	}
	return n
}

func (s situation) here(i int) bool {
	return s.vip == onBoth || s.vip == onA && i == 0 || s.vip == onB && i == 1
}

// facts are what node i goes by.
func (s situation) facts(i int) checks.Facts {
	f := checks.Facts{Node: s.node(i), VIP: checks.Absent, Memory: memories[s.memory[i]], Now: now}
	if s.here(i) {
		f.VIP = checks.Here
	} else if s.here(1 - i) {
		f.Holder = s.node(1 - i).RunID
	}
	f.Group = []netip.AddrPort{addrs[1-i]}
	if !f.Conclusive() {
		f.Asked, f.Peers = true, []checks.Node{s.node(1 - i)}
	}
	return f
}

// each calls f with every situation that can be.
func each(f func(situation)) (n int) {
	both := func(k int, base int) [2]int { return [2]int{k % base, k / base} }
	for st := range int(states * states) {
		for keys := range 4 {
			for up := range 4 {
				for mem := range len(memories) * len(memories) {
					for l := range lineages {
						for p := range places {
							k, u := both(keys, 2), both(up, 2)
							s := situation{lineage: l, vip: p, memory: both(mem, len(memories))}
							for i := range 2 {
								s.states[i] = state(both(st, int(states))[i])
								s.keys[i] = int64(k[i]) * 10
								s.uptime[i] = time.Duration(2+58*u[i]) * time.Second
							}
							if s.possible() {
								n++
								f(s)
							}
						}
					}
				}
			}
		}
	}
	return n
}

func canServe(s state) bool { return s >= master && s != syncing }
