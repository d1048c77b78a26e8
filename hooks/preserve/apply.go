package preserve

import (
	"context"
	"fmt"
	"strconv"

	"github.com/redis/go-redis/v9"
)

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
