package hooks_test

import (
	"context"
	"errors"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"redis-vip/checks"
	"redis-vip/checks/clock"
	"redis-vip/checks/node"
	"redis-vip/checks/node/nodetest"
	"redis-vip/checks/survey"
	"redis-vip/hooks"
)

var errNotYet = errors.New("not yet")

// inspection is what redis-check does on the host of s: heal is told of each hook that
// it starts.
func inspection(t *testing.T, v *vip, s hooks.Settle, local *nodetest.Server, heal func()) hooks.Inspection {
	dir := t.TempDir()
	view := survey.Survey{
		Self: survey.Target{Addr: local.Addr, Look: server(local).Look}, Where: v.where, Patience: 250 * time.Millisecond, Clock: clock.Wall{},
		Recall: func() checks.Memory { return checks.Memory{} }, Contested: survey.Marked(filepath.Join(dir, "contested")),
	}
	return hooks.Inspection{
		Survey: view.Brief, Policy: policy, Fenced: s.Fenced,
		Remember: func(checks.Memory, time.Time) error { return nil },
		Heal: func() error {
			heal()
			return nil
		},
	}
}

// writes says whether a writer gets an answer soon.
func writes(t *testing.T, s *nodetest.Server) bool {
	t.Helper()
	client := s.Endpoint().Client(300 * time.Millisecond)
	defer client.Close()
	return client.Set(deadline(t, 300*time.Millisecond), "k", "v", 0).Err() == nil
}

// A demotion that has nearly used up its time has all of it for the VIP that comes back:
// notify-master has found it at work, and has left it to it.
func TestVIPThatComesBackLate(t *testing.T) {
	a, b := nodetest.Redis(t), nodetest.Redis(t)
	b.Signal(syscall.SIGSTOP) // to look around takes 250 ms
	v := at(checks.Absent)
	s := settle(t, v, a, b)
	s.Within = 400 * time.Millisecond
	ended := make(chan *hooks.Record)
	go func() { ended <- s.Run(context.Background()) }()
	nodetest.Eventually(t, "writers that wait", func() error {
		if !s.Fenced.IsSet() || writes(t, a) {
			return errNotYet
		}
		return nil
	})
	v.move(checks.Here)
	if r := <-ended; r.Outcome != hooks.Done || r.Goal != checks.BeMaster {
		t.Errorf("%v %v, %v", r.Outcome, r.Err, r.Actions)
	}
	if !writes(t, a) || s.Fenced.IsSet() {
		t.Error("writers still wait")
	}
}

// Nobody sees of a Redis that its writers wait. A hook that is killed leaves a mark, and
// redis-check sees to it, wherever the node has ended up.
func TestWritersThatAKilledHookHasStopped(t *testing.T) {
	for name, test := range map[string]struct {
		vip checks.Presence
		run func(a, b *nodetest.Server) // what happens after the kill
	}{
		"a master with the VIP": {checks.Here, func(_, b *nodetest.Server) {}},
		"a replica by hand": {checks.Absent, func(a, b *nodetest.Server) {
			a.Do("REPLICAOF", "127.0.0.1", b.Addr.Port())
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, b := nodetest.Redis(t), nodetest.Redis(t)
			v := at(checks.Absent)
			s := settle(t, v, a, b)
			killed, kill := context.WithCancel(context.Background())
			half, left := s, 1
			half.Lock = hooks.Lock{Path: filepath.Join(t.TempDir(), "half")}
			half.Local = dying{server(a), &left, kill}
			go half.Run(context.Background())
			<-killed.Done()
			if writes(t, a) {
				t.Fatal("writers do not wait")
			}

			test.run(a, b)
			v.move(test.vip)
			healed := 0
			check := inspection(t, v, s, a, func() { healed++ })
			check.Run(deadline(t, time.Second))
			if healed != 1 {
				t.Fatalf("%d hooks were started", healed)
			}
			reached(t, run(t, s, 5*time.Second))
			if f := a.Look(); f.Role == node.Master && !writes(t, a) {
				t.Error("writers still wait")
			} else if f.Role == node.Replica {
				b.Do("SET", "new", 1)
				nodetest.Eventually(t, "what is replicated to be applied", func() error {
					if a.Do("EXISTS", "new") != int64(1) {
						return errNotYet
					}
					return nil
				})
			}
			check.Run(deadline(t, time.Second))
			if healed != 1 || s.Fenced.IsSet() {
				t.Errorf("%d hooks were started, and the mark is set: %v", healed, s.Fenced.IsSet())
			}
		})
	}
}
