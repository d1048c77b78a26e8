package checks

import (
	"slices"

	"redis-vip/checks/node"
)

// A Rule looks at the facts from one side. It gives a reason if it can decide, and
// [Undecided] if the next rule should be asked.
type Rule struct {
	Name string
	Ask  func(Facts, Policy) Reason
}

// Rules are asked in this order; the first that decides is the verdict. The last
// always decides.
// From conflict on they need the other node.
var Rules = []Rule{
	{"reachable", reachable},
	{"loading", loading},
	{"willing", willing},
	{"role", role},
	{"elected", elected},
	{"complete", complete},
	{"lineage", lineage},
	{"provisional", provisional},
	{"conflict", conflict},
	{"isolation", isolation},
	{"votes", votes},
	{"newer master", newerMaster},
	{"newer data", newerData},
	{"unsure", unsure},
	{"missed", missed},
	{"saving", saving},
	{"able", able},
}

// reachable: a server that cannot be talked to cannot serve.
func reachable(f Facts, _ Policy) Reason {
	if f.Class == node.Garbage {
		return NotRedis
	}
	if !f.Class.Answers() {
		return Unreachable
	}
	return Undecided
}

func loading(f Facts, _ Policy) Reason {
	if f.Class == node.Loading {
		return Loading
	}
	return Undecided
}

// willing: a server that lives but will not say what it is is fit, loudly. What it
// objects to is most often the same on both nodes (a wrong password in the common
// file, an expired certificate, a slow script that will be sent again), and unfit
// on both takes the VIP away altogether.
func willing(f Facts, p Policy) Reason {
	if f.Role != node.NoRole || p.Expect != Any {
		return Undecided
	}
	switch f.Class {
	case node.Busy:
		return Busy
	case node.MaxClients:
		return Full
	case node.Untrusted:
		return Untrusted
	default:
		return NoRights
	}
}

// role: a caller that asks for a role (HAProxy, a monitor) gets no other.
func role(f Facts, p Policy) Reason {
	switch {
	case p.Expect == ExpectMaster && f.Role != node.Master:
		return NotMaster
	case p.Expect == ExpectReplica && f.Role != node.Replica:
		return NotReplica
	}
	return Undecided
}

// complete: half a copy is no data.
func complete(f Facts, _ Policy) Reason {
	if f.Role == node.Replica && f.Upstream.Syncing {
		return Syncing
	}
	return Undecided
}

// lineage: what was copied from a stranger is not the group's data.
func lineage(f Facts, _ Policy) Reason {
	if f.Strange() {
		return Stranger
	}
	return Undecided
}

// provisional: see demotion.preserve. It serves nobody, and has older data.
func provisional(f Facts, _ Policy) Reason {
	if f.Role == node.Master && f.Memory.Provisional {
		return Preserving
	}
	return Undecided
}

// conflict: of two masters the one that ranks first stays, wherever the VIP is.
// Where nobody else has it, the lower one would only take the VIP away from both.
func conflict(f Facts, p Policy) Reason {
	if f.Role != node.Master {
		return Undecided
	}
	for _, peer := range f.Peers {
		if d, ground := f.rank(peer, p); d > 0 && (peer.IsMaster() && peer.RunID != f.RunID || ground == ByData) {
			if f.VIP == Here && ground != ByData {
				return Outranked
			}
			return Rogue
		}
	}
	return Undecided
}

// isolation: a node that reaches nobody cannot know whether the other one serves.
// With the VIP, it must not go on; without, it must not begin. A replica that
// acknowledges is reached, however long it takes to say more; see Conclusive.
func isolation(f Facts, _ Policy) Reason {
	switch {
	case !f.Asked || slices.ContainsFunc(f.Peers, Node.Reached), f.VIP == Here && !f.Contested && f.acknowledged(Unacknowledged):
		return Undecided
	case f.Gateway == GatewaySilent, f.Lease.Asked && !f.Lease.Majority():
		return Isolated
	case f.Contested && f.VIP == Here:
		return Contested
	}
	return Undecided
}

// newerMaster: while a master lives, only a replica that hears it may stand by. One
// that hears another replica has the data too; see drifts.
func newerMaster(f Facts, p Policy) Reason {
	_, found := f.Leader(p)
	switch {
	case f.Role != node.Replica || !found || f.Linked():
		return Undecided
	case !f.Restarted():
		return LinkLost
	case f.followsMaster(p) && f.Keys == 0:
		return NeverSynced
	default:
		return Returning
	}
}

// newerData: there is no master, and another node has more of the data.
func newerData(f Facts, p Policy) Reason {
	if _, found := f.Leader(p); found || f.Role != node.Replica {
		return Undecided
	}
	// The better node goes first, but not for ever: where it cannot have the VIP (in
	// maintenance, without keepalived), this one serves, and what the other has more
	// is preserved when it follows.
	switch ground := f.better(p); {
	case ground == ByData, ground != Equal && f.Memory.Better.For(f.Now) < p.BootWait:
		return Outranked
	}
	// What it missed may still come back while the master was seen a moment ago; a
	// link that broke when the master died missed nothing. Where all others are there and
	// have less, nothing will come.
	if m := f.Memory.Missing; !f.Restarted() && !f.Linked() && m.Last.Sub(m.Since) > p.BootWait/3 && Within(p.BootWait, m.Last, f.Now) && !f.outranksAll(p) {
		return Stale
	}
	return Undecided
}

// better is why another node should go first, where there is no master, because it has more
// of the data than this replica; Equal if none should.
func (f Facts) better(p Policy) (why Ground) {
	if _, found := f.Leader(p); found || f.Role != node.Replica {
		return Equal
	}
	for _, peer := range f.Peers {
		d, ground := f.rank(peer, p)
		if d > 0 && ground.Strong() && ground != ByLife && (why == Equal || ground < why) {
			why = ground
		}
	}
	return why
}

// unsure: a node that has come up by itself knows what it was, and not what has
// happened since.
func unsure(f Facts, p Policy) Reason {
	if !f.Restarted() || len(f.Peers) == 0 || f.nothingToLose() || f.outranksAll(p) || f.Uptime >= f.patience(p) {
		return Undecided
	}
	return Waiting
}

// missed: the VIP has long been here. The hook for it was lost, or failed.
func missed(f Facts, p Policy) Reason {
	since := f.Memory.Missed
	if f.Role == node.Replica && f.VIP == Here && !since.IsZero() && f.Now.Sub(since) > p.Grace {
		return NotPromoted
	}
	return Undecided
}

// saving: a server whose snapshots fail refuses writes. On the other node the disk may
// well be as full; so it is fit, loudly, if nothing else is wrong with it.
func saving(f Facts, p Policy) Reason {
	if f.Class == node.Misconf && p.Expect == Any {
		return Misconfigured
	}
	return Undecided
}

// able: nobody objects. In what way is it fit?
func able(f Facts, _ Policy) Reason {
	switch {
	case f.Role == node.Master:
		return Serving
	case f.Linked():
		return InSync
	case f.Restarted():
		return Alone
	default:
		return Candidate
	}
}

// rank compares this node with a peer.
func (f Facts) rank(peer Node, p Policy) (int, Ground) {
	var vip *Node
	switch {
	case f.VIP == Here:
		vip = &f.Node
	case f.Holder != "" && f.Holder == peer.RunID:
		vip = &peer
	}
	return Rank(f.Node, peer, vip, p.BootWait)
}

// Outranks says whether this node should be the master rather than a peer.
func (f Facts) Outranks(peer Node, p Policy) bool {
	d, _ := f.rank(peer, p)
	return d < 0
}

// nothingToLose says whether this node and all others are there and empty: a group
// that is just being set up.
func (f Facts) nothingToLose() bool {
	for _, peer := range f.Peers {
		if peer.Role == node.NoRole || peer.Class == node.Loading || peer.Keys > 0 {
			return false
		}
	}
	return f.Keys == 0 && f.Memory.Keys == 0
}

// outranksAll says whether all other nodes are there and have less.
func (f Facts) outranksAll(p Policy) bool {
	for _, peer := range f.Peers {
		if d, ground := f.rank(peer, p); d > 0 || !ground.Strong() || ground == ByLife || peer.Role == node.NoRole {
			return false
		}
	}
	return true
}
