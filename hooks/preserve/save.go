// Package preserve saves the writes that a demotion would destroy, and brings them
// back.
//
// A master that is told to follow another one drops whatever that one lacks. Those
// writes are in its own replication backlog, and can be read from it as a replica
// reads them ([Store.Save]); where the backlog does not reach, all the data can be.
// What was saved can be looked at and applied to the new master later
// ([File.Replay]).
package preserve

import (
	"context"
	"errors"
	"fmt"
	"io"
	"syscall"
	"time"

	"redis-vip/checks/node"
)

// Policy says what a demotion does when it cannot preserve.
type Policy uint8

// The policies.
const (
	Require Policy = iota // goes no further: the node stays a master that takes no writes
	Try                   // goes on, and says what was lost
	Off                   // does not preserve
)

var policies = [...]string{Require: "require", Try: "try", Off: "off"}

func (p Policy) String() string { return policies[p] }

// MarshalText gives the policy's name.
func (p Policy) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText reads require, try or off.
func (p *Policy) UnmarshalText(text []byte) error {
	for i, name := range policies {
		if name == string(text) {
			*p = Policy(i)
			return nil
		}
	}
	return fmt.Errorf("preserve = %q: must be require, try or off", text)
}

// Request is what to save.
type Request struct {
	Node     node.Endpoint // the node to be demoted; its writes are paused
	Name     string        // its address as others know it; empty means as in Node
	Winner   string        // the address of the master that it is to follow
	Master   node.Facts    // what that one said
	Event    string        // why this happens, for the record
	Stall    time.Duration // the longest silence of the node that is borne; 0 means 15 s, more than repl-diskless-sync-delay
	Progress func(Progress)
}

// Progress is told about once a second while all data is saved.
type Progress struct {
	Bytes int64
	Took  time.Duration
}

const defaultStall = 15 * time.Second

// Save puts on disk what the master lacks. The caller has paused writes on the node
// before it looked at the master, and keeps them paused; the context bounds it all.
//
// Where no write is at risk, no file is made, and File.Kind is [Nothing]. An error
// means that nothing was saved. It wraps [ErrNoMasterLink] where the node is a
// replica of nobody, [ErrNoSpace] or ENOSPC, the error of the context, or what the
// server said.
//
// What the same history holds is saved once: a run that could not go further finds
// the file of the one before ([File].Reused).
func (s Store) Save(ctx context.Context, r Request) (File, error) {
	if r.Stall == 0 {
		r.Stall = defaultStall
	}
	if r.Name == "" {
		r.Name = r.Node.String()
	}
	look, cancel := context.WithTimeout(ctx, r.Stall)
	a := r.Node.Look(look)
	cancel()
	if a.ReplID == "" {
		return File{}, fmt.Errorf("%s does not say what it has: %s: %s", r.Name, a.Class, a.Problem)
	}
	m := Meta{
		Group: s.Group, When: time.Now().UTC().Truncate(time.Second), ReplID: a.ReplID,
		Divergence: Diverge(a, r.Master), Node: identity(r.Name, a), Winner: identity(r.Winner, r.Master), Event: r.Event,
	}
	if m.Safe() {
		return File{Meta: m}, nil
	}
	probe := m
	if probe.Kind = Suffix; probe.named() != nil {
		return File{}, fmt.Errorf("cannot preserve what %s has: %w", r.Name, probe.named())
	}
	d, err := s.draft()
	if err != nil {
		return File{}, fmt.Errorf("cannot preserve: %w", err)
	}
	defer d.discard()
	if old, found := d.saved(ctx, r, a, m); found {
		return old, nil
	}
	counts, err := d.suffix(ctx, r, a, m.Divergence)
	switch {
	case err == nil && counts.Writes == 0:
		m.Counts = counts
		return File{Meta: m}, nil // PINGs alone
	case err == nil:
		m.Kind, m.Counts = Suffix, counts
	case !needsCopy(err):
		return File{}, fmt.Errorf("cannot preserve %d bytes of %s: %w", m.Bytes(), r.Name, err)
	case a.Keys == 0:
		return File{Meta: m}, nil // its last keys are gone: there is nothing to copy
	default:
		m.Kind, m.Why, m.From = RDB, err.Error(), 0
		at, _, err := d.rdb(ctx, r)
		if err != nil {
			return File{}, fmt.Errorf("cannot preserve all data of %s, which must be because %s: %w", r.Name, m.Why, err)
		}
		m.ReplID, m.To = at.replid, at.offset
	}
	f, err := d.keep(m)
	if err != nil {
		return File{}, fmt.Errorf("cannot preserve: %w", err)
	}
	s.prune()
	return f, nil
}

// needsCopy says whether a full copy may succeed where the suffix failed.
func needsCopy(err error) bool {
	for _, reason := range []error{errTooShort, errBoundary, errNoDatabase, errUnrelated, errFullResync, ErrGarbage} {
		if errors.Is(err, reason) {
			return true
		}
	}
	return false
}

var errUnrelated = errors.New("the nodes have no history in common")

// saved finds what an earlier run saved of the same history, if nothing but PINGs
// came since. Where a node has no backlog its offset stands still whatever is
// written; but then it shares its history with nobody, and a copy gives it a new
// one, with a backlog (replication.c, syncCommand).
func (d *draft) saved(ctx context.Context, r Request, a node.Facts, m Meta) (File, bool) {
	files, _ := d.store.List()
	for _, f := range files {
		if f.ReplID != m.ReplID || f.Node.Addr != m.Node.Addr || f.Node.RunID != m.Node.RunID ||
			f.Kind == Suffix && f.From != m.From || f.To > m.To || f.Replayed != nil {
			continue
		}
		if f.To < m.To {
			later, err := d.suffix(ctx, r, a, Divergence{From: f.To + 1, To: m.To})
			if err != nil || later.Writes > 0 {
				continue
			}
		}
		f.Reused = true
		return f, true
	}
	return File{}, false
}

// suffix reads the missing writes into the draft.
func (d *draft) suffix(ctx context.Context, r Request, a node.Facts, div Divergence) (c Counts, err error) {
	if div.From == 0 {
		return c, errUnrelated
	}
	if err := d.store.room(div.Bytes()); err != nil {
		return c, err
	}
	starts := []beginning{{}}
	for i := 0; i < len(starts); i++ {
		err = d.attempt(ctx, r, func(l *link) error {
			b, err := l.readBacklog()
			if err != nil {
				return err
			}
			if i == 0 {
				starts = beginnings(a, b, div.From)
			}
			if len(starts) == 0 {
				return errTooShort
			}
			c, err = suffix(l, a, b, starts[i], div, d)
			return err
		})
		if !errors.Is(err, errBoundary) {
			return c, err
		}
	}
	return c, err
}

// rdb reads all data into the draft.
func (d *draft) rdb(ctx context.Context, r Request) (at position, n int64, err error) {
	begun := time.Now()
	told := begun
	err = d.attempt(ctx, r, func(l *link) error {
		at, n, err = fullCopy(l, d, d.store.room, func(bytes int64) {
			if r.Progress != nil && time.Since(told) >= time.Second {
				told = time.Now()
				r.Progress(Progress{bytes, time.Since(begun)})
			}
		})
		return err
	})
	return at, n, err
}

// attempt runs read on a new link and an empty draft.
func (d *draft) attempt(ctx context.Context, r Request, read func(*link) error) error {
	if err := d.restart(); err != nil {
		return err
	}
	l, err := connect(ctx, r.Node, r.Stall)
	if err != nil {
		return err
	}
	defer l.Close()
	err = read(l)
	if errors.Is(err, syscall.ENOSPC) {
		err = fmt.Errorf("%w: %w", ErrNoSpace, err)
	}
	return err
}

var _ io.Writer = (*draft)(nil)
