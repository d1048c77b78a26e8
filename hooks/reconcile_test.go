package hooks_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"redis-vip/checks"
	"redis-vip/checks/node"
	"redis-vip/checks/node/nodetest"
	"redis-vip/hooks"
)

func sentinel(s *nodetest.Server) hooks.RedisSentinel {
	return hooks.RedisSentinel{Endpoint: s.Endpoint(), Timeout: time.Second}
}

func TestSentinelAnswers(t *testing.T) {
	master := nodetest.Redis(t)
	server := nodetest.Sentinel(t, fmt.Sprintf("sentinel monitor mymaster 127.0.0.1 %d 1", master.Addr.Port()))
	if a := sentinel(server).Ask(context.Background(), "mymaster"); a.Err != nil || a.Master != master.Addr || a.ID == "" {
		t.Errorf("%+v, want %v", a, master.Addr)
	}
	if a := sentinel(server).Ask(context.Background(), "yourmaster"); !errors.Is(a.Err, checks.ErrUnknownMaster) {
		t.Errorf("unknown master: %v", a.Err)
	}
	server.Kill()
	if a := sentinel(server).Ask(context.Background(), "mymaster"); node.Classify(a.Err) != node.Refused {
		t.Errorf("dead Sentinel: %v", a.Err)
	}
}

// The Sentinels that are not configured are found through one that is, and one that
// is known by two addresses counts once.
func TestConveneDiscovers(t *testing.T) {
	master := nodetest.Redis(t)
	monitor := fmt.Sprintf("sentinel monitor mymaster 127.0.0.1 %d 2", master.Addr.Port())
	a, b, c := nodetest.Sentinel(t, monitor), nodetest.Sentinel(t, monitor), nodetest.Sentinel(t, monitor)
	at := func(addr netip.AddrPort) hooks.Sentinel {
		return hooks.RedisSentinel{Endpoint: node.Endpoint{Addr: addr}, Timeout: time.Second}
	}
	convene := func() []checks.Answer {
		return hooks.Convene(context.Background(), "mymaster", netip.AddrPort{}, []hooks.Sentinel{sentinel(a), sentinel(a)}, at)
	}
	nodetest.Eventually(t, "three Sentinels", func() error {
		if n := len(convene()); n != 3 {
			return fmt.Errorf("%d", n)
		}
		return nil
	})
	b.Kill() // dead, and still one of the three
	answers := convene()
	failed := 0
	for _, answer := range answers {
		if answer.Err != nil {
			failed++
		}
	}
	if len(answers) != 3 || failed != 1 {
		t.Errorf("%d answers, %d failed", len(answers), failed)
	}
	_ = c
}

// fakeVIP is an address that is only remembered.
type fakeVIP struct {
	here bool
	fail error
}

func (*fakeVIP) String() string { return "192.168.0.4/24" }
func (v *fakeVIP) Take(context.Context) (bool, error) {
	changed := !v.here && v.fail == nil
	v.here = v.here || v.fail == nil
	return changed, v.fail
}

func (v *fakeVIP) Remove() (bool, error) {
	changed := v.here
	v.here = false
	return changed, v.fail
}
func (v *fakeVIP) Held() (bool, error) { return v.here, nil }

// notes remember in memory what a host remembers in files.
type notes struct {
	silence time.Duration
	fenced  atomic.Bool
}

func (n *notes) Now() error         { n.silence = 0; return nil }
func (n *notes) Ago() time.Duration { return n.silence }
func (n *notes) Set(on bool) error  { n.fenced.Store(on); return nil }
func (n *notes) IsSet() bool        { return n.fenced.Load() }

// reconciling is a host under Sentinel: its Redis, the others, and what the
// Sentinels say.
func reconciling(t *testing.T, v *fakeVIP, n *notes, say func() []checks.Answer, local *nodetest.Server, others ...*nodetest.Server) hooks.Reconcile {
	s := settle(t, at(checks.Unasked), local, others...)
	s.Fenced = n
	return hooks.Reconcile{
		Settle:   s,
		Group:    "mymaster",
		Convene:  func(context.Context) []checks.Answer { return say() },
		Failover: func(context.Context) error { return errors.New("asked for a failover") },
		VIPs:     []hooks.Address{v},
		Reached:  n,
		FenceIn:  5 * time.Second, Patience: 100 * time.Millisecond,
	}
}

// naming is three Sentinels that all name one master.
func naming(s *nodetest.Server) func() []checks.Answer {
	return func() []checks.Answer {
		return []checks.Answer{{Master: s.Addr}, {Master: s.Addr}, {Master: s.Addr}}
	}
}

func nobody() []checks.Answer {
	down := checks.Answer{Err: errors.New("unreachable")}
	return []checks.Answer{down, down, down}
}

func TestReconcileMovesTheVIP(t *testing.T) {
	a, b := nodetest.Redis(t), nodetest.Redis(t)
	b.Follow(a)
	for name, test := range map[string]struct {
		local, other *nodetest.Server
		say          func() []checks.Answer
		here, want   bool
		fail         error
		outcome      hooks.Outcome
	}{
		"add":               {a, b, naming(a), false, true, nil, hooks.Done},
		"is there":          {a, b, naming(a), true, true, nil, hooks.Done},
		"remove":            {b, a, naming(a), true, false, nil, hooks.Done},
		"is gone":           {b, a, naming(a), false, false, nil, hooks.Done},
		"nobody says, here": {a, b, nobody, true, true, nil, hooks.Failed},
		"nobody says, not":  {a, b, nobody, false, false, nil, hooks.Failed},
		"cannot add":        {a, b, naming(a), false, false, errors.New("interface is down"), hooks.Failed},
	} {
		t.Run(name, func(t *testing.T) {
			v := &fakeVIP{test.here, test.fail}
			r := reconciling(t, v, new(notes), test.say, test.local, test.other).Run(deadline(t, 5*time.Second))
			if r.Outcome != test.outcome || v.here != test.want {
				t.Errorf("%v (%v), here %v, actions %v", r.Outcome, r.Err, v.here, r.Actions)
			}
		})
	}
}

// They name a node that goes on following another: it takes over from that one, and
// nothing is lost.
func TestReconcileSucceeds(t *testing.T) {
	a, b := nodetest.Redis(t, "repl-backlog-size 16mb"), nodetest.Redis(t)
	b.Follow(a)
	w := writing(t, a)
	v := &fakeVIP{}
	r := reconciling(t, v, new(notes), naming(b), b, a).Run(deadline(t, 10*time.Second))
	n := w.end()
	if r.Outcome != hooks.Done || r.Course != checks.Succeed || !v.here {
		t.Errorf("%v %v (%v), VIP here %v", r.Course, r.Outcome, r.Err, v.here)
	}
	isMaster(t, b)
	follows(t, a, b)
	has(t, b, n)
}

// A fenced master that the only Sentinel left makes a replica has to apply what it is
// sent, although no majority says anything.
func TestReconcileResumesAReplica(t *testing.T) {
	a, b := nodetest.Redis(t), nodetest.Redis(t)
	n := new(notes)
	n.fenced.Store(true)
	a.Do("CLIENT", "PAUSE", 60000, "WRITE")
	a.Do("REPLICAOF", "127.0.0.1", b.Addr.Port())
	if r := reconciling(t, &fakeVIP{}, n, nobody, a, b).Run(deadline(t, 5*time.Second)); r.Outcome != hooks.Failed || n.fenced.Load() {
		t.Errorf("%v %v, fenced %v", r.Outcome, r.Err, n.fenced.Load())
	}
	b.Do("SET", "k", "v")
	nodetest.Eventually(t, "what is replicated to be applied", func() error {
		if a.Do("EXISTS", "k") != int64(1) {
			return errNotYet
		}
		return nil
	})
}

// A master of Sentinel's making remembers that it is one: it may have to know after a
// restart that it went on from its old master, and has more than that.
func TestReconcileRemembers(t *testing.T) {
	a, b := nodetest.Redis(t), nodetest.Redis(t)
	b.Follow(a)
	c := reconciling(t, &fakeVIP{}, new(notes), naming(b), b, a)
	memory := checks.Memory{Role: node.Replica, ReplID: a.Look().ReplID, At: time.Now()}
	written := 0
	c.Recall = func() checks.Memory { return memory }
	c.Remember = func(m checks.Memory) error {
		written++
		memory = m
		return nil
	}
	b.Do("REPLICAOF", "NO", "ONE")
	for range 3 {
		c.Run(deadline(t, 5*time.Second))
	}
	if memory.Role != node.Master || memory.ReplID != b.Look().ReplID || written != 1 {
		t.Errorf("it remembers %+v, written %d times", memory, written)
	}
}

// The Sentinels have deposed this node: what it took since is saved, it follows its
// successor at once, and the VIP goes.
func TestReconcileYields(t *testing.T) {
	a, b := diverged(t, 50)
	v := &fakeVIP{here: true}
	r := reconciling(t, v, new(notes), naming(b), a, b).Run(deadline(t, 10*time.Second))
	if r.Outcome != hooks.Done || v.here || len(r.Preserved) != 1 || r.Preserved[0].Writes != 50 {
		t.Errorf("%v %v, VIP here %v, preserved %v", r.Outcome, r.Err, v.here, r.Preserved)
	}
	isReplicaOf(t, a, b)
}

// The master they name is not there: the VIP goes, and nothing is followed.
func TestReconcileYieldsToNobody(t *testing.T) {
	a, b := diverged(t, 50)
	b.Kill()
	v := &fakeVIP{here: true}
	r := reconciling(t, v, new(notes), naming(b), a, b).Run(deadline(t, 10*time.Second))
	if r.Outcome != hooks.Failed || v.here || a.Look().Role != node.Master {
		t.Errorf("%v %v, VIP here %v", r.Outcome, r.Err, v.here)
	}
}

// A master that restarted before the Sentinels took it for down boots as a replica of
// nobody, and they would wait for ever.
func TestReconcileMends(t *testing.T) {
	a := nodetest.Redis(t, "save 3600 1", "replicaof 127.0.0.1 1")
	a.Do("REPLICAOF", "NO", "ONE")
	a.Do("SET", "k", "v")
	a.Save()
	a.Kill()
	a.Start()
	nodetest.Eventually(t, "a replica of nobody", func() error {
		if f := a.Look(); f.Role != node.Replica || f.Keys != 1 {
			return fmt.Errorf("%v with %d keys", f.Role, f.Keys)
		}
		return nil
	})
	b := nodetest.Redis(t, "replicaof 127.0.0.1 1")
	v := &fakeVIP{}
	r := reconciling(t, v, new(notes), naming(a), a, b).Run(deadline(t, 10*time.Second))
	if r.Outcome != hooks.Done || !v.here || a.Look().Role != node.Master || a.Do("GET", "k") != "v" {
		t.Errorf("%v %v, VIP here %v", r.Outcome, r.Err, v.here)
	}
}

// nobodys is a Redis that follows nobody, and has a key if it is filled.
func nobodys(t *testing.T, filled bool) *nodetest.Server {
	s := nodetest.Redis(t, "replicaof 127.0.0.1 1", "repl-diskless-sync-delay 0")
	if filled {
		s.Do("REPLICAOF", "NO", "ONE")
		s.Do("SET", "k", "v")
		s.Do("REPLICAOF", "127.0.0.1", 1)
	}
	return s
}

// Sentinel sends a replica to a master and has its configuration rewritten: the next
// start would copy that master at once. The file is put right, and the link comes back
// without a full copy.
func TestReconcileUnpins(t *testing.T) {
	include := filepath.Join(t.TempDir(), "never.conf")
	if err := os.WriteFile(include, []byte("replicaof 127.0.0.1 1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	lastLine := func(s *nodetest.Server) string {
		conf, err := os.ReadFile(s.Config)
		if err != nil {
			t.Fatal(err)
		}
		lines := regexp.MustCompile(`(?m)^replicaof .*`).FindAllString(string(conf), -1)
		return append([]string{""}, lines...)[len(lines)]
	}
	a, b := nodetest.Redis(t), nodetest.Redis(t, "include "+include)
	b.Follow(a)
	b.Do("CONFIG", "REWRITE")
	pinned := fmt.Sprintf("replicaof 127.0.0.1 %d", a.Addr.Port())
	if got := lastLine(b); got != pinned {
		t.Fatalf("the file says %q", got)
	}
	c := reconciling(t, &fakeVIP{}, new(notes), naming(a), b, a)
	for want := range 2 { // and there is nothing to do the second time
		if r := c.Run(deadline(t, 5*time.Second)); r.Outcome != hooks.Done || len(r.Actions) != 1-want || len(r.Warnings) > 0 {
			t.Fatalf("%v %v, %v, warnings %v", r.Outcome, r.Err, r.Actions, r.Warnings)
		}
		if got := lastLine(b); got != "replicaof 127.0.0.1 1" {
			t.Errorf("the file says %q", got)
		}
		follows(t, b, a)
	}
	if stats := fmt.Sprint(a.Do("INFO", "stats")); !strings.Contains(stats, "sync_full:1\r") {
		t.Error("it was copied anew")
	}

	// Where that cannot be done, it is said, and the link is left alone.
	stuck := nodetest.Redis(t, "include "+include, pinned, `rename-command CONFIG ""`)
	nodetest.Eventually(t, "a replica that hears its master", func() error {
		if f := stuck.Look(); !f.Upstream.Up {
			return errors.New(hooks.Describe(f))
		}
		return nil
	})
	r := reconciling(t, &fakeVIP{}, new(notes), naming(a), stuck, a).Run(deadline(t, 5*time.Second))
	if r.Outcome != hooks.Done || len(r.Actions) > 0 || len(r.Warnings) != 1 || !stuck.Look().Upstream.Up {
		t.Errorf("%v %v, %v, warnings %v", r.Outcome, r.Err, r.Actions, r.Warnings)
	}
}

// They name a node that came back empty, and another has the data: where they know
// one, they have to choose again.
func TestReconcilePassesOn(t *testing.T) {
	empty, full := nobodys(t, false), nobodys(t, true)
	v := &fakeVIP{}
	known := func() []checks.Answer {
		answers := naming(empty)()
		answers[2].Replicas = 1
		return answers
	}
	c := reconciling(t, v, new(notes), known, empty, full)
	asked := 0
	c.Failover = func(context.Context) error { asked++; return nil }
	r := c.Run(deadline(t, 10*time.Second))
	if r.Course != checks.PassOn || r.Outcome != hooks.Done || asked != 1 || v.here {
		t.Errorf("%v %v (%v), asked %d times, VIP here %v", r.Course, r.Outcome, r.Err, asked, v.here)
	}
	if f := empty.Look(); f.Role != node.Replica || full.Look().Role != node.Replica {
		t.Errorf("%+v", f)
	}
}

// The same, and they find nobody to choose: the data comes to the node that they name,
// and it takes over with it.
func TestReconcileCatchesUp(t *testing.T) {
	for name, known := range map[string]int{"they know nobody": 0, "they know nobody good": 1} {
		t.Run(name, func(t *testing.T) {
			empty, full := nobodys(t, false), nobodys(t, true)
			v := &fakeVIP{}
			c := reconciling(t, v, new(notes), func() []checks.Answer {
				answers := naming(empty)()
				answers[0].Replicas = known
				return answers
			}, empty, full)
			c.Policy.BootWait = 0 // they had their time to find one
			r := c.Run(deadline(t, 10*time.Second))
			if r.Course != checks.CatchUp || r.Outcome != hooks.Done || v.here {
				t.Fatalf("%v %v (%v), VIP here %v", r.Course, r.Outcome, r.Err, v.here)
			}
			// The other host lets it.
			lender := reconciling(t, &fakeVIP{}, new(notes), naming(empty), full, empty)
			if r := lender.Run(deadline(t, 10*time.Second)); r.Outcome != hooks.Done || len(r.Actions) > 0 {
				t.Errorf("the other: %v %v (%v), %v", r.Course, r.Outcome, r.Err, r.Actions)
			}
			nodetest.Eventually(t, "the VIP", func() error {
				if r := c.Run(deadline(t, 10*time.Second)); !v.here {
					return fmt.Errorf("%v %v (%v)", r.Course, r.Outcome, r.Err)
				}
				return nil
			})
			isMaster(t, empty)
			follows(t, full, empty)
			if got := empty.Do("GET", "k"); got != "v" {
				t.Errorf("the key is %v", got)
			}
		})
	}
}

// Cut off from the majority for too long, a host fences itself; when the majority
// names it again, it goes on.
func TestReconcileFences(t *testing.T) {
	a, b := nodetest.Redis(t), nodetest.Redis(t)
	b.Follow(a)
	v, n := &fakeVIP{here: true}, new(notes)
	say := nobody
	c := reconciling(t, v, n, func() []checks.Answer { return say() }, a, b)

	n.silence = 4 * time.Second
	if r := c.Run(deadline(t, 5*time.Second)); !v.here || r.Outcome != hooks.Failed {
		t.Errorf("too soon: %v, VIP here %v", r.Outcome, v.here)
	}
	n.silence = 6 * time.Second
	if r := c.Run(deadline(t, 5*time.Second)); v.here || r.Course != checks.Fence {
		t.Errorf("%v %v, VIP here %v", r.Course, r.Err, v.here)
	}
	writes := func() error {
		ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
		defer cancel()
		client := a.Endpoint().Client(time.Second)
		defer client.Close()
		return client.Set(ctx, "x", 1, 0).Err()
	}
	if writes() == nil {
		t.Error("it takes writes")
	}
	say = naming(a)
	if r := c.Run(deadline(t, 5*time.Second)); r.Outcome != hooks.Done || !v.here {
		t.Errorf("%v %v, VIP here %v", r.Outcome, r.Err, v.here)
	}
	if err := writes(); err != nil {
		t.Errorf("it takes no writes: %v", err)
	}
}
