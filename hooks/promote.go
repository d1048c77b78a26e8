package hooks

import (
	"context"
	"errors"
	"fmt"
	"time"

	"redis-vip/checks"
	"redis-vip/checks/node"
	"redis-vip/hooks/preserve"
)

// handoverPause is how long writers of the old master wait at most if this program dies
// in the middle.
const handoverPause = 5 * time.Second

// releaseTime is how long an old master may take to hear that its writers may go on.
const releaseTime = time.Second

// promotion makes the local server the master. Where the old master lives and this
// is its replica, its writers wait until the last write has arrived here, and then
// find a replica where their master was: nothing is lost. Where it is dead, nothing
// is waited for.
type promotion struct {
	Settle
	old      Server     // the master that waits for us, if any
	judged   node.Facts // what may be promoted
	bids     int        // for the lease
	unpaused bool
	promoted bool
}

func (p *promotion) steps() []step {
	return []step{
		{name: "note that the VIP came", run: p.note},
		{name: "look around", run: p.mayPromote},
		{name: "pause the old master", run: p.pause},
		{name: "drain", run: p.drain},
		{name: "take the lease", run: p.elect},
		{name: "hold the old master", run: p.hold},
		{name: "send followers away", run: p.sendAway},
		{name: "REPLICAOF NO ONE", run: p.promote},
		{name: "verify master", run: p.verify},
		{name: "CLIENT UNPAUSE", run: p.unpause},
		{name: "CONFIG REWRITE", run: p.persist},
		{name: "demote the old master", run: p.succeed, slow: true},
	}
}

// note has a replica remember that it is about to be a master, or that somebody else may
// make it one. If its host dies before more is known, it cannot say that its master has all
// that it has.
func (p *promotion) note(_ context.Context, r *Record) error {
	m := p.Recall()
	if m.Role != node.Replica || m.Called {
		return errNothing
	}
	m.Called, m.At = true, p.Clock.Now()
	p.remember(r, m)
	return nil
}

// mayPromote asks the verdict. A master made of half a copy, or of old data, turns
// the data that another node still has into the loser.
func (p *promotion) mayPromote(ctx context.Context, r *Record) error {
	if err := p.survey(ctx, r); err != nil {
		return err
	}
	verdict := checks.Judge(r.Facts, p.Policy)
	if verdict.Reason == checks.Preserving { // a run that was killed left it so
		if err := p.withdraw(ctx); err != nil {
			return changed(err)
		}
		return notYet("%s", verdict.Reason.Sentence())
	}
	if !verdict.Reason.MayPromote() && !p.Force {
		return notYet("refused (%s): %s", verdict.Reason, verdict.Reason.Sentence())
	}
	p.judged = r.Facts.Node.Facts
	if r.Facts.Role == node.Master {
		return nil // its writers wait for the votes
	}
	p.unpaused = true
	return p.resumeWriters(ctx) // a pause that a demotion left behind, or anybody, stops the replication
}

// pause makes the writers of the old master wait, if it lives.
func (p *promotion) pause(ctx context.Context, r *Record) error {
	old, found := p.predecessor(r.Facts)
	if !found {
		for _, peer := range r.Facts.Peers {
			if peer.Class.Answers() && peer.Role == node.NoRole {
				r.warn(fmt.Errorf("%s lives (%s), and cannot be asked to wait: its last writes may not be here", peer.Addr, peer.Class))
			}
		}
		return errNothing
	}
	server := p.peer(old.Addr)
	if err := free(ctx, server, old.Facts); err != nil {
		return err
	}
	if err := server.Pause(ctx, handoverPause); err != nil {
		// It has died since, or does not know the command: it is promoted past.
		r.warn(fmt.Errorf("the old master %s did not pause: %w", old.Addr, err))
		return nil
	}
	p.old = server
	return nil
}

// predecessor is the live master that this node replicates from; or, where a run
// before this one got no further than to promote, the one that it left behind.
func (p *promotion) predecessor(f checks.Facts) (checks.Node, bool) {
	if f.Role == node.Master {
		for _, peer := range f.Peers {
			if peer.IsMaster() && peer.RunID != f.RunID && f.Outranks(peer, p.Policy) {
				return peer, true
			}
		}
		return checks.Node{}, false
	}
	leader, found := f.Leader(p.Policy)
	return leader, found && f.Linked() && f.Follows(leader.Addr)
}

// drain waits until the last write of the old master has arrived.
func (p *promotion) drain(ctx context.Context, r *Record) error {
	if p.old == nil || r.Facts.Role == node.Master {
		return errNothing
	}
	if err := drain(ctx, p.Clock, p.old, p.Local); err != nil {
		r.warn(fmt.Errorf("%w: they are preserved instead", err))
	}
	return nil
}

// elect gets the second vote that a master needs. The old master's writers wait for
// this node: it agrees, and so does one that is none any more. Otherwise it takes the
// lease.
func (p *promotion) elect(ctx context.Context, r *Record) error {
	switch {
	case p.Ballot == nil:
		return errNothing
	case p.old != nil:
		r.Facts.Lease = p.Ballot.TakeOver(ctx, p.old.Addr())
	default:
		r.Facts.Lease = p.Ballot.Claim(ctx)
	}
	lease := r.Facts.Lease
	elected := p.old != nil || r.Facts.Succeeds() || r.Facts.Role == node.Master && r.Facts.Entitled()
	switch {
	case elected && lease.Mine:
		return nil
	case elected, p.Force:
		r.warn(fmt.Errorf("serves without the lease: %w", refusal(lease)))
		return nil
	}
	// The votes change with time, and so does what they rest on. Others are asked less
	// often: they may be silent, and that takes its time.
	again := []func(context.Context, *Record) error{p.look}
	if p.bids++; p.bids%10 == 0 {
		again = []func(context.Context, *Record) error{p.mayPromote, p.pause, p.drain}
	}
	for _, step := range again {
		if err := step(ctx, r); err != nil && !errors.Is(err, errNothing) {
			return err
		}
	}
	if lease.Mine {
		return notYet("has the lease, and waits until the other node no longer counts on this one")
	}
	return notYet("has one vote of three: %w", refusal(lease))
}

// hold has the writers of the old master wait once more. Until it had lost the lease, its own
// hook or guard might let them go on.
func (p *promotion) hold(ctx context.Context, r *Record) error {
	if p.old == nil || p.Ballot == nil {
		return errNothing
	}
	if err := p.old.Pause(ctx, handoverPause); err != nil {
		return fmt.Errorf("%w: the old master %s did not pause again: %w", errAgain, p.old.Addr(), err)
	}
	return p.drain(ctx, r)
}

// refusal says why a lease was not granted.
func refusal(l checks.Lease) error {
	switch {
	case l.Other != "":
		return fmt.Errorf("%s has the lease and renewed it %v ago", l.Other, l.Age.Round(time.Millisecond))
	case !l.Majority():
		return fmt.Errorf("%d of %d witnesses answer: %s", l.Reached, l.Witnesses, l.Problem)
	default:
		return errors.New("a witness that has just started grants nothing yet")
	}
}

// sendAway has nodes that wait for this one wait for nobody, if they have what this one
// lacks: as soon as it is a master, they would copy its data over their own. Then all is
// judged anew: one that was copying this node's data, by mistake, is a candidate now.
func (p *promotion) sendAway(ctx context.Context, r *Record) error {
	result := errNothing
	for _, peer := range r.Facts.Peers {
		if r.Facts.Role == node.Master || !peer.Follows(r.Facts.Addr) || preserve.Diverge(peer.Facts, r.Facts.Node.Facts).Safe() {
			continue
		}
		if err := p.peer(peer.Addr).Follow(ctx, node.Nobody); err != nil {
			return changed(err)
		}
		result = fmt.Errorf("%w: %s waits for nobody now", errAgain, peer.Addr)
	}
	return result
}

// promote looks once more: the drain and the votes may have taken seconds.
func (p *promotion) promote(ctx context.Context, r *Record) error {
	if err := p.look(ctx, r); err != nil {
		return err
	}
	switch {
	case !p.isJudged(r.Facts.Node):
		return fmt.Errorf("%w: it is: %s", errAgain, Describe(r.Facts.Node.Facts))
	case r.Facts.Role == node.Master:
		return errNothing
	}
	return changed(p.Local.Promote(ctx))
}

// isJudged says whether this is still what the verdict was about. A Redis that has restarted
// is not, perhaps it has lost its data; nor is a master that a new one, whose writers nobody
// has paused, has made its replica meanwhile; nor a replica that no longer gets what its
// living master has.
func (p *promotion) isJudged(now checks.Node) bool {
	was := p.judged
	return now.RunID == was.RunID && now.Upstream.Host == was.Upstream.Host && now.Upstream.Port == was.Upstream.Port &&
		(p.old == nil || now.Role == node.Master || now.Linked())
}

func (p *promotion) verify(ctx context.Context, r *Record) error {
	if err := p.look(ctx, r); err != nil {
		return err
	}
	f := r.Facts.Node
	if f.Role != node.Master {
		return fmt.Errorf("%s said OK to REPLICAOF NO ONE and is still a %s: something else made it one again (Sentinel? another hook?)",
			p.Local.Addr(), f.Role)
	}
	p.promoted = true
	p.remember(r, checks.Memory{Role: node.Master, ReplID: f.ReplID, Offset: f.Offset, Keys: f.Keys, Online: true, At: p.Clock.Now()})
	return nil
}

// unpause ends what a demotion has left behind.
func (p *promotion) unpause(ctx context.Context, r *Record) error {
	if p.unpaused {
		return errNothing
	}
	return p.resumeWriters(ctx)
}

// succeed makes the old master a replica of this one. It has the writers' requests
// still in hand: as a replica it refuses them, and they come here. That it fails is
// a warning: this node is the master, and the old one's own hook is on its way.
func (p *promotion) succeed(ctx context.Context, r *Record) error {
	if p.old == nil {
		return errNothing
	}
	if err := p.demoteOld(ctx, r); err != nil {
		r.warn(fmt.Errorf("the old master %s does not follow yet: %w", p.old.Addr(), err))
	}
	p.old = nil // from here on its pause is its own affair
	return nil
}

func (p *promotion) demoteOld(ctx context.Context, r *Record) error {
	ctx, cancel := p.Clock.WithTimeout(ctx, p.Within)
	defer cancel()
	theirs := p.old.Look(ctx)
	switch {
	case theirs.Role == node.Master:
		if d := preserve.Diverge(theirs, r.Facts.Node.Facts); !d.Safe() {
			err := p.save(ctx, r, p.old, r.Facts.Node, handoverPause)
			if errors.Is(err, errSuperseded) {
				err = fmt.Errorf("its preservation did not end within %v", p.Within)
			}
			if err != nil {
				return err
			}
		}
		if err := p.old.Follow(ctx, p.Local.Addr()); err != nil {
			return err
		}
	case !theirs.Follows(p.Local.Addr()):
		return fmt.Errorf("it is: %s", Describe(theirs))
	}
	if err := p.old.Unpause(ctx); err != nil && !unsupported(err) {
		return err
	}
	_, err := p.old.Disconnect(ctx)
	return err
}

// release lets the old master go on if nothing came of it.
func (p *promotion) release(ctx context.Context) {
	if p.old == nil || p.promoted {
		return
	}
	ctx, cancel := p.Clock.WithTimeout(context.WithoutCancel(ctx), releaseTime)
	defer cancel()
	p.old.Unpause(ctx) // or the pause ends by itself
}
