package preserve

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"redis-vip/checks/node"
)

// sequel is what the new master wrote since the split, read from its own backlog
// and followed while it goes on.
type sequel struct {
	link   *link
	stream *Reader
	from   int64 // the offset of the stream's first byte
	parts  assembler
	keys   *Keyer
	mark   Key // a transaction that writes it is the replay's own
}

// openSequel begins at the split. An error says why that is not possible, for the
// operator.
func openSequel(ctx context.Context, target node.Endpoint, t node.Facts, m Meta, keys *Keyer, mark Key, stall time.Duration) (*sequel, error) {
	if m.From == 0 || !shares(t, m) {
		return nil, fmt.Errorf("it has no history in common with the file")
	}
	l, err := connect(ctx, target, stall)
	if err != nil {
		return nil, err
	}
	b, err := l.readBacklog()
	if err == nil && (b.first == 0 || b.first > m.From) {
		err = errTooShort // asked for all the same, it would begin a full copy
	}
	if err == nil {
		err = l.partial(t.ReplID, m.From)
	}
	if err != nil {
		l.Close()
		return nil, err
	}
	return &sequel{
		link: l, stream: NewReader(l.in, math.MaxInt64), from: m.From,
		parts: assembler{db: m.StartDB}, keys: keys, mark: mark,
	}, nil
}

// shares says whether the history of t contains what came before the split. Of a
// file without sidecar only the head of its replication ID is known.
func shares(t node.Facts, m Meta) bool {
	return slices.ContainsFunc(histories(t), func(h history) bool {
		same := h.id == m.Common || h.id == m.Winner.ReplID || strings.HasPrefix(h.id, m.ReplID)
		return same && h.end >= m.From-1
	})
}

// read excludes from the plan every key that was written up to offset.
func (s *sequel) read(ctx context.Context, p *plan, offset int64) error {
	for s.from+s.stream.Offset() <= offset {
		args, err := s.stream.Read()
		if err != nil {
			return fmt.Errorf("reading what the master wrote since: %w", unexpected(err))
		}
		u, complete, err := s.parts.add(args)
		if err != nil {
			return fmt.Errorf("reading what the master wrote since: %w", err)
		}
		if !complete {
			continue
		}
		if err := s.exclude(ctx, p, u); err != nil {
			return err
		}
	}
	// Without it the master hangs up after repl-timeout.
	return s.link.send("REPLCONF", "ACK", strconv.FormatInt(s.from+s.stream.Offset()-1, 10))
}

func (s *sequel) exclude(ctx context.Context, p *plan, u unit) error {
	var all []Key
	for _, c := range u.commands {
		if slices.Contains(sweeping, c.name()) {
			p.swept = true
		}
		keys, err := s.keys.Keys(ctx, c.db, c.args)
		if err != nil {
			return err
		}
		all = append(all, keys...)
	}
	if slices.ContainsFunc(all, func(k Key) bool { return k.Name == s.mark.Name && (k.DB == s.mark.DB || k.DB == noDB) }) {
		return nil
	}
	for _, key := range all {
		p.exclude(key, Changed)
	}
	return nil
}

func (s *sequel) close() {
	if s != nil {
		s.link.Close()
	}
}
