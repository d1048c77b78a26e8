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
// of it. redis-check --heal starts another run, and with it the time anew, for as
// long as the node must not write.
const fenceTime = time.Minute

// demotion makes the local server a replica of the master, after what the master
// lacks is on disk, and sends its clients to look for the VIP.
type demotion struct {
	Settle
	named  netip.AddrPort // whom to follow, where somebody else has decided that; else found among the peers
	master checks.Node
}

func (d *demotion) steps() []step {
	return []step{
		{name: "pause writes", run: d.fence},
		{name: "find master", run: d.find},
		{name: "preserve", run: d.preserve, slow: true},
		{name: "REPLICAOF master", run: d.follow},
		{name: "CLIENT UNPAUSE", run: d.unpause},
		{name: "verify replica", run: d.verify},
		{name: "CLIENT KILL TYPE normal", run: d.disconnect},
		{name: "CONFIG REWRITE", run: d.persist},
	}
}

// fence makes writers wait: from here on nothing is acknowledged that is neither
// preserved nor on the master.
func (d *demotion) fence(ctx context.Context, r *Record) error {
	if err := d.look(ctx, r); err != nil {
		return err
	}
	if r.Facts.Role != node.Master {
		return errNothing
	}
	err := d.Local.Pause(ctx, fenceTime)
	if unsupported(err) {
		r.warn(fmt.Errorf("writes go on until this is a replica: %w", err)) // before 6.2
		return nil
	}
	return changed(err)
}

// find picks the master among the others: one that says itself that it is one, is
// not this very server under another address, and ranks above this node. Following
// oneself, one's own VIP, or one's own replica makes a ring in which every link is
// up and every write is refused; following a lower one discards the better data.
func (d *demotion) find(ctx context.Context, r *Record) (err error) {
	if err := d.survey(ctx, r); err != nil {
		return err
	}
	var found bool
	if d.master, found = d.leader(r.Facts); !found {
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
	case f.Role == node.Replica && !f.Restarted():
		return errNothing // it has what it was sent
	case f.Restarted() && f.Memory.Role == node.Replica && d.continues(f.Memory.ReplID):
		return errNothing // what it loaded at its start, it was sent as well
	case preserve.Diverge(f.Node.Facts, d.master.Facts).Safe():
		return errNothing
	}
	if f.Role == node.Replica && d.Preserve != preserve.Off {
		// A replica of nobody hands out no data (NOMASTERLINK). Its writers find a
		// paused master instead of a replica.
		if err := errors.Join(d.Local.Pause(ctx, fenceTime), d.Local.Promote(ctx)); err != nil {
			return changed(err)
		}
	}
	return d.save(ctx, r, d.Local, d.master, fenceTime)
}

// continues says whether the master's history is, or went on from, the one given.
func (d *demotion) continues(replid string) bool {
	return replid != "" && (replid == d.master.ReplID || replid == d.master.ReplID2)
}

func (d *demotion) follow(ctx context.Context, r *Record) error {
	if err := d.look(ctx, r); err == nil && r.Facts.Follows(d.master.Addr) {
		return errNothing
	}
	return changed(d.Local.Follow(ctx, d.master.Addr))
}

// unpause comes directly after: see [Redis.Unpause].
func (d *demotion) unpause(ctx context.Context, _ *Record) error {
	if err := d.Local.Unpause(ctx); err != nil && !unsupported(err) {
		return changed(err)
	}
	return nil
}

// verify does not wait for the link: a full copy may take an hour.
func (d *demotion) verify(ctx context.Context, r *Record) error {
	if err := d.look(ctx, r); err != nil {
		return err
	}
	if !r.Facts.Follows(d.master.Addr) {
		return fmt.Errorf("%s said OK to REPLICAOF %s and is now: %s: something else changed it (Sentinel? another hook?)",
			d.Local.Addr(), d.master.Addr, Describe(r.Facts.Node.Facts))
	}
	d.remember(r, checks.Memory{Role: node.Replica, ReplID: d.master.ReplID, Offset: r.Facts.Offset, Keys: r.Facts.Keys, At: time.Now()})
	return nil
}

func (d *demotion) disconnect(ctx context.Context, _ *Record) error {
	_, err := d.Local.Disconnect(ctx)
	return changed(err)
}

// save preserves what a node has and the winner lacks, as the policy says, and
// keeps the writers of that node waiting while it does.
func (s Settle) save(ctx context.Context, r *Record, from Server, winner checks.Node, pause time.Duration) error {
	if s.Preserve == preserve.Off {
		r.warn(fmt.Errorf("preserve is off: what %s lacks of %s is lost", winner.Addr, from.Addr()))
		return nil
	}
	waiting, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		for {
			select {
			case <-waiting.Done():
				return
			case <-time.After(pause / 3):
				from.Pause(waiting, pause)
			}
		}
	}()
	file, err := s.Save(ctx, Loss{From: from.Addr(), Winner: winner, Event: r.Event})
	switch {
	case err == nil && file.Kind == preserve.Nothing:
		return nil
	case err == nil:
		r.Preserved = append(r.Preserved, file)
		r.warn(fmt.Errorf("%s had what %s lacks: preserved: %s", from.Addr(), winner.Addr, file))
		return nil
	case s.Preserve == preserve.Try:
		r.warn(fmt.Errorf("could not preserve what %s lacks of %s, and goes on (preserve = \"try\"): %w", winner.Addr, from.Addr(), err))
		return nil
	case ctx.Err() != nil:
		return errSuperseded
	default:
		return notYet("could not preserve what %s lacks of %s; it takes no writes until that is mended: %w", winner.Addr, from.Addr(), err)
	}
}

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
