package hooks_test

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"redis-vip/checks"
	"redis-vip/checks/clock"
	"redis-vip/checks/node"
	"redis-vip/checks/node/nodetest"
	"redis-vip/checks/survey"
	"redis-vip/hooks"
	"redis-vip/hooks/preserve"
)

// vip is a VIP that a test moves by hand.
type vip struct{ at atomic.Uint32 }

func at(p checks.Presence) *vip {
	v := new(vip)
	v.move(p)
	return v
}

func (v *vip) move(p checks.Presence) { v.at.Store(uint32(p)) }
func (v *vip) where() checks.Presence { return checks.Presence(v.at.Load()) }

func server(s *nodetest.Server) hooks.Redis {
	return hooks.Redis{Endpoint: s.Endpoint(), Address: s.Addr, Timeout: 900 * time.Millisecond}
}

var policy = checks.Policy{BootWait: 30 * time.Second, Grace: 6 * time.Second}

// settle is a hook of the node local, whose peers are the others. In the
// configuration the others stand before it.
func settle(t *testing.T, v *vip, local *nodetest.Server, others ...*nodetest.Server) hooks.Settle {
	dir := t.TempDir()
	memory := filepath.Join(dir, "memory")
	store := preserve.Store{Dir: dir, Group: "group"}
	target := func(s *nodetest.Server, order int) survey.Target {
		return survey.Target{Addr: s.Addr, Order: order, Look: server(s).Look}
	}
	view := survey.Survey{Self: target(local, len(others)), Where: v.where, Patience: 250 * time.Millisecond, Clock: clock.Wall{}, Recall: survey.File(memory), Contested: survey.Marked(filepath.Join(dir, "contested"))}
	s := hooks.Settle{
		Event: "test", Local: server(local), Where: v.where, Policy: policy,
		Lock: hooks.Lock{Path: filepath.Join(dir, "lock")}, Clock: clock.Wall{}, Retry: 10 * time.Millisecond, Within: 10 * time.Second, Fenced: new(notes),
		Nodes:    []string{local.Addr.String()},
		Recall:   survey.File(memory),
		Remember: func(m checks.Memory) error { return survey.Note(memory, m) },
		Save: func(ctx context.Context, loss hooks.Loss) (preserve.File, error) {
			return store.Save(ctx, preserve.Request{Node: node.Endpoint{Addr: loss.From}, Master: loss.Winner.Facts})
		},
	}
	for i, other := range others {
		view.Peers = append(view.Peers, target(other, i))
		s.Peers = append(s.Peers, server(other))
		s.Nodes = append(s.Nodes, other.Addr.String())
	}
	s.Survey = view.Full
	return s
}

func run(t *testing.T, s hooks.Settle, within time.Duration) *hooks.Record {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	start := time.Now()
	r := s.Run(ctx)
	if took := time.Since(start); took > within+time.Second {
		t.Errorf("took %v, the deadline is %v", took, within)
	}
	t.Logf("%s %v", r.Message(), r.Actions)
	return r
}

func reached(t *testing.T, r *hooks.Record) {
	t.Helper()
	if r.Outcome != hooks.Done || r.Err != nil || len(r.Warnings) > 0 {
		t.Errorf("%v: %v, warnings %v", r.Outcome, r.Err, r.Warnings)
	}
}

// replicaOf is the value of the last replicaof line of the server's file.
func replicaOf(t *testing.T, s *nodetest.Server) (value string) {
	t.Helper()
	text, err := os.ReadFile(s.Config)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if rest, found := strings.CutPrefix(line, "replicaof "); found {
			value = strings.TrimSpace(rest)
		}
	}
	return value
}

func isMaster(t *testing.T, s *nodetest.Server) {
	t.Helper()
	if f := s.Look(); f.Role != node.Master || replicaOf(t, s) != "" {
		t.Errorf("%s is %v, its file says replicaof %q", s.Addr, f.Role, replicaOf(t, s))
	}
}

func isReplicaOf(t *testing.T, s, master *nodetest.Server) {
	t.Helper()
	want := fmt.Sprintf("127.0.0.1 %d", master.Addr.Port())
	if f := s.Look(); !f.Follows(master.Addr) || replicaOf(t, s) != want {
		t.Errorf("%s follows %+v, its file says replicaof %q, want %s", s.Addr, f.Upstream, replicaOf(t, s), want)
	}
}

// follows is isReplicaOf for a node that another one's hook has demoted: its file is
// left to its own.
func follows(t *testing.T, s, master *nodetest.Server) {
	t.Helper()
	if f := s.Look(); !f.Follows(master.Addr) {
		t.Errorf("%s is %v of %+v, want %s", s.Addr, f.Role, f.Upstream, master.Addr)
	}
}

func TestPromote(t *testing.T) {
	a, b := nodetest.Redis(t), nodetest.Redis(t)
	b.Follow(a)
	b.Do("CONFIG", "REWRITE")
	a.Kill()
	s := settle(t, at(checks.Here), b, a)
	reached(t, run(t, s, 5*time.Second))
	isMaster(t, b)
	reached(t, run(t, s, 5*time.Second)) // again: nothing changes
	isMaster(t, b)
}

func TestDemote(t *testing.T) {
	a, b := nodetest.Redis(t), nodetest.Redis(t)
	a.Do("SET", "k", "v")
	s := settle(t, at(checks.Absent), b, a)
	reached(t, run(t, s, 5*time.Second))
	isReplicaOf(t, b, a)
	reached(t, run(t, s, 5*time.Second))
	isReplicaOf(t, b, a)
}

func TestDemoteClosesClients(t *testing.T) {
	a, b := nodetest.Redis(t), nodetest.Redis(t)
	client := b.Endpoint().Client(nodetest.Bound)
	defer client.Close()
	id, err := client.ClientID(context.Background()).Result()
	if err != nil {
		t.Fatal(err)
	}
	reached(t, run(t, settle(t, at(checks.Absent), b, a), 5*time.Second))
	if list := fmt.Sprint(b.Do("CLIENT", "LIST")); strings.Contains(list, fmt.Sprintf("id=%d ", id)) {
		t.Errorf("client %d is still connected:\n%s", id, list)
	}
}

// A master that is not there yet is waited for: keepalived calls notify_backup
// before the other node has even become a master.
func TestDemoteWaitsForAMaster(t *testing.T) {
	a, b := nodetest.Redis(t, "replicaof 127.0.0.1 1"), nodetest.Redis(t, "replicaof 127.0.0.1 1")
	done := make(chan *hooks.Record)
	go func() { done <- run(t, settle(t, at(checks.Absent), b, a), 10*time.Second) }()
	select {
	case r := <-done:
		t.Fatalf("ended without a master: %v %v", r.Outcome, r.Err)
	case <-time.After(100 * time.Millisecond):
	}
	a.Do("REPLICAOF", "NO", "ONE")
	reached(t, <-done)
	follows(t, b, a)
}

func TestDemoteFollowsOnlyARealMaster(t *testing.T) {
	for name, test := range map[string]struct {
		peers func(t *testing.T, local *nodetest.Server) []*nodetest.Server
	}{
		"its own replica": {func(t *testing.T, local *nodetest.Server) []*nodetest.Server {
			peer := nodetest.Redis(t)
			peer.Follow(local)
			return []*nodetest.Server{peer}
		}},
		"itself": {func(t *testing.T, local *nodetest.Server) []*nodetest.Server { return []*nodetest.Server{local} }},
		"nobody": {func(t *testing.T, local *nodetest.Server) []*nodetest.Server {
			peer := nodetest.Redis(t)
			peer.Kill()
			return []*nodetest.Server{peer}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			local := nodetest.Redis(t)
			r := run(t, settle(t, at(checks.Absent), local, test.peers(t, local)...), 500*time.Millisecond)
			if r.Outcome != hooks.Failed || r.Err == nil {
				t.Errorf("%v: %v", r.Outcome, r.Err)
			}
			isMaster(t, local)
		})
	}
}

func TestPromoteWaitsForLoading(t *testing.T) {
	nodetest.From7(t, "so little is loaded before anybody can ask")
	local := nodetest.Redis(t, "enable-debug-command yes", "key-load-delay 100", "loading-process-events-interval-bytes 1024", "replicaof 127.0.0.1 1")
	local.Do("REPLICAOF", "NO", "ONE")
	local.Do("DEBUG", "POPULATE", 10000)
	local.Save()
	local.Kill()
	local.Start()
	if class := local.Look().Class; class != node.Loading {
		t.Fatalf("the server is %v, the test needs it loading", class)
	}
	reached(t, run(t, settle(t, at(checks.Here), local), 15*time.Second))
	isMaster(t, local)
}

func TestPromoteRefusesHalfACopy(t *testing.T) {
	a := nodetest.Redis(t, "enable-debug-command yes", "rdb-key-save-delay 100")
	a.Do("DEBUG", "POPULATE", 100000)
	b := nodetest.Redis(t)
	b.Do("REPLICAOF", "127.0.0.1", a.Addr.Port())
	copying(t, b)
	r := run(t, settle(t, at(checks.Here), b, a), 300*time.Millisecond)
	if r.Outcome != hooks.Failed || b.Look().Role != node.Replica {
		t.Errorf("%v: %v; it is a %v", r.Outcome, r.Err, b.Look().Role)
	}
}

// A Redis that restarts while its hook is at work is not the one that was judged.
func TestPromoteJudgesARestartedRedisAnew(t *testing.T) {
	a, b := nodetest.Redis(t), nodetest.Redis(t)
	a.Do("SET", "k", "v")
	b.Follow(a)
	b.Do("CONFIG", "REWRITE")
	a.Kill()
	s := settle(t, at(checks.Here), b, a)
	survey, once := s.Survey, false
	s.Survey = func(ctx context.Context) checks.Facts {
		f := survey(ctx)
		if !once {
			once = true
			b.Kill()
			b.Start()
		}
		return f
	}
	r := run(t, s, time.Second)
	if f := b.Look(); r.Outcome != hooks.Failed || f.Role != node.Replica {
		t.Errorf("%v: %v; it is a %v", r.Outcome, r.Err, f.Role)
	}
}

// Nor is a master that a new one has made its replica meanwhile: that one's writers have to
// wait first.
func TestPromoteJudgesANewReplicaAnew(t *testing.T) {
	a, b := nodetest.Redis(t), nodetest.Redis(t)
	s := settle(t, at(checks.Here), b, a)
	survey, once := s.Survey, false
	s.Survey = func(ctx context.Context) checks.Facts {
		f := survey(ctx)
		if !once {
			once, f.Peers = true, nil // it was cut off, and is reached by now
			b.Follow(a)
		}
		return f
	}
	r := run(t, s, 10*time.Second)
	paused := slices.ContainsFunc(r.Actions, func(a hooks.Action) bool { return a.Name == "pause the old master" })
	if r.Outcome != hooks.Done || !paused || b.Look().Role != node.Master || a.Look().Role != node.Replica {
		t.Errorf("%v: %v, %v; it is a %v, and the other one a %v", r.Outcome, r.Err, r.Actions, b.Look().Role, a.Look().Role)
	}
}

func TestHungServerEndsAtTheDeadline(t *testing.T) {
	a, b := nodetest.Redis(t), nodetest.Redis(t)
	b.Signal(syscall.SIGSTOP)
	if r := run(t, settle(t, at(checks.Here), b, a), 300*time.Millisecond); r.Outcome != hooks.Failed {
		t.Errorf("%v", r.Outcome)
	}
	if r := run(t, settle(t, at(checks.Absent), a, b), 300*time.Millisecond); r.Outcome != hooks.Failed {
		t.Errorf("%v", r.Outcome)
	}
}

// Whatever hooks keepalived starts on the two nodes, in whatever order, while the
// VIP goes back and forth: where it is in the end decides.
func TestTheAddressDecides(t *testing.T) {
	for _, end := range []int{0, 1} {
		t.Run(fmt.Sprint(end), func(t *testing.T) {
			t.Parallel()
			nodes := [2]*nodetest.Server{nodetest.Redis(t), nodetest.Redis(t)}
			nodes[1].Follow(nodes[0])
			vips := [2]*vip{at(checks.Here), at(checks.Absent)}
			hook := [2]hooks.Settle{settle(t, vips[0], nodes[0], nodes[1]), settle(t, vips[1], nodes[1], nodes[0])}
			var running sync.WaitGroup
			for i := range 20 {
				to := i % 2
				if i == 19 {
					to = end
				}
				vips[1-to].move(checks.Absent)
				vips[to].move(checks.Here)
				for n := range hook {
					running.Go(func() {
						ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
						defer cancel()
						if r := hook[n].Run(ctx); r.Outcome == hooks.Failed {
							t.Errorf("%v %v", r.Err, r.Actions)
						}
					})
				}
				time.Sleep(time.Duration(i%5) * time.Millisecond) // the disorder that is tested
			}
			running.Wait()
			isMaster(t, nodes[end])
			follows(t, nodes[1-end], nodes[end])
		})
	}
}

// dying is a server whose hook is killed after some number of changes.
type dying struct {
	hooks.Redis
	left *int
	kill context.CancelFunc
}

func (d dying) change(err error) error {
	if *d.left--; *d.left == 0 {
		d.kill()
		select {} // what a killed process does next: nothing
	}
	return err
}

func (d dying) Promote(ctx context.Context) error { return d.change(d.Redis.Promote(ctx)) }
func (d dying) Follow(ctx context.Context, m netip.AddrPort) error {
	return d.change(d.Redis.Follow(ctx, m))
}

func (d dying) Pause(ctx context.Context, for_ time.Duration) error {
	return d.change(d.Redis.Pause(ctx, for_))
}
func (d dying) Unpause(ctx context.Context) error { return d.change(d.Redis.Unpause(ctx)) }
func (d dying) Persist(ctx context.Context) error { return d.change(d.Redis.Persist(ctx)) }
func (d dying) Disconnect(ctx context.Context) (int64, error) {
	n, err := d.Redis.Disconnect(ctx)
	return n, d.change(err)
}

// Killed after any of its changes, and run again: the same end.
func TestKilledAfterEachChange(t *testing.T) {
	for _, end := range []checks.Presence{checks.Here, checks.Absent} {
		for changes := 1; changes <= 5; changes++ {
			t.Run(fmt.Sprintf("%s/%d", end, changes), func(t *testing.T) {
				t.Parallel()
				a, b := nodetest.Redis(t), nodetest.Redis(t)
				if end == checks.Here {
					b.Follow(a)
					b.Do("CONFIG", "REWRITE")
				}
				s := settle(t, at(end), b, a)
				killed, kill := context.WithCancel(context.Background())
				half := s
				half.Lock = hooks.Lock{Path: filepath.Join(t.TempDir(), "half")} // the kernel frees the lock of a killed process
				left := changes
				half.Local = dying{server(b), &left, kill}
				ended := make(chan struct{})
				go func() {
					half.Run(context.Background())
					close(ended)
				}()
				select {
				case <-killed.Done():
				case <-ended: // there are fewer changes on the way to a master
					if end == checks.Absent || changes <= 3 {
						t.Fatalf("never made change %d", changes)
					}
				}
				reached(t, run(t, s, 5*time.Second))
				if end == checks.Here {
					isMaster(t, b)
				} else {
					isReplicaOf(t, b, a)
				}
			})
		}
	}
}

func TestRewriteFailures(t *testing.T) {
	for name, test := range map[string]struct {
		server func(t *testing.T) *nodetest.Server
		says   string
	}{
		"no file": {func(t *testing.T) *nodetest.Server { return nodetest.Bare(t) }, "start it with one"},
		"renamed": {func(t *testing.T) *nodetest.Server {
			return nodetest.Redis(t, `rename-command CONFIG ""`)
		}, "renamed or disabled"},
		"folder gone": {func(t *testing.T) *nodetest.Server {
			s := nodetest.Redis(t)
			if err := os.Rename(s.Dir, s.Dir+".away"); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { os.Rename(s.Dir+".away", s.Dir) })
			return s
		}, "CONFIG REWRITE failed"},
		"replicaof in an include": {func(t *testing.T) *nodetest.Server {
			include := filepath.Join(t.TempDir(), "peer.conf")
			if err := os.WriteFile(include, []byte("# the peer\nreplicaof 127.0.0.1 7\n"), 0o644); err != nil {
				t.Fatal(err)
			}
			return nodetest.Redis(t, "include "+include)
		}, "peer.conf:2: still says replicaof 127.0.0.1:7"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := test.server(t)
			hook := settle(t, at(checks.Here), s)
			hook.Nodes = append(hook.Nodes, "127.0.0.1:7")
			r := run(t, hook, 2*time.Second)
			if r.Outcome != hooks.Done || s.Look().Role != node.Master {
				t.Errorf("the promotion does not stand: %v %v", r.Outcome, r.Err)
			}
			if len(r.Warnings) != 1 || !strings.Contains(r.Warnings[0].Error(), test.says) {
				t.Errorf("warnings %v, want one that says %q", r.Warnings, test.says)
			}
		})
	}
}

// The include of the examples is no mistake.
func TestNeverBootAsMasterIsNoWarning(t *testing.T) {
	include := filepath.Join(t.TempDir(), "never.conf")
	if err := os.WriteFile(include, []byte("replicaof 127.0.0.1 1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	a, b := nodetest.Redis(t, "include "+include), nodetest.Redis(t, "include "+include)
	reached(t, run(t, settle(t, at(checks.Here), a, b), 5*time.Second))
	reached(t, run(t, settle(t, at(checks.Absent), b, a), 5*time.Second))
	reached(t, run(t, settle(t, at(checks.Here), b, a), 5*time.Second))
}

func TestServerThatKnowsOnlySlaveof(t *testing.T) {
	a, b := nodetest.Redis(t), nodetest.Redis(t, `rename-command REPLICAOF ""`)
	reached(t, run(t, settle(t, at(checks.Absent), b, a), 5*time.Second))
	isReplicaOf(t, b, a)
	reached(t, run(t, settle(t, at(checks.Here), b, a), 5*time.Second))
	isMaster(t, b)
}

func TestWithoutALockItStillRuns(t *testing.T) {
	a := nodetest.Redis(t, "replicaof 127.0.0.1 1")
	s := settle(t, at(checks.Here), a)
	s.Lock = hooks.Lock{Path: filepath.Join(t.TempDir(), "none", "lock")}
	r := run(t, s, 5*time.Second)
	if r.Outcome != hooks.Done || len(r.Warnings) != 1 || !strings.Contains(r.Warnings[0].Error(), "install -d") {
		t.Errorf("%v %v %v", r.Outcome, r.Err, r.Warnings)
	}
}
