package preserve

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"redis-vip/checks/node"

	"github.com/redis/go-redis/v9"
)

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
