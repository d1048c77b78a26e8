package preserve_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"redis-vip/checks/node/nodetest"
	"redis-vip/hooks/preserve"
)

func replay(t *testing.T, f *preserve.File, r preserve.Replay) preserve.Report {
	t.Helper()
	var err error
	if r.Program, err = nodetest.Given().Path("redis-server"); err != nil {
		t.Fatal(err)
	}
	report, err := f.Replay(soon(t), r)
	if err != nil {
		t.Fatalf("%v: %+v", err, report)
	}
	return report
}

func TestReplayBringsEverythingBack(t *testing.T) {
	var writes int64
	p := split(t, base, func(t *testing.T, s *nodetest.Server) { writes = later(t, s) })
	f := p.save(t)
	r := preserve.Replay{Target: p.winner.Endpoint(), DryRun: true}
	if dry := replay(t, &f, r); dry.Applied != writes || dry.LeftOut != 0 || !dry.Exact {
		t.Errorf("dry run: %+v", dry)
	}
	r.DryRun = false
	if got := replay(t, &f, r); got.Applied != writes || got.LeftOut != 0 || !got.Exact || len(got.Failed) > 0 {
		t.Errorf("%+v, want %d", got, writes)
	}
	same(t, p.deposed, p.winner, 0, 1, 3, 5)

	if _, err := f.Replay(soon(t), r); !errors.Is(err, preserve.ErrReplayed) {
		t.Errorf("twice: %v", err)
	}
	copied := copyOf(t, f)
	if _, err := copied.Replay(soon(t), r); !errors.Is(err, preserve.ErrReplayed) {
		t.Errorf("twice, from a copy without sidecar: %v", err)
	}
	same(t, p.deposed, p.winner, 0, 1, 3, 5)
}

func TestReplayLeavesConflictsOut(t *testing.T) {
	p := split(t, base, func(t *testing.T, s *nodetest.Server) { later(t, s) })
	f := p.save(t)
	p.winner.Do("INCR", "counter")
	p.winner.Do("SET", "k7", "newer")
	p.winner.Do("SET", "t1", "newer") // in one transaction with t2
	p.winner.Do("SET", "m2", "newer") // in one command with m1
	p.winner.Do("DEL", "list")
	p.winner.Do("SET", "unrelated", 1)
	report := replay(t, &f, preserve.Replay{Target: p.winner.Endpoint()})
	var got []string
	for _, c := range report.Conflict {
		got = append(got, fmt.Sprintf("%d %s %s %d", c.DB, c.Name, c.Cause, c.Writes))
	}
	want := []string{"0 counter changed 3", "0 k7 changed 1", "0 list changed 1", "0 m1 depends 1", "0 m2 changed 1", "0 t1 changed 1", "5 t2 depends 1"}
	if !slices.Equal(got, want) {
		t.Errorf("conflicts %q", got)
	}
	for key, value := range map[string]string{"counter": "11", "k7": "newer", "t1": "newer", "m2": "newer", "k8": "8", "renamed": "0", "lua": ""} {
		if got := fmt.Sprint(p.winner.Do("GET", key)); value != "" && got != value {
			t.Errorf("%s is %s, want %s", key, got, value)
		}
	}
	if got := p.winner.Do("EXISTS", "m1", "list"); got != int64(0) {
		t.Errorf("m1 and list: %v exist", got)
	}

	forced := replay(t, &f, preserve.Replay{Target: p.winner.Endpoint(), Force: true})
	if forced.Applied != 8 || forced.LeftOut != 0 {
		t.Errorf("forced: %+v", forced)
	}
	if got := fmt.Sprintf("%v %v %v", p.winner.Do("GET", "counter"), p.winner.Do("GET", "k7"), p.winner.Do("GET", "m1")); got != "13 7 1" {
		t.Errorf("forced: %s", got)
	}
	if _, err := f.Replay(soon(t), preserve.Replay{Target: p.winner.Endpoint(), Force: true}); !errors.Is(err, preserve.ErrReplayed) {
		t.Errorf("forced twice: %v", err)
	}
}

// Where the master's backlog does not reach back to the split, what exists there
// counts as a conflict.
func TestReplayPresumesConflicts(t *testing.T) {
	p := split(t, base, func(t *testing.T, s *nodetest.Server) { later(t, s) })
	f := p.save(t)
	for range 100 {
		p.winner.Do("SET", "pad", strings.Repeat("x", 30_000))
	}
	report := replay(t, &f, preserve.Replay{Target: p.winner.Endpoint()})
	if report.Exact || report.Inexact == "" {
		t.Errorf("%+v", report)
	}
	for _, c := range report.Conflict {
		if c.Cause != preserve.Exists {
			t.Errorf("%+v", c)
		}
	}
	if got := fmt.Sprintf("%v %v", p.winner.Do("GET", "counter"), p.winner.Do("GET", "k8")); got != "10 8" {
		t.Errorf("counter and k8: %s", got)
	}
}

func TestReplayOfAFlush(t *testing.T) {
	p := split(t, base, func(t *testing.T, s *nodetest.Server) {
		s.Do("SET", "a", 1)
		s.Do("FLUSHALL")
		s.Do("INCR", "counter")
	})
	f := p.save(t)
	report := replay(t, &f, preserve.Replay{Target: p.winner.Endpoint()})
	if report.Applied != 0 || report.LeftOut != 3 || fmt.Sprint(p.winner.Do("GET", "counter")) != "10" {
		t.Errorf("%+v", report)
	}
	if forced := replay(t, &f, preserve.Replay{Target: p.winner.Endpoint(), Force: true}); forced.Applied != 3 {
		t.Errorf("%+v", forced)
	}
	same(t, p.deposed, p.winner, 0, 1, 3)
}

func TestReplayOfAllData(t *testing.T) {
	p := split(t, base, func(t *testing.T, s *nodetest.Server) {
		for range 100 {
			s.Do("SET", "pad", strings.Repeat("x", 30_000))
		}
		later(t, s)
	})
	p.winner.Do("SET", "k7", "newer")
	f := p.save(t)
	if f.Kind != preserve.RDB {
		t.Fatalf("%+v", f.Meta)
	}
	dry := replay(t, &f, preserve.Replay{Target: p.winner.Endpoint(), DryRun: true})
	report := replay(t, &f, preserve.Replay{Target: p.winner.Endpoint()})
	if report.Applied == 0 || report.Applied != dry.Applied || len(report.Failed) > 0 || report.Same == 0 {
		t.Errorf("%+v; dry: %+v", report, dry)
	}
	var left []string
	for _, c := range report.Conflict {
		left = append(left, c.Name)
	}
	slices.Sort(left)
	if want := []string{"counter", "hash", "k7", "list"}; !slices.Equal(left, want) {
		t.Errorf("left out: %q", left)
	}
	if got := fmt.Sprintf("%v %v", p.winner.Do("GET", "k7"), p.winner.Do("GET", "k8")); got != "newer 8" {
		t.Errorf("k7 and k8: %s", got)
	}
	if _, err := f.Replay(soon(t), preserve.Replay{Target: p.winner.Endpoint()}); !errors.Is(err, preserve.ErrReplayed) {
		t.Errorf("twice: %v", err)
	}
}

// On a host of Valkey there may be no redis-server.
func TestReplayWithTheServerOfThisHost(t *testing.T) {
	p := split(t, base, func(t *testing.T, s *nodetest.Server) { later(t, s) })
	p.deposed.Do("CONFIG", "SET", "repl-backlog-size", "16kb")
	for range 10 {
		p.deposed.Do("SET", "pad", strings.Repeat("x", 30_000))
	}
	f := p.save(t)
	server, err := nodetest.Given().Path("redis-server")
	if err != nil || f.Kind != preserve.RDB {
		t.Fatalf("%v: %+v", err, f.Meta)
	}
	r := preserve.Replay{Target: p.winner.Endpoint(), DryRun: true}
	t.Setenv("PATH", t.TempDir())
	if _, err := f.Replay(soon(t), r); !errors.Is(err, preserve.ErrNoServer) {
		t.Errorf("without a server: %v", err)
	}
	if err := os.Symlink(server, filepath.Join(os.Getenv("PATH"), "valkey-server")); err != nil {
		t.Fatal(err)
	}
	if report, err := f.Replay(soon(t), r); err != nil || report.Applied == 0 {
		t.Errorf("%+v, %v", report, err)
	}
}

func TestReplayRefuses(t *testing.T) {
	p := split(t, base, func(t *testing.T, s *nodetest.Server) { later(t, s) })
	f := p.save(t)
	p.deposed.Do("CLIENT", "UNPAUSE")
	if _, err := f.Replay(soon(t), preserve.Replay{Target: p.deposed.Endpoint()}); !errors.Is(err, preserve.ErrSource) {
		t.Errorf("onto the source: %v", err)
	}
	p.deposed.Follow(p.winner)
	if _, err := f.Replay(soon(t), preserve.Replay{Target: p.deposed.Endpoint()}); !errors.Is(err, preserve.ErrNotMaster) {
		t.Errorf("onto a replica: %v", err)
	}
}

// copyOf is the file without what lies beside it, as on another host.
func copyOf(t *testing.T, f preserve.File) preserve.File {
	t.Helper()
	text, err := os.ReadFile(f.Path)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), f.Name())
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	g, err := preserve.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// increments makes a deposed master with n counters, each incremented times over.
func increments(n, times int) func(*testing.T, *nodetest.Server) {
	return func(t *testing.T, s *nodetest.Server) {
		on(t, s, func(do func(...any)) {
			for range times {
				for i := range n {
					do("INCR", fmt.Sprint("c", i))
				}
			}
		})
	}
}

// A replay that is cut short is taken up, with each command applied once.
func TestReplayTakenUp(t *testing.T) {
	for name, prepare := range map[string]func(t *testing.T, p pair, f preserve.File) preserve.File{
		"exact":      func(_ *testing.T, _ pair, f preserve.File) preserve.File { return f },
		"other host": func(t *testing.T, _ pair, f preserve.File) preserve.File { return copyOf(t, f) },
		"short of history": func(_ *testing.T, p pair, f preserve.File) preserve.File {
			for range 100 {
				p.winner.Do("SET", "pad", strings.Repeat("x", 30_000))
			}
			return f
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := split(t, base, increments(300, 5))
			f := p.save(t)
			p.winner.Do("SET", "c3", 100)
			f = prepare(t, p, f)
			ctx, cancel := context.WithCancel(soon(t))
			first, err := f.Replay(ctx, preserve.Replay{Target: p.winner.Endpoint(), Progress: func(n int64) {
				if n > 600 {
					cancel()
				}
			}})
			if err == nil || first.Applied == 0 || first.Applied > 1400 {
				t.Fatalf("%+v, %v", first, err)
			}
			if name == "other host" {
				f = copyOf(t, f)
			}
			second := replay(t, &f, preserve.Replay{Target: p.winner.Endpoint()})
			left := int64(5)
			if name == "other host" {
				left = second.LeftOut // what the first run left out, only its sidecar knows
			}
			if first.Applied+second.Applied != 299*5 || second.LeftOut != left || second.Resumed == 0 {
				t.Errorf("%d and %d applied, %d left out", first.Applied, second.Applied, second.LeftOut)
			}
			for i := range 300 {
				want := "5"
				if i == 3 {
					want = "100"
				}
				if got := p.winner.Do("GET", fmt.Sprint("c", i)); got != want {
					t.Errorf("c%d is %v, want %v", i, got, want)
				}
			}
		})
	}
}

// Without the sidecar a replay cannot know what the one before it left out, unless
// the master's backlog tells.
func TestReplayTakenUpBlindly(t *testing.T) {
	p := split(t, base, increments(300, 5))
	f := p.save(t)
	ctx, cancel := context.WithCancel(soon(t))
	if _, err := f.Replay(ctx, preserve.Replay{Target: p.winner.Endpoint(), Progress: func(int64) { cancel() }}); err == nil {
		t.Fatal("not cut short")
	}
	for range 100 {
		p.winner.Do("SET", "pad", strings.Repeat("x", 30_000))
	}
	f = copyOf(t, f)
	if report, err := f.Replay(soon(t), preserve.Replay{Target: p.winner.Endpoint()}); err == nil || !strings.Contains(err.Error(), "another host") {
		t.Errorf("%+v, %v", report, err)
	}
}

// A node that was promoted by mistake, while the master lived on: the master's
// history goes on without a SELECT at the split.
func TestReplayOntoTheOldMaster(t *testing.T) {
	p := split(t, base, func(t *testing.T, s *nodetest.Server) {
		on(t, s, func(do func(...any)) {
			do("SELECT", 3) // as the stream is at the split
			do("SET", "last", "newer")
			do("SET", "mine", 1)
		})
	})
	on(t, p.winner, func(do func(...any)) {
		do("SELECT", 3)
		do("SET", "last", "lost")
		do("SET", "gone", "lost")
		do("SELECT", 0)
		do("SET", "last", "another database")
	})
	p.deposed, p.winner = p.winner, p.deposed
	f := p.save(t)
	if f.Reason != preserve.Usurper || f.Writes != 3 {
		t.Fatalf("%+v", f.Meta)
	}
	report := replay(t, &f, preserve.Replay{Target: p.winner.Endpoint()})
	// Which database the master was in at the split is not known here, so its write
	// to "last" counts in every one.
	if !report.Exact || report.Applied != 1 || report.LeftOut != 2 {
		t.Errorf("%+v", report)
	}
	if got := contents(t, p.winner, 3); !strings.Contains(got["gone"], "lost") || !strings.Contains(got["last"], "newer") {
		t.Errorf("%q", got)
	}
}

// Clients go on writing while a replay runs: none of their writes is lost, and each
// counter is either taken over or reported.
func TestReplayUnderLoad(t *testing.T) {
	const counters, times = 100, 30
	p := split(t, base, increments(counters, times))
	f := p.save(t)
	stop, ended := make(chan bool), make(chan [counters]int)
	go func() {
		var wrote [counters]int
		client := p.winner.Endpoint().Client(nodetest.Bound)
		defer client.Close()
		for i := 0; ; i = (i + 37) % counters {
			select {
			case <-stop:
				ended <- wrote
				return
			case <-time.After(2 * time.Millisecond):
			}
			if client.Incr(context.Background(), fmt.Sprint("c", i)).Err() == nil {
				wrote[i]++
			}
		}
	}()
	report := replay(t, &f, preserve.Replay{Target: p.winner.Endpoint()})
	close(stop)
	wrote := <-ended
	left := make(map[string]preserve.Conflict)
	for _, c := range report.Conflict {
		left[c.Name] = c
	}
	partly := 0
	for i := range counters {
		key := fmt.Sprint("c", i)
		value, _ := strconv.Atoi(fmt.Sprint(p.winner.Do("GET", key)))
		ours := value - wrote[i]
		c, conflict := left[key]
		switch {
		case !conflict && ours != times, conflict && c.From == 0 && ours != 0, ours < 0, ours > times:
			t.Errorf("%s is %d, of which %d by the client: %+v", key, value, wrote[i], c)
		case conflict && c.From > 0:
			partly++
		}
	}
	t.Logf("%d conflicts, %d of them while it ran, %d applied, %d left out", len(left), partly, report.Applied, report.LeftOut)
	if report.Applied+report.LeftOut != counters*times {
		t.Errorf("%d applied, %d left out", report.Applied, report.LeftOut)
	}

	forced := replay(t, &f, preserve.Replay{Target: p.winner.Endpoint(), Force: true})
	if forced.Applied != report.LeftOut {
		t.Errorf("forced: %+v", forced)
	}
	for i := range counters {
		if value := fmt.Sprint(p.winner.Do("GET", fmt.Sprint("c", i))); value != fmt.Sprint(times+wrote[i]) {
			t.Errorf("c%d is %s, want %d", i, value, times+wrote[i])
		}
	}
}

// What a client writes on the new master while a replay runs is never overwritten.
func TestReplayOverwritesNobody(t *testing.T) {
	const keys = 3000
	p := split(t, base, func(t *testing.T, s *nodetest.Server) {
		on(t, s, func(do func(...any)) {
			for i := range keys {
				do("SET", fmt.Sprint("s", i), "old master")
			}
		})
	})
	f := p.save(t)
	ended := make(chan []int)
	for w := range 2 {
		go func() {
			client := p.winner.Endpoint().Client(nodetest.Bound)
			defer client.Close()
			var wrote []int
			for n := range keys / 2 {
				i := (2*n + w) * 1009 % keys // not in the order of the replay
				if client.Set(context.Background(), fmt.Sprint("s", i), "client", 0).Err() == nil {
					wrote = append(wrote, i)
				}
			}
			ended <- wrote
		}()
	}
	report := replay(t, &f, preserve.Replay{Target: p.winner.Endpoint()})
	total := 0
	for range 2 {
		for _, i := range <-ended {
			total++
			if got := p.winner.Do("GET", fmt.Sprint("s", i)); got != "client" {
				t.Errorf("s%d is %v: the client's write is lost", i, got)
			}
		}
	}
	t.Logf("%d writes of clients, %d applied, %d left out", total, report.Applied, report.LeftOut)
}

func TestShow(t *testing.T) {
	p := split(t, base, func(t *testing.T, s *nodetest.Server) { later(t, s) })
	f := p.save(t)
	keys := preserve.NewKeyer(p.winner.Endpoint(), nodetest.Bound)
	defer keys.Close()
	var lines []string
	s, err := f.Show(soon(t), keys, func(l preserve.Line) error {
		lines = append(lines, fmt.Sprintf("%d %d %v %s %v", l.Number, l.DB, l.Transaction, l.Command, l.Keys))
		return nil
	})
	if err != nil || s.Writes != f.Writes || s.Commands["SET"] != 307 || s.Guessed {
		t.Errorf("%+v, %v", s, err)
	}
	for _, want := range []string{
		"1 3 false DEL gone [{3 gone}]",
		`306 0 false SET "binary\x00\r\n" "\x00\xff\r\n$3\r\n*1\r\n" [{0 binary` + "\x00\r\n}]",
		"315 0 false MSET m1 1 m2 2 [{0 m1} {0 m2}]",
		"316 0 false RENAME k0 renamed [{0 k0} {0 renamed}]",
	} {
		if !slices.Contains(lines, want) {
			t.Errorf("%s is missing in\n%s", want, strings.Join(lines[300:], "\n"))
		}
	}
	if i := slices.IndexFunc(s.Keys, func(k preserve.KeyWrites) bool { return k.Name == "counter" }); i < 0 || s.Keys[i].Writes != 3 {
		t.Errorf("keys %+v", s.Keys)
	}
}

// RENAME and others say which keys they have only to the server.
func TestKeys(t *testing.T) {
	s := nodetest.Redis(t)
	keyer := preserve.NewKeyer(s.Endpoint(), nodetest.Bound)
	defer keyer.Close()
	commands := map[string]string{
		"SET a 1":             "[{2 a}]",
		"mset a 1 b 2":        "[{2 a} {2 b}]",
		"DEL a b c":           "[{2 a} {2 b} {2 c}]",
		"ZUNIONSTORE d 2 a b": "[{2 d} {2 a} {2 b}]",
		"XGROUP CREATE s g $": "[{2 s}]",
		"XCLAIM s g c 0 1-1":  "[{2 s}]",
		"SORT l STORE d":      "[{2 l} {2 d}]",
		"MOVE a 5":            "[{2 a} {5 a}]",
		"COPY a b DB 7":       "[{2 a} {2 b} {7 b}]",
		"BITOP AND d a b":     "[{2 d} {2 a} {2 b}]",
		"PUBLISH c m":         "[]",
		"FUNCTION LOAD x":     "[]",
		"FLUSHALL":            "[]",
	}
	if nodetest.Before7(t) { // it says them in another order, and has no functions
		commands["ZUNIONSTORE d 2 a b"] = "[{2 a} {2 b} {2 d}]"
		delete(commands, "FUNCTION LOAD x")
	}
	for text, want := range commands {
		var args [][]byte
		for _, word := range strings.Fields(text) {
			args = append(args, []byte(word))
		}
		keys, err := keyer.Keys(soon(t), 2, args)
		if got := fmt.Sprint(keys); got != want || err != nil {
			t.Errorf("%s: %s, %v", text, got, err)
		}
	}
	if _, err := keyer.Keys(soon(t), 0, [][]byte{[]byte("BF.ADD"), []byte("a")}); err == nil {
		t.Error("a module's command is known")
	}
}
