package hooks_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"redis-vip/checks"
	"redis-vip/checks/node"
	"redis-vip/checks/node/nodetest"
	"redis-vip/hooks"
	"redis-vip/hooks/preserve"
)

// writer writes unique keys to a server until it is stopped, and knows which were
// acknowledged.
type writer struct {
	stop         context.CancelFunc
	done         sync.WaitGroup
	acknowledged atomic.Int64
}

func writing(t *testing.T, s *nodetest.Server) *writer {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	w := &writer{stop: cancel}
	w.done.Go(func() {
		client := s.Endpoint().Client(nodetest.Bound)
		defer client.Close()
		for n := int64(0); ctx.Err() == nil; n++ {
			if client.Set(ctx, fmt.Sprint("w:", n), n, 0).Err() != nil {
				return // a replica now, or closed
			}
			w.acknowledged.Store(n + 1)
		}
	})
	nodetest.Eventually(t, "writes", func() error {
		if w.acknowledged.Load() < 100 {
			return errors.New("too few")
		}
		return nil
	})
	return w
}

// end stops the writer and returns how many writes were acknowledged.
func (w *writer) end() int64 {
	w.stop()
	w.done.Wait()
	return w.acknowledged.Load()
}

// has expects that a server has the writer's first n keys.
func has(t *testing.T, s *nodetest.Server, n int64) {
	t.Helper()
	missing := 0
	for i := range n {
		if s.Do("EXISTS", fmt.Sprint("w:", i)) != int64(1) {
			missing++
		}
	}
	if missing > 0 {
		t.Errorf("%d of %d acknowledged writes are not on %s", missing, n, s.Addr)
	}
}

// The old master lives and is written to: every acknowledged write is on the new
// one, and the old one follows it.
func TestDrainedHandover(t *testing.T) {
	a, b := nodetest.Redis(t, "repl-backlog-size 16mb"), nodetest.Redis(t)
	b.Follow(a)
	w := writing(t, a)
	r := run(t, settle(t, at(checks.Here), b, a), 10*time.Second)
	n := w.end()
	reached(t, r)
	t.Logf("%d acknowledged", n)
	isMaster(t, b)
	follows(t, a, b)
	has(t, b, n)
	if b.Do("SET", "after", "all") != "OK" {
		t.Error("the new master takes no writes")
	}
}

// A hung master costs the new one no more than the time-out of one look.
func TestHungMasterIsPromotedPast(t *testing.T) {
	a, b := nodetest.Redis(t), nodetest.Redis(t)
	b.Follow(a)
	a.Signal(syscall.SIGSTOP)
	start := time.Now()
	r := run(t, settle(t, at(checks.Here), b, a), 10*time.Second)
	if r.Outcome != hooks.Done || time.Since(start) > 2*time.Second {
		t.Errorf("%v after %v: %v", r.Outcome, time.Since(start), r.Err)
	}
	isMaster(t, b)

	// It wakes as a second master, and its own hook makes it follow.
	a.Signal(syscall.SIGCONT)
	reached(t, run(t, settle(t, at(checks.Absent), a, b), 10*time.Second))
	isReplicaOf(t, a, b)
	isMaster(t, b)
}

// unlinked is a replica that loses its master when it is looked at for the first time.
type unlinked struct {
	hooks.Server
	once *sync.Once
}

func (u unlinked) Look(ctx context.Context) node.Facts {
	u.once.Do(func() { u.Follow(ctx, node.Nobody) })
	return u.Server.Look(ctx)
}

// What a living master wrote since the link was lost never arrives: its replica is no
// successor, and the master's writers go on.
func TestPromotionThatLosesItsMaster(t *testing.T) {
	a, b := nodetest.Redis(t), nodetest.Redis(t)
	b.Follow(a)
	s := settle(t, at(checks.Here), b, a)
	s.Local, s.Within = unlinked{s.Local, new(sync.Once)}, 3*time.Second
	if r := run(t, s, 10*time.Second); r.Outcome != hooks.Failed {
		t.Errorf("%v %v", r.Outcome, r.Err)
	}
	if f := b.Look(); f.Role != node.Replica {
		t.Errorf("it is %s", hooks.Describe(f))
	}
	if !writes(t, a) {
		t.Error("the master's writers wait")
	}
}

// diverged is a deposed master with n writes of its own, and its successor.
func diverged(t *testing.T, n int) (a, b *nodetest.Server) {
	a, b = nodetest.Redis(t, "repl-backlog-size 16mb"), nodetest.Redis(t, "repl-backlog-size 16mb")
	a.Do("SET", "common", 1)
	b.Follow(a)
	b.Do("REPLICAOF", "NO", "ONE")
	b.Do("SET", "new", 1)
	for i := range n {
		a.Do("SET", fmt.Sprint("w:", i), i)
	}
	return a, b
}

func TestDemotionPreserves(t *testing.T) {
	a, b := diverged(t, 500)
	r := run(t, settle(t, at(checks.Absent), a, b), 10*time.Second)
	if r.Outcome != hooks.Done || len(r.Preserved) != 1 || r.Preserved[0].Writes != 500 {
		t.Fatalf("%v %v: preserved %v", r.Outcome, r.Err, r.Preserved)
	}
	isReplicaOf(t, a, b)
	found := map[string]bool{}
	if _, err := r.Preserved[0].Show(context.Background(), nil, func(l preserve.Line) error {
		found[strings.Fields(l.Command)[1]] = true
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for i := range 500 {
		if key := fmt.Sprint("w:", i); !found[key] {
			t.Fatalf("%s is neither here nor there", key)
		}
	}
}

// A host that stands still between a save and REPLICAOF wakes when the pause is over, and
// the writers go on.
func TestDemotionSavesWhatCameAfterTheSave(t *testing.T) {
	a, b := diverged(t, 500)
	s := settle(t, at(checks.Absent), a, b)
	saves, save := 0, s.Save
	s.Save = func(ctx context.Context, loss hooks.Loss) (preserve.File, error) {
		file, err := save(ctx, loss)
		if saves++; saves == 1 {
			a.Do("CLIENT", "UNPAUSE")
			a.Do("SET", "after", 1)
		}
		return file, err
	}
	r := run(t, s, 10*time.Second)
	if r.Outcome != hooks.Done || len(r.Preserved) != 2 || r.Preserved[1].Writes != 501 {
		t.Errorf("%v %v: preserved %v", r.Outcome, r.Err, r.Preserved)
	}
	isReplicaOf(t, a, b)
}

// Until a full copy is complete a replica has all that it had. One that somebody else
// overtakes is ended before the node's own data is gone.
func TestDemotionEndsTheCopyOfAnother(t *testing.T) {
	nodetest.From7(t, "who begins a copy forgets the history")
	a, b := diverged(t, 500)
	other := nodetest.Redis(t, "enable-debug-command yes", "rdb-key-save-delay 100", "repl-diskless-sync-delay 0")
	other.Do("DEBUG", "POPULATE", 100000)
	a.Do("REPLICAOF", "127.0.0.1", other.Addr.Port())
	copying(t, a)
	r := run(t, settle(t, at(checks.Absent), a, b), 10*time.Second)
	if r.Outcome != hooks.Done || len(r.Preserved) != 1 || r.Preserved[0].Writes < 500 {
		t.Fatalf("%v %v: preserved %v", r.Outcome, r.Err, r.Preserved)
	}
	isReplicaOf(t, a, b)
}

// A copy of the master itself goes on: what the node had was saved before.
func TestDemotionLetsTheRightCopyGoOn(t *testing.T) {
	a, b := slowCopy(t)
	s := settle(t, at(checks.Absent), b, a)
	s.Remember(checks.Memory{Role: node.Replica, Master: a.Look().RunID, At: time.Now()})
	r := run(t, s, 10*time.Second)
	if r.Outcome != hooks.Done || len(r.Preserved) != 0 {
		t.Fatalf("%v %v: preserved %v", r.Outcome, r.Err, r.Preserved)
	}
	if f := b.Look(); !f.Upstream.Syncing || !f.Follows(a.Addr) {
		t.Errorf("the copy has ended: %s", hooks.Describe(f))
	}
}

// One that Redis began, or somebody, before a program of ours has seen to what is here, is ended.
func TestDemotionEndsACopyThatNothingWasSavedFor(t *testing.T) {
	nodetest.From7(t, "who begins a copy forgets the history")
	a, b := slowCopy(t)
	r := run(t, settle(t, at(checks.Absent), b, a), 10*time.Second)
	if r.Outcome != hooks.Done || len(r.Preserved) != 1 {
		t.Errorf("%v %v: preserved %v", r.Outcome, r.Err, r.Preserved)
	}
	isReplicaOf(t, b, a)
}

// slowCopy is a master, and a replica with a key of its own that copies it for seconds.
func slowCopy(t *testing.T) (a, b *nodetest.Server) {
	a, b = nodetest.Redis(t, "enable-debug-command yes", "rdb-key-save-delay 100", "repl-diskless-sync-delay 0"), nodetest.Redis(t)
	a.Do("DEBUG", "POPULATE", 100000)
	b.Do("SET", "k", "v")
	b.Do("REPLICAOF", "127.0.0.1", a.Addr.Port())
	copying(t, b)
	return a, b
}

func copying(t *testing.T, s *nodetest.Server) {
	t.Helper()
	nodetest.Eventually(t, "a copy in progress", func() error {
		if !s.Look().Upstream.Syncing {
			return errors.New("not syncing")
		}
		return nil
	})
}

// A node that cannot save stays as it is, and takes no writes.
func TestDemotionRequiresPreservation(t *testing.T) {
	a, b := diverged(t, 10)
	s := settle(t, at(checks.Absent), a, b)
	s.Save = func(context.Context, hooks.Loss) (preserve.File, error) {
		return preserve.File{}, preserve.ErrNoSpace
	}
	r := s.Run(deadline(t, time.Second))
	if r.Outcome != hooks.Failed || !errors.Is(r.Err, preserve.ErrNoSpace) {
		t.Errorf("%v %v", r.Outcome, r.Err)
	}
	if f := a.Look(); f.Role != node.Master || f.Keys != 11 {
		t.Errorf("it is a %v with %d keys", f.Role, f.Keys)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	client := a.Endpoint().Client(time.Second)
	defer client.Close()
	if err := client.Set(ctx, "x", 1, 0).Err(); err == nil {
		t.Error("it takes writes")
	}

	s.Preserve = preserve.Try
	r = run(t, s, 10*time.Second)
	if r.Outcome != hooks.Done || len(r.Warnings) == 0 {
		t.Errorf("%v %v, warnings %v", r.Outcome, r.Err, r.Warnings)
	}
	isReplicaOf(t, a, b)
}

func deadline(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

// A save takes longer than the hook may; and where the VIP comes back meanwhile,
// the node does not become a replica.
func TestSaveHasItsOwnDeadline(t *testing.T) {
	a, b := diverged(t, 10)
	s := settle(t, at(checks.Absent), a, b)
	save := s.Save
	s.Save = func(ctx context.Context, l hooks.Loss) (preserve.File, error) {
		time.Sleep(700 * time.Millisecond) // a large copy
		return save(ctx, l)
	}
	s.Within = 5 * time.Second
	if r := s.Run(deadline(t, 500*time.Millisecond)); r.Outcome != hooks.Done {
		t.Errorf("%v %v", r.Outcome, r.Err)
	}
	isReplicaOf(t, a, b)
}

func TestSaveEndsWhenTheVIPComesBack(t *testing.T) {
	a, b := diverged(t, 10)
	v := at(checks.Absent)
	s := settle(t, v, a, b)
	began := make(chan struct{})
	var once sync.Once
	s.Save = func(ctx context.Context, _ hooks.Loss) (preserve.File, error) {
		once.Do(func() { close(began) })
		<-ctx.Done()
		return preserve.File{}, ctx.Err()
	}
	s.Force = true // b is a master too: who has the VIP decides here
	ended := make(chan *hooks.Record)
	go func() { ended <- s.Run(deadline(t, 5*time.Second)) }()
	<-began
	v.move(checks.Here)
	select {
	case r := <-ended:
		t.Logf("%v %v", r.Message(), r.Actions)
	case <-time.After(nodetest.Bound):
		t.Fatal("the save goes on")
	}
	if f := a.Look(); f.Role != node.Master || f.Keys != 11 {
		t.Errorf("it is a %v with %d keys", f.Role, f.Keys)
	}
	if a.Do("SET", "x", 1) != "OK" {
		t.Error("it is still paused")
	}
}

// A master that has restarted empty is nobody to follow.
func TestNobodyFollowsAnEmptyMaster(t *testing.T) {
	a, b := diverged(t, 10)
	b.Kill()
	if err := os.RemoveAll(filepath.Join(b.Dir, "dump.rdb")); err != nil {
		t.Fatal(err)
	}
	b.Start()
	s := settle(t, at(checks.Absent), a, b)
	if r := s.Run(deadline(t, 300*time.Millisecond)); r.Outcome != hooks.Failed {
		t.Errorf("%v", r.Outcome)
	}
	if f := a.Look(); f.Role != node.Master || f.Keys != 11 {
		t.Errorf("it is a %v with %d keys", f.Role, f.Keys)
	}
}

// What somebody has left behind does not stop a hook.
func TestLeftBehind(t *testing.T) {
	t.Run("a pause on the replica", func(t *testing.T) {
		t.Parallel()
		a, b := nodetest.Redis(t), nodetest.Redis(t)
		b.Follow(a)
		b.Do("CLIENT", "PAUSE", 600_000, "WRITE")
		a.Do("SET", "k", "v")
		reached(t, run(t, settle(t, at(checks.Here), b, a), 10*time.Second))
		isMaster(t, b)
		if b.Do("GET", "k") != "v" || b.Do("SET", "x", 1) != "OK" {
			t.Error("the last write is lost, or writers still wait")
		}
	})
	t.Run("a failover that hangs", func(t *testing.T) {
		t.Parallel()
		a, b := nodetest.Redis(t), nodetest.Redis(t)
		b.Follow(a)
		b.Signal(syscall.SIGSTOP)
		a.Do("FAILOVER", "TO", "127.0.0.1", b.Addr.Port(), "FORCE", "TIMEOUT", 1)
		nodetest.Eventually(t, "the failover", func() error {
			if state := a.Look().Failover; state == "no-failover" {
				return errors.New(state)
			}
			return nil
		})
		reached(t, run(t, settle(t, at(checks.Here), a, b), 10*time.Second))
		isMaster(t, a)
		if a.Do("SET", "x", 1) != "OK" {
			t.Error("writers still wait")
		}
	})
	t.Run("a ring", func(t *testing.T) {
		t.Parallel()
		a, b := nodetest.Redis(t), nodetest.Redis(t)
		a.Do("SET", "k", "v")
		b.Follow(a)
		a.Do("REPLICAOF", "127.0.0.1", b.Addr.Port())
		nodetest.Eventually(t, "a ring", func() error {
			if !a.Look().Upstream.Up && !nodetest.Before7(t) { // in 6.2 none ever links
				return errors.New("no link")
			}
			return nil
		})
		reached(t, run(t, settle(t, at(checks.Here), b, a), 10*time.Second))
		isMaster(t, b)
		if b.Do("GET", "k") != "v" {
			t.Error("the data is lost")
		}
	})
}

// Half a copy is promoted only by force.
func TestForce(t *testing.T) {
	a := nodetest.Redis(t)
	a.Do("SET", "k", "v")
	b := nodetest.Redis(t, "replicaof 127.0.0.1 1")
	s := settle(t, at(checks.Here), b, a)
	if r := s.Run(deadline(t, 300*time.Millisecond)); r.Outcome != hooks.Failed || b.Look().Role != node.Replica {
		t.Errorf("%v, it is a %v", r.Outcome, b.Look().Role)
	}
	s.Force = true
	if r := run(t, s, 5*time.Second); r.Outcome != hooks.Done || b.Look().Role != node.Master {
		t.Errorf("%v %v", r.Outcome, r.Err)
	}
}

// The never-boot-as-master include can be added under a running server: nothing
// changes until it restarts, its own CONFIG REWRITEs keep the line, and then it
// comes up as a replica of nobody, with its data.
func TestAdoptALivePair(t *testing.T) {
	a, b := nodetest.Redis(t, "save 3600 1"), nodetest.Redis(t, "save 3600 1")
	a.Do("SET", "k", "v")
	b.Follow(a)
	b.Do("CONFIG", "REWRITE") // as the hooks of before did
	include := filepath.Join(t.TempDir(), "never-boot-as-master.conf")
	if err := os.WriteFile(include, []byte("replicaof 127.0.0.1 1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, s := range []*nodetest.Server{a, b} {
		conf, err := os.OpenFile(s.Config, os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conf, "include %s\n", include)
		conf.Close()
	}
	if f := b.Look(); !f.Follows(a.Addr) || !f.Upstream.Up {
		t.Errorf("adding the line changed the pair: %+v", f.Upstream)
	}
	// A hand-over there and back, with its rewrites.
	reached(t, run(t, settle(t, at(checks.Here), b, a), 10*time.Second))
	nodetest.Eventually(t, "the old master in sync", func() error {
		if !a.Look().Upstream.Up {
			return errors.New("link down")
		}
		return nil
	})
	reached(t, run(t, settle(t, at(checks.Here), a, b), 10*time.Second))
	a.Save()
	a.Kill()
	a.Start()
	nodetest.Eventually(t, "its data", func() error {
		if f := a.Look(); f.Role != node.Replica || f.Keys != 1 || f.Upstream.Host != "127.0.0.1" || f.Upstream.Port != 1 {
			return fmt.Errorf("%v of %s:%d with %d keys", f.Role, f.Upstream.Host, f.Upstream.Port, f.Keys)
		}
		return nil
	})
}
