package checks

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"redis-vip/checks/node"
)

// Council is what a host under Sentinel goes by: what the Sentinels say, what its
// own Redis is, and what the other nodes are.
type Council struct {
	Facts                 // of this node and of the others
	Answers []Answer      // one for each Sentinel that is known, whether it answered or not
	Silence time.Duration // since a majority of them was last reached
	FenceIn time.Duration // how long that may last
}

// Answer is what one Sentinel said.
type Answer struct {
	Sentinel netip.AddrPort
	ID       string         // its own; empty where it does not say (before 6.2)
	Master   netip.AddrPort // invalid if Err
	Others   []Other
	Epoch    int           // config-epoch: of two answers, the higher one is the newer
	Failover bool          // it is in the middle of one
	Down     bool          // it takes its master for down
	Named    time.Duration // for how long it has named Master; 0 where it does not say
	Replicas int           // how many it knows, dead or alive
	Err      error
}

// Other is a Sentinel that another one knows.
type Other struct {
	Addr netip.AddrPort // as it has announced itself
	ID   string
}

// ErrUnknownMaster says that a Sentinel does not monitor a master of that name.
var ErrUnknownMaster = errors.New("no such master")

// Course is what a host has to do about its Redis and its VIP.
type Course uint8

// The courses.
const (
	Undecidable Course = iota // nothing: what is known does not say
	Wait                      // nothing: what has to be done is under way elsewhere, or may be before long
	Serve                     // the master is here: the VIP has to be, too, if there is one
	Mend                      // the master should be here, and Redis follows nobody: promote it
	Succeed                   // the master should be here, and Redis still follows another one: take over from that
	PassOn                    // the master should be here, and another node has the better data: Sentinel has to choose anew
	CatchUp                   // the same, and Sentinel has nobody to choose: copy that data, and then take over
	Yield                     // the master is elsewhere: Redis has to follow it, a VIP has to go
	Fence                     // nobody says who the master is, for too long: a VIP has to go, writers have to wait
)

var courses = [...]string{
	Undecidable: "undecidable", Wait: "wait", Serve: "serve", Mend: "mend", Succeed: "succeed", PassOn: "pass_on", CatchUp: "catch_up", Yield: "yield", Fence: "fence",
}

func (c Course) String() string { return courses[c] }

// MarshalText gives the course's name.
func (c Course) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// Resolution is what the council comes to.
type Resolution struct {
	Course Course
	Master netip.AddrPort // whom the majority names; invalid where there is none
	Better netip.AddrPort // who has the better data, with PassOn and CatchUp
	Soon   bool           // undecidable now, and probably not for long: ask again
	Else   Course         // what to do if that goes on, or if the course turns out to be barred
	Why    error          // in words, where the course is not plain Serve or Yield
}

// Majority is whom more than half of all known Sentinels name. One that cannot be
// reached counts as one that does not agree.
func (c Council) Majority() (master netip.AddrPort, reached int, found bool) {
	votes := make(map[netip.AddrPort]int)
	for _, a := range c.Answers {
		if a.Err == nil {
			reached++
			votes[a.Master]++
		}
	}
	for m, n := range votes {
		if n > len(c.Answers)/2 {
			return m, reached, true
		}
	}
	return master, reached, false
}

// Resolve is total: whatever is known, there is one thing to do.
//
// A majority decides, and never the local Sentinel alone: after a second failover
// before the first has ended, the leader of the first names a node that is dead. The
// local Sentinel's death alone is no reason for anything either.
func (c Council) Resolve(p Policy) Resolution {
	master, reached, found := c.Majority()
	if !found {
		return c.leaderless(reached)
	}
	r := Resolution{Master: master}
	switch {
	case master != c.Addr && c.chosen(master):
		r.Soon, r.Why = true, errors.New("the Sentinels are in the middle of a failover, and this node is the one that they have promoted")
	case master != c.Addr && c.lends(master):
		r.Course, r.Why = Wait, fmt.Errorf("%s, which the Sentinels name, copies the data of this node and then takes over", master)
	case master != c.Addr && c.mayLend(master):
		r.Soon, r.Else = true, Yield
		r.Why = fmt.Errorf("%s, which the Sentinels name, follows nobody yet, and may be about to copy the data of this node", master)
	case master != c.Addr:
		r.Course = Yield
	case !c.Class.Answers() || c.Class == node.Loading || c.Role == node.NoRole:
		r.Soon, r.Why = true, fmt.Errorf("the Sentinels name this node, %s, and its Redis is %s", c.Addr, c.Class)
	case c.Role == node.Master:
		r.Course = Serve
	case c.Linked() && !c.ring():
		// Sentinel promotes before it names; if this lasts, somebody has undone it.
		r.Soon, r.Else = true, Succeed
		r.Why = fmt.Errorf("the Sentinels name this node, %s, and its Redis is a replica of %s:%d", c.Addr, c.Upstream.Host, c.Upstream.Port)
	default:
		r = c.orphaned(p)
		r.Master = master
	}
	return r
}

// leaderless: no majority for one master.
func (c Council) leaderless(reached int) Resolution {
	known := len(c.Answers)
	why := fmt.Errorf("no master has a majority of the %d Sentinels: %s", known, c.said())
	switch unknown := c.strangers(); {
	case known > 0 && unknown > known/2:
		return Resolution{Why: fmt.Errorf("the Sentinels do not know this group: give it the name that stands in `sentinel monitor`: %s", c.said())}
	case c.refusals() > known/2:
		// The same mistake on every host, and this one is not cut off: the service goes on.
		return Resolution{Why: fmt.Errorf("the Sentinels are there and do not say who the master is: correct sentinel_password_file, or the rights of sentinel_username: %s", c.said())}
	case reached > known/2:
		return Resolution{Soon: true, Why: why} // they tell each other within milliseconds
	case c.serves() && c.Silence >= c.FenceIn:
		return Resolution{Course: Fence, Why: why}
	default:
		return Resolution{Why: why}
	}
}

// serves says whether clients come to this node: to the VIP, or, where there is none or
// it cannot be known, to whoever is a master.
func (c Council) serves() bool {
	return c.VIP == Here || c.VIP == Unasked && c.Role == node.Master
}

// orphaned: the Sentinels name a node that follows nobody, because its Redis has
// restarted as the replica that it always boots as, or because of a ring. They would
// wait for ever (-failover-abort-no-good-slave).
//
// Where another node has the better data, the Sentinels have to choose that one. They
// know only those that a master has told them of, at a first start none. So there
// this node copies the data and takes over: the Sentinels keep their word, and the
// data its home.
func (c Council) orphaned(p Policy) Resolution {
	better, ground, found := c.better(p)
	switch {
	case c.copies():
		return Resolution{Course: Wait, Why: fmt.Errorf("the Sentinels name this node, which copies the data of %s:%d and then takes over", c.Upstream.Host, c.Upstream.Port)}
	case !found && c.Keys == 0 && c.expects(p):
		return Resolution{Course: Wait, Why: errors.New("the Sentinels name this node, which has restarted and is empty: it waits for the others, which may have data")}
	case !found:
		return Resolution{Course: Mend, Why: errors.New("the Sentinels name this node, which has restarted and follows nobody")}
	case c.choosing():
		return Resolution{Soon: true, Why: fmt.Errorf("the Sentinels name this node, which has restarted, and are in the middle of a failover; %s has the better data (%s)", better.Addr, ground)}
	}
	r := Resolution{Course: PassOn, Better: better.Addr, Why: fmt.Errorf("the Sentinels name this node, which has restarted, and %s has the better data (%s)", better.Addr, ground)}
	switch {
	case better.IsMaster(), !c.choice():
		r.Course = CatchUp
	case c.Uptime >= p.BootWait: // those that they know have had their time
		r.Else = CatchUp
	}
	return r
}

// better is the node with better data than this one, if there is one, and than the
// others that have.
func (c Council) better(p Policy) (best Node, why Ground, found bool) {
	for _, peer := range c.Peers {
		d, ground := c.rank(peer, p)
		if d <= 0 || !ground.Strong() || ground == ByLife || peer.RunID == c.RunID {
			continue
		}
		if d, _ := Rank(best, peer, nil, p.BootWait); !found || d > 0 {
			best, why, found = peer, ground, true
		}
	}
	return best, why, found
}

// copies says whether this node is a replica of a master, and does not hear it yet.
func (c Council) copies() bool {
	for _, peer := range c.Peers {
		if peer.IsMaster() && c.Follows(peer.Addr) {
			return true
		}
	}
	return false
}

// lends says whether the node that the Sentinels name is a replica of this one, which
// does not have the VIP, or has none to have: see [CatchUp].
func (c Council) lends(to netip.AddrPort) bool {
	for _, peer := range c.Peers {
		if peer.Addr == to && peer.Follows(c.Addr) {
			return c.IsMaster() && c.VIP != Here
		}
	}
	return false
}

// mayLend says whether the node that the Sentinels name is about to become such a
// replica: it has made this node a master for that.
func (c Council) mayLend(to netip.AddrPort) bool {
	for _, peer := range c.Peers {
		if peer.Addr == to && peer.Restarted() {
			return c.IsMaster() && c.VIP != Here
		}
	}
	return false
}

// expects says whether another node may still come, with data that this one lacks: also one
// that was copying this node's when that died.
func (c Council) expects(p Policy) bool {
	for _, peer := range c.Peers {
		if peer.Class == node.Loading || (peer.Role == node.NoRole || peer.Upstream.Syncing) && c.Uptime < p.BootWait {
			return true
		}
	}
	return false
}

// choice says whether the Sentinels know anybody else to choose.
func (c Council) choice() bool {
	return slices.ContainsFunc(c.Answers, func(a Answer) bool { return a.Err == nil && a.Replicas > 0 })
}

// choosing says whether a Sentinel is in the middle of a failover.
func (c Council) choosing() bool {
	return slices.ContainsFunc(c.Answers, func(a Answer) bool { return a.Failover })
}

// chosen says whether this node is a master that the Sentinels have just promoted,
// while most of them go on naming the one before. Either a Sentinel is in the middle
// of the failover, and that one is dead or this one's history went on from its; or a
// Sentinel has ended it, and the others have not heard.
func (c Council) chosen(before netip.AddrPort) bool {
	if c.Role != node.Master {
		return false
	}
	mine, theirs, failover := -1, -1, c.choosing()
	for _, a := range c.Answers {
		switch {
		case a.Err != nil:
		case a.Master == c.Addr:
			mine = max(mine, a.Epoch)
		default:
			theirs = max(theirs, a.Epoch)
		}
	}
	if mine > theirs {
		return true
	}
	for _, peer := range c.Peers {
		if peer.Addr == before && peer.IsMaster() {
			return failover && c.SecondOff > 0 && c.ReplID2 == peer.ReplID
		}
	}
	return failover
}

// ring says whether this node hears a peer that follows it.
func (c Council) ring() bool {
	for _, peer := range c.Peers {
		if peer.Follows(c.Addr) && c.Follows(peer.Addr) {
			return true
		}
	}
	return false
}

func (c Council) strangers() (n int) {
	for _, a := range c.Answers {
		if errors.Is(a.Err, ErrUnknownMaster) {
			n++
		}
	}
	return n
}

// said is what each Sentinel answered, in words: the same ones for the same answers,
// whoever was the first to give his.
func (c Council) said() string {
	var words []string
	for _, a := range c.Answers {
		switch class := node.Classify(a.Err); {
		case a.Err == nil:
			words = append(words, fmt.Sprintf("%s names %s", a.Sentinel, a.Master))
		case class == node.Refused, class == node.Timeout, class == node.Unreachable, class == node.Closed:
			words = append(words, fmt.Sprintf("%s does not answer (%s)", a.Sentinel, class))
		default:
			words = append(words, fmt.Sprintf("%s: %v", a.Sentinel, a.Err))
		}
	}
	slices.Sort(words)
	return strings.Join(words, ", ")
}
