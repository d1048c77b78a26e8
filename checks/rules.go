package checks

import "redis-vip/checks/node"

// A Rule looks at the facts from one side. It gives a reason if it can decide, and
// [Undecided] if the next rule should be asked.
type Rule struct {
	Name string
	Ask  func(Facts, Policy) Reason
}

// Rules are asked in this order; the first that decides is the verdict. The last
// always decides.
//
// The guards that need the other node come between role and replica.
var Rules = []Rule{
	{"reachable", reachable},
	{"loading", loading},
	{"willing", willing},
	{"role", role},
	{"complete", complete},
	{"saving", saving},
	{"replica", replica},
	{"master", master},
}

// reachable: a server that cannot be talked to cannot serve.
func reachable(f Facts, _ Policy) Reason {
	if f.Self.Class == node.Garbage {
		return NotRedis
	}
	if !f.Self.Class.Answers() {
		return Unreachable
	}
	return Undecided
}

func loading(f Facts, _ Policy) Reason {
	if f.Self.Class == node.Loading {
		return Loading
	}
	return Undecided
}

// willing: a server that lives but will not say what it is is fit, loudly. What it
// objects to is most often the same on both nodes (a wrong password in the common
// file, an expired certificate, a slow script that will be sent again), and unfit
// on both takes the VIP away altogether.
func willing(f Facts, p Policy) Reason {
	if f.Self.Role != node.NoRole || p.Expect != Any {
		return Undecided
	}
	switch f.Self.Class {
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
	case p.Expect == ExpectMaster && f.Self.Role != node.Master:
		return NotMaster
	case p.Expect == ExpectReplica && f.Self.Role != node.Replica:
		return NotReplica
	}
	return Undecided
}

// complete: half a copy is no data. (The never-synced replica, which looks alike,
// needs a look at its master.)
func complete(f Facts, _ Policy) Reason {
	if f.Self.Role == node.Replica && f.Self.Upstream.Syncing {
		return Syncing
	}
	return Undecided
}

// saving: a server whose snapshots fail refuses writes. On the other node the disk
// may well be as full.
func saving(f Facts, p Policy) Reason {
	if f.Self.Class == node.Misconf && p.Expect == Any {
		return Misconfigured
	}
	return Undecided
}

func replica(f Facts, _ Policy) Reason {
	switch {
	case f.Self.Role != node.Replica:
		return Undecided
	case !f.Self.Upstream.Up:
		return LinkDown
	default:
		return InSync
	}
}

func master(Facts, Policy) Reason { return Serving }
