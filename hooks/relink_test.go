package hooks_test

import (
	"context"
	"testing"
	"time"

	"redis-vip/checks"
	"redis-vip/checks/node/nodetest"
)

// Redis links itself again to a master that comes back, and copies what that one has.
// So who has long waited for a dead one waits for nobody.
func TestLetGo(t *testing.T) {
	t.Parallel()
	a, b := nodetest.Redis(t), nodetest.Redis(t)
	b.Follow(a)
	a.Kill()
	for _, test := range []struct {
		since time.Duration
		gone  bool
	}{{checks.Silence, false}, {checks.Silence + time.Second, true}} {
		s := settle(t, at(checks.Absent), b, a)
		look := s.Survey
		s.Survey = func(ctx context.Context) checks.Facts {
			f := look(ctx)
			if f.Follows(a.Addr) {
				f.Upstream.LastIO, f.Upstream.DownSince = -time.Second, test.since
			}
			return f
		}
		run(t, s, time.Second) // there is nobody to follow
		if f := b.Look(); f.Follows(checks.Nobody) != test.gone || f.Follows(a.Addr) == test.gone {
			t.Errorf("%v after the link was lost it follows %+v", test.since, f.Upstream)
		}
	}
}

// Who becomes the master with less than one that waits for it sends that one away: it
// would be emptied.
func TestSendAway(t *testing.T) {
	t.Parallel()
	a, b := nodetest.Redis(t, "replicaof 127.0.0.1 1"), nodetest.Redis(t)
	a.Do("REPLICAOF", "NO", "ONE")
	a.Do("SET", "k", "v")
	b.Follow(a)
	a.Kill()
	a.Start() // empty, and a replica of nobody
	s := settle(t, at(checks.Here), a, b)
	s.Force = true
	reached(t, run(t, s, 5*time.Second))
	if f := b.Look(); !f.Follows(checks.Nobody) || f.Keys != 1 {
		t.Errorf("the other one follows %+v and has %d keys", f.Upstream, f.Keys)
	}
}
