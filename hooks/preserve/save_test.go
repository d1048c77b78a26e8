package preserve_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"redis-vip/checks/lint"
	"redis-vip/checks/node"
	"redis-vip/checks/node/nodetest"
	"redis-vip/hooks/preserve"
)

// pair is a deposed master that went on, and the replica that was promoted
// meanwhile.
type pair struct {
	deposed, winner *nodetest.Server
	store           preserve.Store
}

// split makes a pair, with before run on the master while it has its replica, and
// after when it has none.
func split(t *testing.T, before, after func(*testing.T, *nodetest.Server), lines ...string) pair {
	t.Helper()
	lines = append([]string{"repl-backlog-size 1mb"}, lines...) // Valkey's own is ten times that
	p := pair{nodetest.Redis(t, lines...), nodetest.Redis(t, lines...), preserve.Store{Dir: t.TempDir(), Group: "mymaster"}}
	p.winner.Follow(p.deposed)
	before(t, p.deposed)
	nodetest.Eventually(t, "equal offsets", func() error {
		if a, b := p.deposed.Look().Offset, p.winner.Look().Offset; a != b {
			return fmt.Errorf("%d and %d", a, b)
		}
		return nil
	})
	p.winner.Do("REPLICAOF", "NO", "ONE")
	after(t, p.deposed)
	return p
}

func (p pair) request() preserve.Request {
	return preserve.Request{
		Node: p.deposed.Endpoint(), Winner: p.winner.Addr.String(), Master: p.winner.Look(), Stall: 5 * time.Second,
	}
}

func (p pair) save(t *testing.T) preserve.File {
	t.Helper()
	p.deposed.Do("CLIENT", "PAUSE", 60000, "WRITE")
	f, err := p.store.Save(soon(t), p.request())
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func soon(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), nodetest.Bound)
	t.Cleanup(cancel)
	return ctx
}

// commands is all that a file holds, each command as its words with spaces between.
func commands(t *testing.T, path string) (list []string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	r := preserve.NewReader(bytes.NewReader(text), int64(len(text)))
	for {
		args, err := r.Read()
		if err == io.EOF {
			return list
		}
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, string(bytes.Join(args, []byte(" "))))
	}
}

func nothing(*testing.T, *nodetest.Server) {}

func TestSaveFindsEveryWrite(t *testing.T) {
	var writes int64
	p := split(t, base, func(t *testing.T, s *nodetest.Server) { writes = later(t, s) })
	f := p.save(t)
	if f.Kind != preserve.Suffix || f.Reason != preserve.Deposed || f.Writes != writes || f.Transactions != 2 {
		t.Errorf("%s: %+v, want %d writes", f, f.Meta, writes)
	}
	if !slices.Equal(f.Databases, []int{3, 0, 5}) || f.AssumedDB {
		t.Errorf("databases %v, assumed %v", f.Databases, f.AssumedDB)
	}
	got := commands(t, f.Path)
	if want := []string{"SELECT 3", "DEL gone", "HINCRBY hash f 5", "SELECT 0", "SET k0 0"}; !slices.Equal(got[:5], want) {
		t.Errorf("begins with %q", got[:5])
	}
	for i := range 300 {
		if want := fmt.Sprintf("SET k%d %d", i, i); got[4+i] != want {
			t.Fatalf("%q, want %q", got[4+i], want)
		}
	}
	for _, want := range []string{"SET binary\x00\r\n \x00\xff\r\n$3\r\n*1\r\n", "SET fake2 " + foreign, "SET big " + strings.Repeat("x", 300_000), "SET lua 1", "INCR lua", "MSET m1 1 m2 2"} {
		if !slices.Contains(got, want) {
			t.Errorf("%.80q is missing", want)
		}
	}
	if info, _ := os.Stat(f.Path); info.Mode() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
	if info, _ := os.Stat(filepath.Dir(f.Path)); info.Mode().Perm() != 0o700 {
		t.Errorf("mode of the folder %v", info.Mode())
	}
	if again := p.save(t); !again.Reused || again.Path != f.Path {
		t.Errorf("saved twice: %+v", again)
	}
}

// A node fenced as a replica of nobody gives out nothing until it is a master
// again, under another ID.
func TestSaveFencedNode(t *testing.T) {
	p := split(t, base, func(t *testing.T, s *nodetest.Server) {
		later(t, s)
		s.Do("REPLICAOF", "127.0.0.1", 1)
	})
	before := preserve.Diverge(p.deposed.Look(), p.winner.Look())
	if _, err := p.store.Save(soon(t), p.request()); !errors.Is(err, preserve.ErrNoMasterLink) {
		t.Errorf("error %v", err)
	}
	p.deposed.Do("REPLICAOF", "NO", "ONE")
	f := p.save(t)
	if f.Kind != preserve.Suffix || f.From != before.From || f.To != before.To || f.Reason != preserve.Siblings || before.Reason != preserve.Deposed {
		t.Errorf("%+v, before %+v", f.Meta, before)
	}
}

func TestSaveNothing(t *testing.T) {
	p := split(t, base, nothing)
	if f := p.save(t); f.Kind != preserve.Nothing || f.Reason != preserve.Inherited {
		t.Errorf("%+v", f.Meta)
	}
	if files, _ := p.store.List(); len(files) != 0 {
		t.Errorf("files %v", files)
	}
}

// Where the backlog has no SELECT left, the only database with keys is the one.
func TestSaveWithoutASelect(t *testing.T) {
	fill := func(db int, value string) func(*testing.T, *nodetest.Server) {
		return func(t *testing.T, s *nodetest.Server) {
			on(t, s, func(do func(...any)) {
				if db != 0 {
					do("SET", "zero", 0)
				}
				do("SELECT", db)
				for range 100 {
					do("SET", "pad", strings.Repeat(value, 500)) // some megabytes
				}
			})
		}
	}
	one := func(db int) func(*testing.T, *nodetest.Server) {
		return func(t *testing.T, s *nodetest.Server) {
			on(t, s, func(do func(...any)) {
				do("SELECT", db)
				do("SET", "late", 1)
			})
		}
	}
	t.Run("one database", func(t *testing.T) {
		f := split(t, fill(0, "plain text, which no parser takes for a command"), one(0)).save(t)
		if f.Kind != preserve.Suffix || !f.AssumedDB {
			t.Fatalf("%+v", f.Meta)
		}
		if got := commands(t, f.Path); !slices.Equal(got, []string{"SELECT 0", "SET late 1"}) {
			t.Errorf("%q", got)
		}
	})
	t.Run("one database, and values like commands", func(t *testing.T) {
		if f := split(t, fill(0, foreign), one(0)).save(t); f.Kind != preserve.RDB {
			t.Errorf("%+v", f.Meta)
		}
	})
	t.Run("two databases", func(t *testing.T) {
		if f := split(t, fill(2, foreign), one(2)).save(t); f.Kind != preserve.RDB {
			t.Errorf("%+v", f.Meta)
		}
	})
	t.Run("two databases, a SELECT far back", func(t *testing.T) {
		p := split(t, func(t *testing.T, s *nodetest.Server) {
			fill(2, foreign)(t, s)
			s.Do("SET", "zero", 1)
			on(t, s, func(do func(...any)) {
				do("SELECT", 2)
				for range 20 {
					do("SET", "pad", strings.Repeat(foreign, 500))
				}
			})
		}, one(2))
		f := p.save(t)
		if got := commands(t, f.Path); f.AssumedDB || !slices.Equal(got, []string{"SELECT 2", "SET late 1"}) {
			t.Errorf("%q of %+v", got, f.Meta)
		}
	})
}

func TestSaveAllData(t *testing.T) {
	overflow := func(t *testing.T, s *nodetest.Server) {
		s.Do("HSET", "expiring", "field", "value")
		s.Try("HEXPIRE", "expiring", 1000, "FIELDS", 1, "field") // Redis 7.4, Valkey 9
		for range 100 {
			s.Do("SET", "pad", strings.Repeat("x", 30_000))
		}
	}
	for name, lines := range map[string][]string{
		"diskless": {"repl-diskless-sync yes"},
		"delayed":  {"repl-diskless-sync yes", "repl-diskless-sync-delay 2"},
		"disk":     {"repl-diskless-sync no"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := split(t, base, overflow, lines...)
			f := p.save(t)
			if f.Kind != preserve.RDB || f.Why == "" {
				t.Fatalf("%+v", f.Meta)
			}
			if again := p.save(t); !again.Reused || again.Path != f.Path {
				t.Errorf("saved twice: %+v", again)
			}
			s, err := f.Show(soon(t), nil, nil)
			if err != nil || s.RDB.Aux["redis-ver"]+s.RDB.Aux["valkey-ver"] == "" {
				t.Errorf("%+v, %v", s.RDB, err)
			}
		})
	}
	t.Run("restarted with AOF", func(t *testing.T) {
		p := split(t, base, func(t *testing.T, s *nodetest.Server) { later(t, s) }, "appendonly yes")
		p.deposed.Do("CONFIG", "SET", "appendfsync", "always")
		p.deposed.Do("SET", "synced", 1)
		p.deposed.Kill()
		p.deposed.Start()
		nodetest.Eventually(t, "loaded data", func() error {
			if class := p.deposed.Look().Class; class != node.Alive {
				return fmt.Errorf("it is %v", class)
			}
			return nil
		})
		if f := p.save(t); f.Kind != preserve.RDB || f.Reason != preserve.Unrelated {
			t.Errorf("%+v", f.Meta)
		}
	})
}

// The grants are those that the documentation tells an operator to give.
func TestSaveAsLeastPrivilegedUser(t *testing.T) {
	grant := "user ha on >secret resetchannels " + strings.Join(lint.Accounts[lint.Programs].Rules(), " ")
	for name, after := range map[string]func(*testing.T, *nodetest.Server){
		"suffix": func(t *testing.T, s *nodetest.Server) { later(t, s) },
		"rdb": func(t *testing.T, s *nodetest.Server) {
			for range 100 {
				s.Do("SET", "pad", strings.Repeat("x", 30_000))
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := split(t, base, after, grant)
			r := p.request()
			r.Node.Username, r.Node.Password = "ha", "secret"
			f, err := p.store.Save(soon(t), r)
			if err != nil || string(f.Kind) == "" {
				t.Errorf("%+v, %v", f, err)
			}
			r.Node.Password = "wrong"
			if _, err := p.store.Save(soon(t), r); err == nil || strings.Contains(err.Error(), "wrong ") {
				t.Errorf("with a wrong password: %v", err)
			}
		})
	}
}

func TestSaveOverTLSAndSocket(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "sock")
	p := split(t, base, func(t *testing.T, s *nodetest.Server) { later(t, s) }, "unixsocket "+socket)
	r := p.request()
	r.Node, r.Name = node.Endpoint{Socket: socket}, p.deposed.Addr.String()
	// Both have the same socket path; the one started last owns it.
	if f, err := p.store.Save(soon(t), r); err != nil {
		t.Errorf("%+v, %v", f, err)
	}
	e, trusted := nodetest.TLS(t)
	e.TLS = trusted
	r = preserve.Request{Node: e, Winner: p.winner.Addr.String(), Master: p.winner.Look(), Stall: 5 * time.Second}
	client := e.Client(time.Second)
	defer client.Close()
	client.Set(soon(t), "a", 1, 0)
	if f, err := p.store.Save(soon(t), r); err != nil || f.Kind != preserve.RDB {
		t.Errorf("%+v, %v", f, err)
	}
}

// A master that only pinged its other replicas since the split has lost nothing.
func TestSavePingsAlone(t *testing.T) {
	p := split(t, base, nothing, "repl-ping-replica-period 1")
	third := nodetest.Redis(t)
	third.Follow(p.deposed)
	nodetest.Eventually(t, "a PING", func() error {
		if d := preserve.Diverge(p.deposed.Look(), p.winner.Look()); d.Safe() {
			return fmt.Errorf("%+v", d)
		}
		return nil
	})
	if f := p.save(t); f.Kind != preserve.Nothing || f.Reason != preserve.Deposed {
		t.Errorf("%+v", f.Meta)
	}
	p.deposed.Do("CLIENT", "UNPAUSE")
	p.deposed.Do("SET", "a", 1)
	f := p.save(t)
	if got := commands(t, f.Path); len(got) != 2 || got[1] != "SET a 1" {
		t.Errorf("%q", got)
	}
	offset := p.deposed.Look().Offset
	nodetest.Eventually(t, "another PING", func() error {
		if p.deposed.Look().Offset == offset {
			return errors.New("none")
		}
		return nil
	})
	if again := p.save(t); !again.Reused {
		t.Errorf("saved again after a PING: %+v", again.Meta)
	}
	if got := contents(t, p.deposed, 0); got["a"] == "" {
		t.Errorf("%q", got)
	}
}

// redis-cli --pipe takes the file too.
func TestPipe(t *testing.T) {
	nodetest.Require(t, "redis-cli")
	p := split(t, base, func(t *testing.T, s *nodetest.Server) { later(t, s) })
	f := p.save(t)
	file, err := os.Open(f.Path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	cli, err := nodetest.Given().Command(t.Context(), "redis-cli", "-p", fmt.Sprint(p.winner.Addr.Port()), "--pipe")
	if err != nil {
		t.Fatal(err)
	}
	cli.Stdin = file
	if out, err := cli.CombinedOutput(); err != nil || !strings.Contains(string(out), "errors: 0") {
		t.Errorf("%v: %s", err, out)
	}
	same(t, p.deposed, p.winner, 0, 1, 3, 5)
}
