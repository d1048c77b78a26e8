package hooks

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"redis-vip/checks"
	"redis-vip/checks/node"
	"redis-vip/hooks/preserve"
)

// fenceTime is how long writers wait after the VIP has gone, if nothing else comes
// of it. A master without the VIP that is unfit drifts, so redis-check --heal starts
// another run, and with it the time anew, for as long as the node must not write.
const fenceTime = time.Minute

// demotion makes the local server a replica of the master, after what the master
// lacks is on disk, and sends its clients to look for the VIP.
type demotion struct {
	Settle
	named  netip.AddrPort // whom to follow, where somebody else has decided that; else found among the peers
	master checks.Node

	provisional bool // this node is a master for as long as its data is saved
}

func (d *demotion) steps() []step {
	return []step{
		{name: "pause writes", run: d.fence},
		{name: "release the lease", run: d.release},
		{name: "find master", run: d.find},
		{name: "preserve", run: d.preserve, slow: true},
		{name: "ask the master again", run: d.confirm},
		{name: "REPLICAOF master", run: d.follow},
		{name: "CLIENT UNPAUSE", run: d.unpause},
		{name: "verify replica", run: d.verify},
		{name: "CONFIG REWRITE", run: d.persist},
		{name: "CLIENT KILL TYPE normal", run: d.disconnect},
	}
}

// fence makes writers wait, and sends all clients to look for the VIP: from here on
// nothing is acknowledged that is neither preserved nor on the master.
func (d *demotion) fence(ctx context.Context, r *Record) error {
	if err := d.look(ctx, r); err != nil {
		return err
	}
	if r.Facts.Role != node.Master {
		return errNothing
	}
	err := d.stopWriters(ctx, r, fenceTime)
	if unsupported(err) {
		r.warn(fmt.Errorf("writes go on until this is a replica: %w", err)) // before 6.2
		return nil
	}
	if err != nil {
		return changed(err)
	}
	return d.disconnect(ctx, r)
}

// release lets the other node have the lease at once: nobody writes here any more.
func (d *demotion) release(ctx context.Context, r *Record) error {
	if d.Ballot == nil {
		return errNothing
	}
	if err := d.Ballot.Release(ctx); err != nil {
		r.warn(fmt.Errorf("the lease ends by itself: %w", err))
	}
	return nil
}

// find picks the master among the others: one that says itself that it is one, is
// not this very server under another address, and ranks above this node. Following
// oneself, one's own VIP, or one's own replica makes a ring in which every link is
// up and every write is refused; following a lower one discards the better data.
//
// Where there is none, a replica waits for nobody in place of a master that is none any more:
// only our programs link a node again, after what it has is preserved.
func (d *demotion) find(ctx context.Context, r *Record) (err error) {
	if err := d.survey(ctx, r); err != nil {
		return err
	}
	var found bool
	if d.master, found = d.leader(r.Facts); !found {
		if r.Facts.Role == node.Replica && r.Facts.Upstream.Up && d.Fenced.IsSet() {
			d.resumeWriters(ctx) // somebody has made it one since it was fenced: the pause would stop its replication
		}
		if !d.named.IsValid() && r.Facts.Abandoned() {
			d.waitForNobody(ctx, r) // where it fails, the next try does it
		}
		return notYet("no other node is a master that ranks above this one%s", seen(r.Facts.Peers))
	}
	return nil
}

// leader is the node to follow. Whoever names it, it has to be a master by its own
// word.
func (d *demotion) leader(f checks.Facts) (checks.Node, bool) {
	if !d.named.IsValid() {
		return f.Leader(d.Policy)
	}
	for _, peer := range f.Peers {
		if peer.Addr == d.named && peer.IsMaster() && peer.RunID != f.RunID {
			return peer, true
		}
	}
	return checks.Node{}, false
}

func seen(peers []checks.Node) (text string) {
	for _, peer := range peers {
		text += fmt.Sprintf("; %s: %s", peer.Addr, Describe(peer.Facts))
	}
	return text
}

// preserve puts what the master lacks on disk. With the policy "require", a node
// that cannot stays a master that takes no writes.
func (d *demotion) preserve(ctx context.Context, r *Record) error {
	f := r.Facts
	switch {
	case f.Upstream.Syncing && f.Follows(d.master.Addr) && !f.Unprepared(d.master):
		return errNothing // what it has was saved before that began
	case preserve.Diverge(d.remembered(f), d.master.Facts).Safe():
		return errNothing
	}
	if f.Role == node.Master || d.Preserve == preserve.Off {
		return d.save(ctx, r, d.Local, d.master, fenceTime)
	}
	// A replica of nobody hands out no data (NOMASTERLINK), so for the time of the
	// save it is a master, whose writers wait. It remembers that it is none.
	mine := f.Memory
	mine.Provisional, mine.At = true, d.Clock.Now()
	if err := d.Remember(mine); err != nil {
		return notYet("cannot remember why this node becomes a master: %w", err)
	}
	if err := errors.Join(d.stopWriters(ctx, r, fenceTime), d.Local.Promote(ctx)); err != nil {
		return changed(err)
	}
	d.provisional = true
	err := d.save(ctx, r, d.Local, d.master, fenceTime)
	if err != nil {
		d.withdraw(ctx)
	}
	return err
}

// withdraw makes the provisional master a replica of nobody again.
func (s Settle) withdraw(ctx context.Context) error {
	ctx, cancel := s.Clock.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	return errors.Join(s.Local.Follow(ctx, node.Nobody), s.resumeWriters(ctx))
}

// remembered is what this node has, with what it remembers in place of what a restart
// made it forget: after one from an AOF the replication ID is random. A node that was
// a replica of the very history that the master still writes, and to which the VIP had not
// come, has only what it was sent, and the master has that. (One that the master went on
// from is not enough: it may have restarted with less.)
func (d *demotion) remembered(f checks.Facts) node.Facts {
	if m := f.Memory; f.Restarted() && f.Offset == 0 && m.Role == node.Replica && !m.Called && m.ReplID == d.master.ReplID && m.Offset <= d.master.Offset {
		f.ReplID, f.Offset = m.ReplID, m.Offset
	}
	return f.Node.Facts
}

// confirm asks whether the master still is one, and writes the same history: a
// preservation may have taken long, and what was preserved is what that one lacked; and
// while another node was silent, it may have restarted with less. If not, the search
// begins anew.
func (d *demotion) confirm(ctx context.Context, r *Record) error {
	if !d.provisional && r.Facts.Follows(d.master.Addr) {
		return errNothing
	}
	is := d.peer(d.master.Addr).Look(ctx)
	if is.Role == node.Master && is.RunID == d.master.RunID && is.ReplID == d.master.ReplID {
		return nil
	}
	if d.provisional {
		if err := d.withdraw(ctx); err != nil {
			return changed(err)
		}
	}
	return fmt.Errorf("%w: %s is the master no more: %s", errAgain, d.master.Addr, Describe(is))
}

func (d *demotion) follow(ctx context.Context, r *Record) error {
	if err := d.look(ctx, r); err == nil && r.Facts.Follows(d.master.Addr) {
		return errNothing
	}
	return changed(d.Local.Follow(ctx, d.master.Addr))
}

// unpause comes directly after: see [Redis.Unpause].
func (d *demotion) unpause(ctx context.Context, _ *Record) error { return d.resumeWriters(ctx) }

// verify does not wait for the link: a full copy may take an hour.
func (d *demotion) verify(ctx context.Context, r *Record) error {
	if err := d.look(ctx, r); err != nil {
		return err
	}
	if !r.Facts.Follows(d.master.Addr) {
		return fmt.Errorf("%s said OK to REPLICAOF %s and is now: %s: something else changed it (Sentinel? another hook?)",
			d.Local.Addr(), d.master.Addr, Describe(r.Facts.Node.Facts))
	}
	d.remember(r, checks.Memory{Role: node.Replica, ReplID: d.master.ReplID, Master: d.master.RunID, Offset: r.Facts.Offset, Keys: r.Facts.Keys, At: d.Clock.Now()})
	return nil
}

func (d *demotion) disconnect(ctx context.Context, r *Record) error {
	_, err := d.Local.Disconnect(ctx)
	if again := changed(err); errors.Is(again, errNotYet) {
		return again
	}
	if err != nil {
		r.warn(fmt.Errorf("clients stay connected to this node: %w", err))
	}
	return nil
}

// save preserves what a node has and the winner lacks, as the policy says, and
// keeps the writers of that node waiting while it does.
func (s Settle) save(ctx context.Context, r *Record, from Server, winner checks.Node, pause time.Duration) error {
	if s.Preserve == preserve.Off {
		r.warn(fmt.Errorf("preserve is off: what %s lacks of %s is lost", winner.Addr, from.Addr()))
		return nil
	}
	waiting, stop := s.Clock.WithCancel(ctx)
	defer stop()
	s.Clock.Go(func() {
		for s.Clock.Sleep(waiting, pause/3); waiting.Err() == nil; s.Clock.Sleep(waiting, pause/3) {
			from.Pause(waiting, pause)
		}
	})
	loss := Loss{From: from.Addr(), Winner: winner, Event: r.Event}
	file, err := s.Save(ctx, loss)
	if err == nil && file.Kind != preserve.Nothing {
		r.Preserved = append(r.Preserved, file)
		r.warn(fmt.Errorf("%s had what %s lacks: preserved: %s", from.Addr(), winner.Addr, file))
		// This host may have stood still for longer than the pause, and the other one's
		// own hook may have let its writers go on: what came since is in no file.
		if file, err = s.Save(ctx, loss); err == nil && file.Kind != preserve.Nothing && !file.Reused {
			return fmt.Errorf("%w: %s has taken more writes", errAgain, from.Addr())
		}
	}
	switch {
	case err == nil:
		return nil
	case s.Preserve == preserve.Try:
		r.warn(fmt.Errorf("could not preserve what %s lacks of %s, and goes on (preserve = \"try\"): %w", winner.Addr, from.Addr(), err))
		return nil
	case ctx.Err() != nil:
		return errSuperseded
	case node.Classify(err) == node.NoPerm:
		return fmt.Errorf("may not preserve what %s lacks of %s; it takes no writes until that is mended: grant the ACL user +psync +replconf: %w",
			winner.Addr, from.Addr(), err)
	default:
		s.Clock.Sleep(ctx, saveRetry) // a full disk does not empty itself in milliseconds
		return notYet("could not preserve what %s lacks of %s; it takes no writes until that is mended: %w", winner.Addr, from.Addr(), err)
	}
}

const saveRetry = 500 * time.Millisecond

// unsupported says whether a server refused a command because it is too old, or
// has it renamed.
func unsupported(err error) bool {
	if err == nil {
		return false
	}
	text := strings.ToLower(err.Error())
	return strings.Contains(text, "unknown command") || strings.Contains(text, "unknown subcommand") ||
		strings.Contains(text, "syntax error") || strings.Contains(text, "timeout is not an integer")
}
