package hooks_test

import (
	"context"
	"testing"
	"time"

	"redis-vip/checks"
	"redis-vip/checks/node"
	"redis-vip/checks/node/nodetest"
	"redis-vip/hooks"
	"redis-vip/hooks/preserve"
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
		if f := b.Look(); f.Follows(node.Nobody) != test.gone || f.Follows(a.Addr) == test.gone {
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
	if f := b.Look(); !f.Follows(node.Nobody) || f.Keys != 1 {
		t.Errorf("the other one follows %+v and has %d keys", f.Upstream, f.Keys)
	}
}

// A save may take long. What was a master before it need not be one after it.
func TestMasterIsAskedAgain(t *testing.T) {
	t.Parallel()
	a, b := diverged(t, 10)
	s := settle(t, at(checks.Absent), a, b)
	save := s.Save
	s.Save = func(ctx context.Context, loss hooks.Loss) (preserve.File, error) {
		defer b.Do("REPLICAOF", node.Nobody.Addr().String(), node.Nobody.Port())
		return save(ctx, loss)
	}
	r := s.Run(deadline(t, time.Second))
	if f := a.Look(); r.Outcome != hooks.Failed || f.Role != node.Master || f.Keys != 11 {
		t.Errorf("%v %v: it is a %v of %+v with %d keys", r.Outcome, r.Err, f.Role, f.Upstream, f.Keys)
	}
}
