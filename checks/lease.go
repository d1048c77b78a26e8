package checks

import (
	"slices"
	"time"

	"redis-vip/checks/node"
)

// Lease is what the witnesses say of the third vote: the right to be the master,
// which one node of a pair has for a few seconds at a time. A node may take writes
// with two votes of three: its own, and either the lease or the other node's. The
// other node gives its vote by acknowledging what it replicates, or by answering that
// it is no master.
//
// Two hosts alone cannot tell a dead peer from a cut cable. With a third vote, at
// most one of them goes on.
type Lease struct {
	Witnesses int           `json:"witnesses"`         // how many are configured; without any, nobody votes
	Asked     bool          `json:"asked"`             // by this look
	Reached   int           `json:"reached"`           // how many answered
	Mine      bool          `json:"mine"`              // a majority of them grants it to this node
	Other     string        `json:"holder,omitempty"`  // the node that a majority grants it to, if another one
	Age       time.Duration `json:"-"`                 // since Other renewed it
	Problem   string        `json:"problem,omitempty"` // why one of them did not answer
	Left      time.Duration `json:"-"`                 // how long this node may go on by what it was last granted; see [LeaseHeld]
}

// The times of a lease, for a check every second. They are told by different clocks:
// a witness counts LeaseTime from when the claim arrives, the holder LeaseHeld from
// before it was sent. The half second between is for what it takes to stop writers,
// and for clocks that differ by a tenth.
const (
	LeaseTime = 4 * time.Second
	LeaseHeld = 3500 * time.Millisecond

	// leaseRenewed is how old a lease may be that is being renewed every second.
	leaseRenewed = 1500 * time.Millisecond
	// leaseSilence is how long a node that is not heard has to be silent before this
	// one may conclude that it no longer counts on this one's acknowledgements. One
	// without the lease does so for voteLag, which is up to two seconds as INFO
	// truncates; it looks twice a second (a guard does), which takes a quarter.
	leaseSilence = 3 * time.Second
	// voteLag is how late an acknowledgement may be that counts as a vote.
	voteLag = time.Second
)

// Majority says whether enough witnesses answered.
func (l Lease) Majority() bool { return l.Reached > l.Witnesses/2 }

// Claims says whether this node should renew the lease, or take it if it is free: it
// serves.
func (f Facts) Claims() bool {
	return f.Role == node.Master && f.VIP != Absent && f.Class.Answers() && !f.Memory.Provisional
}

// Entitled says whether this node has two votes of three to take writes. A replica that
// has the lease is about to be the master: it acknowledges still, also where it has long
// heard nothing (one-way loss), and that is no vote any more.
func (f Facts) Entitled() bool {
	return f.Lease.Witnesses == 0 || f.Lease.Mine || f.Lease.Other == "" && f.acknowledged(voteLag) || f.Asked && f.conceded()
}

// Succeeds says whether this node has two votes of three to become the master, where
// the old master is none of its own accord: reason is why not.
//
// A lease that is free is not enough while the other node may still count on this
// one's acknowledgements.
func (f Facts) Succeeds() bool {
	switch {
	case f.Lease.Witnesses == 0, f.conceded():
		return true
	case !f.Lease.Mine:
		return false
	}
	return f.silence() >= leaseSilence
}

// conceded says whether all other nodes answer, and are no masters. One whose Redis
// refuses connections is none, and comes back as none (it never boots as a master).
func (f Facts) conceded() bool {
	return len(f.Peers) > 0 && !slices.ContainsFunc(f.Peers, func(n Node) bool { return !n.concedes() })
}

func (n Node) concedes() bool {
	return n.Class == node.Refused || n.Class == node.Loading || n.Class.Answers() && n.Role == node.Replica
}

// silence is how long, at least, this node has given nobody its vote. A server's
// seconds are truncated, on either side of a difference.
func (f Facts) silence() time.Duration {
	u := f.Upstream
	switch {
	case f.Role == node.Master:
		return 0
	case f.Restarted():
		return f.Uptime - time.Second + f.Fraction
	case u.Up:
		return u.LastIO - time.Second + f.Fraction
	default:
		return u.DownSince - time.Second + f.Fraction
	}
}

// votes: a master needs two votes of three. A replica that does not hear its master,
// while somebody renews the lease, is on the wrong side of a cut: with the VIP it
// could only refuse writes.
func votes(f Facts, _ Policy) Reason {
	l := f.Lease
	switch {
	case !l.Asked:
		return Undecided
	case f.Role == node.Master && !f.Entitled() && (f.VIP != Absent || l.Other != "" || !l.Majority()):
		return Outvoted // without the VIP it does not ask for the lease, and may have it
	case f.Role == node.Replica && l.Other != "" && l.Age <= leaseRenewed && !f.hears() && !slices.ContainsFunc(f.Peers, Node.Reached):
		return Leased
	}
	return Undecided
}

// hears says whether this replica has heard its master within the last second.
func (f Facts) hears() bool { return f.Linked() && f.Upstream.LastIO < time.Second }
