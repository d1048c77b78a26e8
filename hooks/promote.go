package hooks

import (
	"context"
	"fmt"

	"redis-vip/checks"
	"redis-vip/checks/node"
)

// promotion makes the local server a master.
func (s Settle) promotion() []step {
	return []step{
		{"look", s.mayPromote},
		{"REPLICAOF NO ONE", s.promote},
		{"verify master", s.verifyMaster},
		{"CONFIG REWRITE", s.persist},
	}
}

// mayPromote refuses what would destroy data: a master made of half a copy turns
// the rest of the data, which the other node still has, into the loser.
func (s Settle) mayPromote(ctx context.Context, r *Record) error {
	if err := s.look(ctx, r); err != nil {
		return err
	}
	if verdict := checks.Judge(r.Facts, checks.Policy{}); verdict.Reason == checks.Syncing {
		return notYet("%s", verdict.Reason.Sentence())
	}
	return nil
}

func (s Settle) promote(ctx context.Context, r *Record) error {
	if r.Facts.Self.Role == node.Master {
		return nil
	}
	return changed(s.Local.Promote(ctx))
}

func (s Settle) verifyMaster(ctx context.Context, r *Record) error {
	if err := s.look(ctx, r); err != nil {
		return err
	}
	if r.Facts.Self.Role != node.Master {
		return fmt.Errorf("%s said OK to REPLICAOF NO ONE and is still a %s: something else made it one again (Sentinel? another hook?)",
			s.Local.Addr(), r.Facts.Self.Role)
	}
	return nil
}
