package hooks_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
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
		r := run(t, s, time.Second) // there is nobody to follow
		if said := slices.ContainsFunc(r.Actions, func(a hooks.Action) bool { return a.Name == "REPLICAOF nobody" }); said != test.gone {
			t.Errorf("%v after the link was lost, the record says %v", test.since, r.Actions)
		}
		if f := b.Look(); f.Follows(node.Nobody) != test.gone || f.Follows(a.Addr) == test.gone {
			t.Errorf("%v after the link was lost it follows %+v", test.since, f.Upstream)
		}
	}
}

// Under Sentinel a master that has restarted is soon a master again, perhaps with less: who
// waits for it waits for nobody until then. One that lives is waited for.
func TestReconcileLetsGo(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		happens func(master *nodetest.Server)
		syncing bool
		gone    bool
	}{
		"it is dead":               {(*nodetest.Server).Kill, false, true},
		"it has restarted":         {restart, false, true},
		"it died in a copy":        {(*nodetest.Server).Kill, true, true},
		"it restarted in a copy":   {restart, true, true},
		"it hangs in a copy":       {func(s *nodetest.Server) { s.Signal(syscall.SIGSTOP) }, true, false},
		"the link has been lost":   {func(*nodetest.Server) {}, false, false},
		"a copy that is under way": {func(*nodetest.Server) {}, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, b := nodetest.Redis(t, "replicaof 127.0.0.1 1"), nodetest.Redis(t)
			a.Do("REPLICAOF", "NO", "ONE")
			a.Do("SET", "k", "v")
			b.Follow(a)
			test.happens(a)
			c := reconciling(t, &fakeVIP{}, new(notes), naming(a), b, a)
			look := c.Survey
			c.Survey = func(ctx context.Context) checks.Facts {
				f := look(ctx)
				f.Upstream.Up, f.Upstream.Syncing = false, test.syncing
				return f
			}
			c.Run(deadline(t, 2*time.Second))
			if f := b.Look(); f.Follows(node.Nobody) != test.gone || f.Keys != 1 {
				t.Errorf("it follows %+v and has %d keys", f.Upstream, f.Keys)
			}
		})
	}
}

// So it does where it cannot ask: the Sentinels may have chosen meanwhile, and the old master
// may be there again when the network is.
func TestReconcileLetsGoWithoutAMajority(t *testing.T) {
	t.Parallel()
	for course, silence := range map[checks.Course]time.Duration{checks.Undecidable: 0, checks.Fence: time.Minute} {
		t.Run(course.String(), func(t *testing.T) {
			t.Parallel()
			a, b := nodetest.Redis(t), nodetest.Redis(t)
			b.Follow(a)
			a.Kill()
			r := reconciling(t, &fakeVIP{here: true}, &notes{silence: silence}, nobody, b, a).Run(deadline(t, 2*time.Second))
			if f := b.Look(); r.Course != course || !f.Follows(node.Nobody) {
				t.Errorf("%v (%v): it follows %+v", r.Course, r.Why, f.Upstream)
			}
		})
	}
}

func restart(s *nodetest.Server) {
	s.Kill()
	s.Start()
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

// Who was copying this node's data over better data of its own, because somebody told it
// to, is a candidate as soon as it has been sent away.
func TestSentAwayIsACandidate(t *testing.T) {
	t.Parallel()
	a, b := nodetest.Redis(t), nodetest.Redis(t)
	b.Follow(a)
	b.Do("REPLICAOF", node.Nobody.Addr().String(), node.Nobody.Port())
	a.Do("SET", "k", "v")
	a.Do("REPLICAOF", "127.0.0.1", b.Addr.Port())
	b.Do("REPLICAOF", "127.0.0.1", a.Addr.Port())
	s := settle(t, at(checks.Here), b, a)
	looks, look := 0, s.Survey
	s.Survey = func(ctx context.Context) checks.Facts {
		f := look(ctx)
		if looks++; looks == 1 { // a stalled link, and a copy under way
			f.Upstream.Up, f.Upstream.LastIO, f.Peers[0].Upstream.Syncing = true, 0, true
		}
		return f
	}
	r := s.Run(deadline(t, time.Second))
	if f := b.Look(); r.Outcome != hooks.Failed || f.Role != node.Replica {
		t.Errorf("%v %v: it is a %v", r.Outcome, r.Err, f.Role)
	}
	if f := a.Look(); looks < 2 || !f.Follows(node.Nobody) || f.Keys != 1 {
		t.Errorf("after %d looks the other one follows %+v and has %d keys", looks, f.Upstream, f.Keys)
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

// While a third node is silent the master may restart, and be one of nothing.
func TestMasterIsAskedBeforeItIsFollowed(t *testing.T) {
	t.Parallel()
	a, b := nodetest.Redis(t, "replicaof 127.0.0.1 1"), nodetest.Redis(t, "replicaof 127.0.0.1 1")
	b.Do("REPLICAOF", "NO", "ONE")
	b.Do("SET", "k", "v")
	a.Follow(b)
	a.Do("REPLICAOF", node.Nobody.Addr().String(), node.Nobody.Port())
	s := settle(t, at(checks.Absent), a, b)
	found, look := 0, s.Survey
	s.Survey = func(ctx context.Context) checks.Facts {
		f := look(ctx)
		if found++; found == 1 {
			b.Kill()
			b.Start()
		}
		return f
	}
	r := s.Run(deadline(t, time.Second))
	if f := a.Look(); r.Outcome != hooks.Failed || !f.Follows(node.Nobody) || f.Keys != 1 {
		t.Errorf("%v %v: it is a %v of %+v with %d keys", r.Outcome, r.Err, f.Role, f.Upstream, f.Keys)
	}
}

// A replica that the VIP came to may have been a master when its host died. What it has
// loaded from an AOF is not for sure what its master has.
func TestCalledReplicaIsPreserved(t *testing.T) {
	t.Parallel()
	a, b := nodetest.Redis(t), nodetest.Redis(t, "appendonly yes", "appendfsync always")
	a.Do("SET", "common", 1)
	b.Follow(a)
	nodetest.Eventually(t, "an AOF of the copy", func() error {
		if info := fmt.Sprint(b.Do("INFO", "persistence")); !strings.Contains(info, "aof_rewrite_in_progress:0") || !strings.Contains(info, "aof_rewrite_scheduled:0") {
			return errors.New("it is being written")
		}
		return nil
	})
	s := settle(t, at(checks.Here), b, a)
	s.Remember(checks.Memory{Role: node.Replica, ReplID: a.Look().ReplID, Keys: 1, At: time.Now()})
	ctx, die := context.WithCancel(deadline(t, time.Second))
	look := s.Survey
	s.Survey = func(ctx context.Context) checks.Facts {
		defer die()
		return look(ctx)
	}
	s.Run(ctx)
	b.Do("REPLICAOF", "NO", "ONE") // by hand, or by a run that died right after it
	b.Do("SET", "k", "v")
	b.Kill()
	replicaAtBoot(t, b)
	b.Start()

	s.Where, s.Survey = at(checks.Absent).where, look
	r := run(t, s, 10*time.Second)
	if r.Outcome != hooks.Done || len(r.Preserved) != 1 {
		t.Errorf("%v %v: preserved %v", r.Outcome, r.Err, r.Preserved)
	}
}

// replicaAtBoot gives a server the include of ours.
func replicaAtBoot(t *testing.T, s *nodetest.Server) {
	conf, err := os.OpenFile(s.Config, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer conf.Close()
	fmt.Fprintln(conf, "replicaof 127.0.0.1 1")
}
