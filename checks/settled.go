package checks

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
)

// Unsettled says what is still on its way between the nodes. It is nil where one is the
// master, and the others follow it with their link up. A node that does not answer is
// not waited for: it may be gone for good.
func (f Facts) Unsettled() error {
	var master Node
	nodes := append([]Node{f.Node}, f.Peers...)
	for _, n := range nodes {
		switch {
		case !n.IsMaster():
		case master.IsMaster():
			return fmt.Errorf("%s and %s are masters", master.Addr, n.Addr)
		default:
			master = n
		}
	}
	if !master.IsMaster() {
		return errors.New("no node is a master")
	}
	for _, n := range nodes {
		switch {
		case n.Addr == master.Addr, !n.Class.Answers():
		case !n.Follows(master.Addr):
			return fmt.Errorf("%s does not follow %s", n.Addr, master.Addr)
		case !n.Linked():
			return fmt.Errorf("%s does not hear its master yet", n.Addr)
		}
	}
	return nil
}

// Unsettled says what is still on its way among the Sentinels. It is nil where all that
// answer name one master, have ended the failover that made it one, and know each other
// and its replicas; and where the nodes are settled, too.
//
// Before that, no Sentinel may be told to forget what it knows. The one that leads a
// failover names the new master, and goes on having the old one's address until the
// replicas follow. SENTINEL RESET leaves it with that address, and with the epoch of the
// new one (sentinel.c:1532, :1664): no other Sentinel knows anything newer, so it never
// learns better.
func (c Council) Unsettled() error {
	master, _, found := c.Majority()
	if !found {
		return fmt.Errorf("no master has a majority of the %d Sentinels: %s", len(c.Answers), c.said())
	}
	replicas := 0
	for _, n := range append([]Node{c.Node}, c.Peers...) {
		if n.Linked() && n.Follows(master) {
			replicas++
		}
	}
	for _, a := range c.Answers {
		switch {
		case a.Err != nil:
		case a.Failover:
			return fmt.Errorf("the Sentinel at %s is in the middle of a failover", a.Sentinel)
		case a.Master != master:
			return fmt.Errorf("the Sentinel at %s names %s, and most name %s", a.Sentinel, a.Master, master)
		case a.Down: // for a moment after a reset, too: two such would be a failover
			return fmt.Errorf("the Sentinel at %s takes %s for down", a.Sentinel, master)
		case a.Replicas < replicas:
			return fmt.Errorf("the Sentinel at %s knows %d of %d replicas", a.Sentinel, a.Replicas, replicas)
		}
		for _, b := range c.Answers {
			if a.Err == nil && b.Err == nil && a.Sentinel != b.Sentinel && !a.knows(b) {
				return fmt.Errorf("the Sentinel at %s does not know the one at %s", a.Sentinel, b.Sentinel)
			}
		}
	}
	return c.Facts.Unsettled()
}

// knows says whether one Sentinel knows another, which may have announced itself by
// another address than it was asked at.
func (a Answer) knows(b Answer) bool {
	return slices.ContainsFunc(a.Others, func(o Other) bool {
		return o.Addr == b.Sentinel || b.ID != "" && o.ID == b.ID
	})
}

// Astray are the Sentinels that name another master than most do, and take that for
// news at least as new: they do not learn better by themselves. One that has just not
// heard of a failover has a lower epoch.
//
// One was reset too early, see [Council.Unsettled]; or it led a failover when another one
// went back to the old master: it took over the epoch, had that very address still, so saw
// nothing to change (sentinel.c:2942), and then ended its own.
func (c Council) Astray() (list []netip.AddrPort) {
	master, _, found := c.Majority()
	epoch := 0
	for _, a := range c.Answers {
		if a.Err == nil && a.Master == master {
			epoch = max(epoch, a.Epoch)
		}
	}
	for _, a := range c.Answers {
		if found && a.Err == nil && a.Master != master && a.Epoch >= epoch && !c.choosing() {
			list = append(list, a.Sentinel)
		}
	}
	return list
}
