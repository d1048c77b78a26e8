package preserve

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"redis-vip/checks/node"

	"github.com/redis/go-redis/v9"
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

// session is one replay of a suffix.
type session struct {
	Replay
	file   *File
	report *Report
	plan   *plan
	facts  node.Facts // the target's
	mark   Key
	keys   *Keyer
	client *redis.Client
	conn   *redis.Conn
	sequel *sequel // nil where conflicts are only presumed
	db     int     // that of conn
	second bool    // only what the first replay left out
	next   int     // the first unit that is not applied yet
}

// roomy is the endpoint where values may come back: of DUMP, or of a write such as LPOP.
func roomy(e node.Endpoint) node.Endpoint {
	e.MaxReply = maxUnit
	return e
}

func (s *session) run(ctx context.Context) error {
	s.client = roomy(s.Target).Client(s.Timeout)
	defer s.client.Close()
	s.conn = s.client.Conn()
	defer s.conn.Close()
	s.keys = NewKeyer(s.Target, s.Timeout)
	defer s.keys.Close()

	if was := s.file.Replayed; was != nil && was.Done {
		s.second = true
		s.mark.Name += ":forced"
	}
	if err := s.resume(ctx); err != nil {
		return err
	}
	err := s.file.each(func(u unit) error { return s.plan.add(ctx, u, s.keys.Keys) })
	if err != nil {
		return err
	}
	if err := s.findConflicts(ctx); err != nil {
		return err
	}
	defer s.sequel.close()
	if s.DryRun {
		s.count()
		return nil
	}
	if err := s.begin(); err != nil {
		return err
	}
	if err := s.apply(ctx); err != nil {
		return fmt.Errorf("%w: stopped after %d writes: run it again, and it goes on from there", err, s.report.Applied)
	}
	return s.end(ctx)
}

// resume reads on the target how far an earlier run came.
func (s *session) resume(ctx context.Context) error {
	note, err := s.conn.Get(ctx, s.mark.Name).Result()
	switch {
	case err == redis.Nil:
		return nil
	case err != nil:
		return err
	case strings.HasPrefix(note, "done"):
		return fmt.Errorf("%s %w, says the key %s of %s", s.file.Name(), ErrReplayed, s.mark.Name, s.Name)
	}
	if s.next, err = strconv.Atoi(note); err != nil || s.next < 0 {
		return fmt.Errorf("the key %s of %s says %.40q, which no replay writes: see what did, and delete it", s.mark.Name, s.Name, note)
	}
	s.plan.done = s.next
	s.report.Resumed = int64(s.next)
	return nil
}

// findConflicts excludes from the plan what a replay must leave alone.
func (s *session) findConflicts(ctx context.Context) error {
	was := s.file.Replayed
	if was != nil {
		for _, c := range was.Conflicts {
			s.plan.restore(c)
		}
	}
	if s.second {
		s.report.Exact = true
		return nil
	}
	var err error
	s.sequel, err = openSequel(ctx, s.Target, s.facts, s.file.Meta, s.keys, s.mark, s.Timeout)
	if err == nil {
		s.report.Exact = true
		return s.catchUp(ctx)
	}
	if ctx.Err() != nil {
		return err
	}
	s.report.Inexact = fmt.Sprintf("what %s wrote since the split is not known: %v", s.Name, err)
	if was != nil && s.next > 0 {
		return nil // what exists there may be our own work: the first run decided
	}
	if s.next > 0 && !s.Force {
		return fmt.Errorf("%s: begun on another host, and %s: take it up there, where its sidecar says what was left out", s.file.Name(), s.report.Inexact)
	}
	return s.presume(ctx)
}

// catchUp reads the target's own writes up to now.
func (s *session) catchUp(ctx context.Context) error {
	text, err := s.conn.Info(ctx, "replication").Result()
	if err != nil {
		return err
	}
	for line := range strings.Lines(text) {
		if value, found := strings.CutPrefix(line, "master_repl_offset:"); found {
			offset, _ := strconv.ParseInt(strings.TrimSpace(value), 10, 64)
			return s.sequel.read(ctx, s.plan, offset)
		}
	}
	return fmt.Errorf("%s does not say its offset", s.Name)
}

// presume takes every key that exists on the target for a conflict.
func (s *session) presume(ctx context.Context) error {
	for i := 0; i < len(s.plan.keys); i += batchWrites {
		keys := s.plan.keys[i:min(i+batchWrites, len(s.plan.keys))]
		pipe := s.conn.Pipeline()
		exists := make([]*redis.IntCmd, len(keys))
		for j, key := range keys {
			s.selectDB(ctx, pipe, key.DB)
			exists[j] = pipe.Exists(ctx, key.Name)
		}
		if _, err := pipe.Exec(ctx); err != nil {
			return err
		}
		for j, key := range keys {
			if exists[j].Val() > 0 {
				s.plan.exclude(key, Exists)
			}
		}
	}
	return nil
}

func (s *session) selectDB(ctx context.Context, pipe redis.Pipeliner, db int) {
	if db != s.db {
		pipe.Do(ctx, "SELECT", db)
		s.db = db
	}
}

// chosen says whether a unit is to be applied.
func (s *session) chosen(unit int) bool {
	if s.second {
		return s.plan.leftOut(unit)
	}
	return s.Force || !s.plan.leftOut(unit)
}

// count reports what would be applied.
func (s *session) count() {
	s.report.Conflict = s.plan.conflicts()
	for i, u := range s.plan.units {
		switch chosen := s.chosen(i); {
		case chosen && i >= s.next:
			s.report.Applied += int64(u.writes)
		case !chosen && !s.second:
			s.report.LeftOut += int64(u.writes)
		}
	}
}

// begin notes in the sidecar what this run is about to do, so that one which takes
// it up decides the same.
func (s *session) begin() error {
	return s.file.update(func(m *Meta) {
		if m.Replayed == nil {
			m.Replayed = &Replayed{Begun: time.Now().UTC()}
		}
		m.Replayed.Target = s.Name
		m.Replayed.Conflicts = s.plan.conflicts()
	})
}

func (s *session) end(ctx context.Context) error {
	applied := s.report.Applied
	s.report.Conflict = s.plan.conflicts()
	pipe := s.conn.Pipeline()
	s.selectDB(ctx, pipe, s.mark.DB)
	pipe.Set(ctx, s.mark.Name, fmt.Sprintf("done %s", time.Now().UTC().Format(time.RFC3339)), markLife)
	_, err := pipe.Exec(ctx)
	return errors.Join(err, s.file.update(func(m *Meta) {
		m.Replayed.Done, m.Replayed.Ended, m.Replayed.Forced = true, time.Now().UTC(), s.Force
		m.Replayed.Applied += applied
		m.Replayed.LeftOut, m.Replayed.Conflicts = s.report.LeftOut, s.report.Conflict
	}))
}

// apply runs the chosen units, some at a time.
func (s *session) apply(ctx context.Context) error {
	var batch []numbered
	var bytes int
	number := -1
	err := s.file.each(func(u unit) error {
		number++
		if !s.chosen(number) {
			s.leaveOut(u)
			return nil
		}
		if number < s.next {
			return nil
		}
		batch = append(batch, numbered{number, u})
		for _, c := range u.commands {
			for _, arg := range c.args {
				bytes += len(arg)
			}
		}
		if len(batch) < batchWrites && bytes < batchBytes {
			return nil
		}
		err := s.commit(ctx, batch)
		batch, bytes = nil, 0
		return err
	})
	if err == nil && len(batch) > 0 {
		err = s.commit(ctx, batch)
	}
	return err
}

func (s *session) leaveOut(u unit) {
	if !s.second {
		s.report.LeftOut += int64(len(u.commands))
	}
}

type numbered struct {
	number int
	unit
}

// commit applies a batch in one transaction, and notes it. If somebody writes one
// of its keys meanwhile, nothing happens, and that key is a conflict from now on.
func (s *session) commit(ctx context.Context, batch []numbered) error {
	after := batch[len(batch)-1].number + 1
	for range maxTries {
		if ctx.Err() != nil { // go-redis heeds its deadline only
			return context.Cause(ctx)
		}
		if err := s.watch(ctx, batch); err != nil {
			return err
		}
		if s.sequel != nil && !s.Force {
			known := len(s.plan.out)
			if err := s.catchUp(ctx); err != nil {
				return err
			}
			if len(s.plan.out) > known {
				if err := s.begin(); err != nil {
					return err
				}
			}
		}
		applied, err := s.exec(ctx, batch, after)
		if err == redis.TxFailedErr {
			continue
		}
		if err != nil {
			return err
		}
		for _, u := range batch {
			if !s.chosen(u.number) {
				s.leaveOut(u.unit)
			}
		}
		s.next, s.plan.done = after, after
		s.report.Applied += applied
		if s.Progress != nil {
			s.Progress(s.report.Applied)
		}
		return nil
	}
	return fmt.Errorf("its keys are written all the time by others")
}

// watch watches the keys of a batch, and the note, and sees that no other replay
// has changed that.
func (s *session) watch(ctx context.Context, batch []numbered) error {
	pipe := s.conn.Pipeline()
	pipe.Do(ctx, "UNWATCH")
	s.selectDB(ctx, pipe, s.mark.DB)
	pipe.Do(ctx, "WATCH", s.mark.Name)
	note := pipe.Get(ctx, s.mark.Name)
	if !s.Force {
		for _, u := range batch {
			for _, c := range u.commands {
				keys, err := s.keys.Keys(ctx, c.db, c.args)
				if err != nil {
					return err
				}
				for _, key := range keys {
					s.selectDB(ctx, pipe, key.DB)
					pipe.Do(ctx, "WATCH", key.Name)
				}
			}
		}
	}
	if _, err := pipe.Exec(ctx); err != nil && err != redis.Nil {
		return err
	}
	if at, _ := strconv.Atoi(note.Val()); at != s.next && note.Val() != "" || note.Val() == "" && s.report.Applied > 0 {
		return fmt.Errorf("the key %s says %q, not %d: %w", s.mark.Name, note.Val(), s.next, ErrReplaying)
	}
	return nil
}

// exec runs what is still chosen of a batch. It returns redis.TxFailedErr if a
// watched key was written.
func (s *session) exec(ctx context.Context, batch []numbered, after int) (applied int64, err error) {
	db := s.db
	pipe := s.conn.Pipeline()
	pipe.Do(ctx, "MULTI")
	var sent []command // as the replies to come; nil args for our own
	do := func(c command, words ...any) {
		pipe.Do(ctx, words...)
		sent = append(sent, c)
	}
	enter := func(want int) {
		if want != db {
			do(command{}, "SELECT", want)
			db = want
		}
	}
	for _, u := range batch {
		if !s.chosen(u.number) {
			continue
		}
		for _, c := range u.commands {
			enter(c.db)
			words := make([]any, len(c.args))
			for i, arg := range c.args {
				words[i] = arg
			}
			do(c, words...)
		}
	}
	enter(s.mark.DB)
	do(command{}, "SET", s.mark.Name, after, "EX", int(markLife.Seconds())) // last: a FLUSHALL that was asked for must not take it along
	exec := pipe.Do(ctx, "EXEC")
	_, refused := pipe.Exec(ctx) // the first error: why a command could not be queued, and not that EXEC is aborted
	replies, err := exec.Slice()
	switch {
	case err == redis.Nil:
		return 0, redis.TxFailedErr
	case err != nil:
		return 0, refused
	}
	s.db = db
	for i, reply := range replies {
		failed, isError := reply.(error)
		switch {
		case i >= len(sent) || sent[i].args == nil:
		case !isError:
			applied++
		case len(s.report.Failed) < maxFailed:
			s.report.Failed = append(s.report.Failed, fmt.Sprintf("db %d: %s: %v", sent[i].db, render(sent[i].args), failed))
		}
	}
	return applied, nil
}
