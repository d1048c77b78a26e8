package preserve

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"redis-vip/checks/node"

	"golang.org/x/sys/unix"
)

// Replay is how a preserved file is applied to a master.
//
// A suffix is applied in order, in transactions on the master. Keys that were
// written there since the split are conflicts; they are found in the master's own
// backlog, exactly, and watched, so that none is overwritten that a client writes
// at this very moment. Where that backlog does not reach back to the split, every
// key that exists there counts as one ([Exists]).
//
// Each transaction also notes in the key `redis-vip:replayed:FILE` of database 0
// how far it came. So a replay that was cut short is taken up where it ended,
// exactly once for each command, even from another host; and one that is complete
// is refused, as long as that key (30 days) or the sidecar is there.
//
// Of an RDB the keys that are absent on the master are copied with DUMP and
// RESTORE; see restore.go.
type Replay struct {
	Target   node.Endpoint // the master
	Name     string        // its address as others know it; empty means as in Target
	DryRun   bool          // find the conflicts, and change nothing
	Force    bool          // apply conflicts too; after a replay that left some out, only those
	Source   bool          // the target may be the node that the file came from
	Timeout  time.Duration // of one command; 0 means 10 s
	Program  string        // for an RDB; empty means redis-server of PATH, or valkey-server
	Progress func(applied int64)
}

// Report is what a replay did, or would do.
type Report struct {
	File     string     `json:"file"`
	Target   string     `json:"target"`
	DryRun   bool       `json:"dry_run,omitempty"`
	Exact    bool       `json:"exact"`             // conflicts are known; else they are presumed
	Inexact  string     `json:"inexact,omitempty"` // why
	Resumed  int64      `json:"resumed,omitempty"` // units that an earlier run had applied
	Applied  int64      `json:"applied"`           // writes, or keys of an RDB
	LeftOut  int64      `json:"left_out"`          // likewise
	Same     int64      `json:"same,omitempty"`    // keys of an RDB that are there with the same value
	Conflict []Conflict `json:"conflicts,omitempty"`
	Failed   []string   `json:"failed,omitempty"` // what the master refused, in its words; at most 100
	Notes    []string   `json:"notes,omitempty"`
}

// Why a replay is refused.
var (
	ErrReplayed  = errors.New("was replayed already")
	ErrReplaying = errors.New("another replay of it is running")
	ErrNotMaster = errors.New("is no master")
	ErrSource    = errors.New("is the node that the writes came from")
)

const (
	markPrefix   = "redis-vip:replayed:"
	markLife     = 30 * 24 * time.Hour
	batchWrites  = 256
	batchBytes   = 1 << 20
	maxFailed    = 100
	maxTries     = 100 // of one transaction, each of which finds a new conflict
	replyTimeout = 10 * time.Second
)

// Replay applies the file to a master. With an error the report says how far it
// came.
func (f *File) Replay(ctx context.Context, r Replay) (Report, error) {
	if r.Timeout == 0 {
		r.Timeout = replyTimeout
	}
	if r.Name == "" {
		r.Name = r.Target.String()
	}
	report := Report{File: f.Path, Target: r.Name, DryRun: r.DryRun}
	lock, err := f.lock()
	if err != nil {
		return report, err
	}
	defer lock.Close()
	if now, err := Open(f.Path); err == nil {
		*f = now // another run may have changed it before we had the lock
	}
	if err := f.mayReplay(r); err != nil {
		return report, err
	}
	look, cancel := context.WithTimeout(ctx, r.Timeout)
	t := r.Target.Look(look)
	cancel()
	switch {
	case t.Role == node.Replica:
		return report, fmt.Errorf("%s %w: it follows %s:%d: replay onto that", r.Name, ErrNotMaster, t.Upstream.Host, t.Upstream.Port)
	case t.Role != node.Master:
		return report, fmt.Errorf("%s %w: %s: %s", r.Name, ErrNotMaster, t.Class, t.Problem)
	case !r.Source && (r.Name == f.Node.Addr || t.RunID == f.Node.RunID):
		return report, fmt.Errorf("%s %w", r.Name, ErrSource)
	}
	if f.Kind == RDB {
		return report, f.restore(ctx, r, &report)
	}
	s := &session{file: f, Replay: r, report: &report, plan: newPlan(), facts: t, mark: Key{0, markPrefix + f.Name()}}
	return report, s.run(ctx)
}

// mayReplay refuses what was done already. What a complete replay left out may
// still be forced, once.
func (f File) mayReplay(r Replay) error {
	was := f.Replayed
	if was == nil || !was.Done || r.Force && was.LeftOut > 0 && !was.Forced {
		return nil
	}
	return fmt.Errorf("%s %w, onto %s at %s: %d applied, %d left out", f.Name(), ErrReplayed, was.Target, was.Ended.Format(time.RFC3339), was.Applied, was.LeftOut)
}

// lock keeps other replays of the file out, until it is closed or the process ends.
func (f File) lock() (*os.File, error) {
	file, err := openPlain(f.Path)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		file.Close()
		return nil, fmt.Errorf("%s: %w", f.Name(), ErrReplaying)
	}
	return file, nil
}
