package program_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"redis-vip/checks/lint"
	"redis-vip/checks/node"
	"redis-vip/checks/node/nodetest"
)

// pair: a check, a drained hand-over, a preservation, a FAILOVER that hangs.
func (s *stage) pair() {
	a, b := s.redis("repl-backlog-size 16mb"), s.redis("repl-backlog-size 16mb")
	flags := func(local *nodetest.Server, vip string) []string { return s.node(local, vip, a, b) }
	a.Do("SET", "before", 1)
	if s.follow(b, a); s.over() {
		return
	}
	s.run("check", 0, slices.Concat([]string{"redis-check"}, flags(b, absent))...)
	s.run("ha", 0, slices.Concat([]string{"redis-check"}, flags(b, absent))...)
	if s.over() {
		return
	}
	if s.run("ha", 0, slices.Concat([]string{"notify-master"}, flags(b, here))...); s.over() {
		return
	}
	s.eventually("the old master as a replica", func() error {
		if !a.Look().Upstream.Up {
			return errors.New("no link")
		}
		return nil
	})
	a.Do("REPLICAOF", "NO", "ONE")
	a.Do("SET", "a", 1)
	b.Do("SET", "b", 1)
	if s.run("ha", 0, slices.Concat([]string{"notify-backup"}, flags(b, absent))...); s.over() {
		return
	}
	s.eventually("the replica again", func() error {
		if f := a.Look(); len(f.Downstream) != 1 || f.Downstream[0].State != "online" {
			return fmt.Errorf("%+v", f.Downstream)
		}
		return nil
	})
	s.servers = []*nodetest.Server{a} // the other one does not answer
	b.Signal(syscall.SIGSTOP)
	defer b.Signal(syscall.SIGCONT)
	a.Do("FAILOVER", "TO", "127.0.0.1", b.Addr.Port(), "FORCE", "TIMEOUT", 1)
	s.eventually("the failover", func() error {
		if state := a.Look().Failover; state == "no-failover" {
			return errors.New(state)
		}
		return nil
	})
	s.run("ha", 0, slices.Concat([]string{"notify-master"}, flags(a, here))...)
}

// replay: of the writes that a deposed master had, tried on a server that has no history
// in common with them, and then done; and of all data, because a server that only now
// gets a replica has no backlog.
func (s *stage) replay() {
	a, b, c := s.redis("repl-backlog-size 16mb"), s.redis("repl-backlog-size 16mb"), s.redis()
	replay := func(args ...string) {
		s.run("replay", 0, slices.Concat([]string{"redis-vip", "preserved replay"}, s.node(a, absent, a, b), args)...)
	}
	a.Do("SET", "before", 1)
	s.follow(b, a)
	b.Do("REPLICAOF", "NO", "ONE")
	b.Do("SET", "b", 1)
	a.Do("ZADD", "set", 1, "one")
	a.Do("ZUNIONSTORE", "union", 1, "set")
	a.Do("EVAL", "redis.call('SELECT', 1) redis.call('SET', 'a', 1)", 0)
	s.run("ha", 0, slices.Concat([]string{"notify-backup"}, s.node(a, absent, a, b))...)
	file := s.preserved(a, "resp")
	// A copy, whose lock is another: a server that another test starts right now holds on to
	// the first one's until it is a program of its own.
	copied := filepath.Join(s.dir, "copied")
	if err := os.CopyFS(copied, os.DirFS(filepath.Dir(file))); err != nil {
		s.Fatal(err)
	}
	if replay("--dry-run", "--to", c.Addr.String(), filepath.Join(copied, filepath.Base(file))); s.over() {
		return
	}
	if replay(file); s.over() {
		return
	}
	d := s.redis()
	d.Do("SET", "before", 1)
	d.Do("SET", "d", 1)
	s.run("ha", 0, slices.Concat([]string{"notify-backup"}, s.node(d, absent, b, d))...)
	replay(s.preserved(d, "rdb"))
}

// preserved is the one file of a kind that a node's host has.
func (s *stage) preserved(n *nodetest.Server, kind string) string {
	s.Helper()
	files, err := filepath.Glob(fmt.Sprintf("%s/%d/mymaster/*.%s", s.dir, n.Addr.Port(), kind))
	if err != nil || len(files) != 1 {
		s.Fatalf("%v, %v", files, err)
	}
	return files[0]
}

// witness: the lease is taken, renewed, and released by a demotion.
func (s *stage) witness() {
	w := nodetest.Redis(s.T, s.users(lint.OnWitness)...)
	s.servers = append(s.servers, w)
	a, b := s.redis(), s.redis()
	secret := filepath.Join(s.dir, "secret")
	flags := func(local *nodetest.Server, vip string) []string {
		return append(s.node(local, vip, a, b), "--witnesses", w.Addr.String(), "--witness-username", "ha", "--witness-password-file", secret)
	}
	a.Do("SET", "before", 1)
	s.follow(b, a)
	s.eventually("the lease", func() error { // a witness that has just started grants none
		s.run("ha", 0, slices.Concat([]string{"redis-check"}, flags(a, here))...)
		if holder, _ := w.Try("GET", "redis-vip:lease:mymaster"); holder == nil {
			return errors.New("nobody has it")
		}
		return nil
	})
	if s.over() {
		return
	}
	b.Do("REPLICAOF", "NO", "ONE")
	b.Do("SET", "b", 1)
	s.run("ha", 0, slices.Concat([]string{"notify-backup"}, flags(a, absent))...)
}

// trio: HAProxy's check, a switchover, a master that hangs in a script, and one that dies.
func (s *stage) trio() {
	a, b, c := s.redis("replica-priority 50", "busy-reply-threshold 10"), s.redis("busy-reply-threshold 10"), s.redis("busy-reply-threshold 10")
	s.follow(b, a)
	s.follow(c, a)
	var sentinels []*nodetest.Server
	var addresses []string
	for range 3 {
		sentinel := nodetest.Sentinel(s.T, slices.Concat(s.users(lint.OnSentinel), []string{
			fmt.Sprintf("sentinel monitor mymaster 127.0.0.1 %d 2", a.Addr.Port()),
			"sentinel down-after-milliseconds mymaster 1000", "sentinel failover-timeout mymaster 5000",
			"sentinel auth-user mymaster sentinel", "sentinel auth-pass mymaster secret",
			"sentinel sentinel-user sentinel", "sentinel sentinel-pass secret",
		})...)
		sentinels, addresses = append(sentinels, sentinel), append(addresses, sentinel.Addr.String())
	}
	s.servers = append(s.servers, sentinels...)
	s.eventually("three Sentinels and two replicas", func() error {
		for _, sentinel := range sentinels {
			others, _ := sentinel.Do("SENTINEL", "SENTINELS", "mymaster").([]any)
			replicas, _ := sentinel.Do("SENTINEL", "REPLICAS", "mymaster").([]any)
			if len(others) != 2 || len(replicas) != 2 {
				return fmt.Errorf("%d, %d", len(others), len(replicas))
			}
		}
		return nil
	})
	if s.over() {
		return
	}
	secret := filepath.Join(s.dir, "secret")
	flags := func(user string) []string {
		return append(s.node(a, "", a, b, c),
			"--sentinels", strings.Join(addresses, ","), "--sentinel-username", user, "--sentinel-password-file", secret)
	}
	s.run("check", 0, slices.Concat([]string{"redis-check"}, flags("check"), []string{"--expect", "master"})...)
	if s.over() {
		return
	}
	if s.owner == lint.Watching && s.without != "" { // ours would wait for what cannot come
		sentinels[0].Do("SENTINEL", "FAILOVER", "mymaster")
	} else {
		end := make(chan struct{})
		go func() { // the timer on the host of the old master
			for a.Look().Role == node.Master {
				select {
				case <-end:
					return
				case <-time.After(200 * time.Millisecond):
				}
				s.call("ha", slices.Concat([]string{"redis-vip", "reconcile"}, flags("ha"), []string{"mymaster"})...)
			}
		}()
		s.run("ha", 0, slices.Concat([]string{"redis-vip", "switchover"}, flags("ha"))...)
		close(end)
	}
	s.eventually("the end of the first master", func() error {
		if role := a.Look().Role; role == node.Master {
			return errors.New("it is one")
		}
		return nil
	})
	s.settled(a, b, c)
	if s.over() {
		return
	}
	master := slices.IndexFunc([]*nodetest.Server{a, b, c}, func(n *nodetest.Server) bool { return n.Look().Role == node.Master })
	server := []*nodetest.Server{a, b, c}[master]
	// It ends by itself too: as long as it runs, nobody is told what was refused.
	_, err := server.Try("EVAL", `local now = redis.call('TIME')[1] + 5 while redis.call('TIME')[1] + 0 < now do end`, 0)
	if s.over() {
		return
	}
	if err == nil {
		s.Error("the Sentinels have not ended the script")
	}
	server.Kill()
	s.eventually("another master", func() error {
		for _, n := range []*nodetest.Server{a, b, c} {
			if n != server && n.Look().Role == node.Master {
				return nil
			}
		}
		return errors.New("none")
	})
}

// settled waits until one of the nodes is the master and the others hear it.
func (s *stage) settled(nodes ...*nodetest.Server) {
	s.Helper()
	s.eventually("one master, which the others hear", func() error {
		masters := 0
		for _, n := range nodes {
			f := n.Look()
			if f.Role == node.Master {
				masters++
			} else if !f.Upstream.Up {
				return fmt.Errorf("%s: %+v", n.Addr, f.Upstream)
			}
		}
		if masters != 1 {
			return fmt.Errorf("%d masters", masters)
		}
		return nil
	})
}
