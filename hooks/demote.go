package hooks

import (
	"context"
	"fmt"
	"net/netip"
	"sync"

	"redis-vip/checks/node"
)

// demotion makes the local server a replica of the master, and sends its clients
// to look for the VIP.
func (s Settle) demotion() []step {
	var master netip.AddrPort
	return []step{
		{"find master", func(ctx context.Context, r *Record) (err error) {
			master, err = s.findMaster(ctx, r)
			return err
		}},
		{"REPLICAOF master", func(ctx context.Context, r *Record) error { return s.follow(ctx, r, master) }},
		{"verify replica", func(ctx context.Context, r *Record) error { return s.verifyReplica(ctx, r, master) }},
		{"CLIENT KILL TYPE normal", s.disconnect},
		{"CONFIG REWRITE", s.persist},
	}
}

// findMaster looks at this node and all others at once, and picks the master
// among the others. A node is followed only if it says itself that it is a master,
// and is not this very server under another address: following oneself, one's own
// VIP, or one's own replica makes a ring in which every link is up and every write
// is refused.
func (s Settle) findMaster(ctx context.Context, r *Record) (netip.AddrPort, error) {
	peers := make([]Peer, len(s.Peers))
	var wait sync.WaitGroup
	for i, peer := range s.Peers {
		wait.Go(func() { peers[i] = Peer{peer.Addr(), peer.Look(ctx)} })
	}
	err := s.look(ctx, r)
	wait.Wait()
	r.Peers = peers
	if err != nil {
		return netip.AddrPort{}, err
	}
	for _, peer := range peers {
		if peer.Facts.Role == node.Master && peer.Facts.RunID != r.Facts.Self.RunID {
			return peer.Addr, nil
		}
	}
	return netip.AddrPort{}, notYet("no other node is a master%s", seen(peers))
}

func seen(peers []Peer) (text string) {
	for _, peer := range peers {
		text += fmt.Sprintf("; %s: %s", peer.Addr, describe(peer.Facts))
	}
	return text
}

func (s Settle) follow(ctx context.Context, r *Record, master netip.AddrPort) error {
	if r.Facts.Self.Follows(master) {
		return nil
	}
	return changed(s.Local.Follow(ctx, master))
}

// verifyReplica does not wait for the link: a full copy may take an hour.
func (s Settle) verifyReplica(ctx context.Context, r *Record, master netip.AddrPort) error {
	if err := s.look(ctx, r); err != nil {
		return err
	}
	if !r.Facts.Self.Follows(master) {
		return fmt.Errorf("%s said OK to REPLICAOF %s and is now: %s: something else changed it (Sentinel? another hook?)",
			s.Local.Addr(), master, describe(r.Facts.Self))
	}
	return nil
}

func (s Settle) disconnect(ctx context.Context, _ *Record) error {
	_, err := s.Local.Disconnect(ctx)
	return changed(err)
}
