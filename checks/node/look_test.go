package node_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"redis-vip/checks/node"
	"redis-vip/checks/node/nodetest"
)

const (
	deadline = 500 * time.Millisecond
	slack    = 250 * time.Millisecond // generous: many servers start at once; redis-check's own test has 50 ms
)

func look(t *testing.T, e node.Endpoint) node.Facts {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	start := time.Now()
	f := e.Look(ctx)
	if took := time.Since(start); took > deadline+slack {
		t.Errorf("took %v, the deadline is %v", took, deadline)
	}
	return f
}

func TestLookAtMasterAndReplica(t *testing.T) {
	master, replica := nodetest.Redis(t), nodetest.Redis(t)
	master.Do("MSET", "a", 1, "b", 2)
	replica.Follow(master)

	m := look(t, master.Endpoint())
	if m.Class != node.Alive || m.Role != node.Master || m.Keys != 2 || m.RunID == "" || m.Version == "" || m.ConfigFile != master.Config {
		t.Errorf("master: %+v", m)
	}
	if len(m.Downstream) != 1 || m.Downstream[0].Addr != replica.Addr || m.Downstream[0].State != "online" {
		t.Errorf("master's replicas: %+v", m.Downstream)
	}
	r := look(t, replica.Endpoint())
	if r.Class != node.Alive || r.Role != node.Replica || !r.Upstream.Up || r.Upstream.Syncing || r.Keys != 2 || r.ReplID != m.ReplID {
		t.Errorf("replica: %+v", r)
	}
	if !r.Follows(master.Addr) || r.Follows(replica.Addr) {
		t.Errorf("follows %+v, want %v", r.Upstream, master.Addr)
	}
}

// A master keeps more than its backlog for a replica that is behind, until that one's
// connection ends.
func TestBacklogWithoutTheReplica(t *testing.T) {
	master, replica := nodetest.Redis(t, "repl-backlog-size 16kb"), nodetest.Redis(t)
	replica.Follow(master)
	replica.Signal(syscall.SIGSTOP)
	for i := range 40 {
		master.Do("SET", fmt.Sprint("key", i), strings.Repeat("x", 1<<20))
	}
	while := master.Look()
	replica.Kill()
	var after node.Facts
	nodetest.Eventually(t, "the end of its connection", func() error {
		if after = master.Look(); len(after.Downstream) > 0 {
			return errors.New("it is still there")
		}
		return nil
	})
	if while.BacklogFrom <= 1 || while.BacklogFrom < after.BacklogFrom-(1<<20)-16<<10 {
		t.Errorf("from %d of %d on, and without the replica from %d", while.BacklogFrom, while.Offset, after.BacklogFrom)
	}
}

// The time of day is set ahead while a replica waits.
func TestLookKnowsTheAgeOfAProcess(t *testing.T) {
	s := nodetest.Redis(t, "replicaof 127.0.0.1 1")
	nodetest.Eventually(t, "two seconds of life", func() error {
		if up := s.Look().Uptime; up < 2*time.Second {
			return fmt.Errorf("up for %v", up)
		}
		return nil
	})
	endpoint, asked := s.Endpoint(), 0
	for name, test := range map[string]struct {
		age  time.Duration
		err  error
		want time.Duration
	}{
		"younger than it says":        {time.Second, nil, time.Second},
		"a process of another system": {time.Hour, nil, s.Look().Uptime},
		"unknown":                     {0, os.ErrPermission, s.Look().Uptime},
	} {
		endpoint.Age = func(pid int) (time.Duration, error) {
			asked = pid
			return test.age, test.err
		}
		if f := look(t, endpoint); f.Uptime < test.want || f.Uptime > test.want+2*time.Second || test.age == time.Second && f.Uptime != time.Second {
			t.Errorf("%s: up for %v, want %v", name, f.Uptime, test.want)
		}
	}
	if pid := s.Do("INFO", "server"); !strings.Contains(pid.(string), fmt.Sprintf("process_id:%d\r\n", asked)) {
		t.Errorf("asked for the age of %d", asked)
	}
}

func TestLookClasses(t *testing.T) {
	for name, test := range map[string]struct {
		server func(*testing.T) node.Endpoint
		class  node.Class
	}{
		"refused": {func(t *testing.T) node.Endpoint { return node.Endpoint{Addr: nodetest.FreePort(t)} }, node.Refused},
		"no socket": {func(t *testing.T) node.Endpoint {
			return node.Endpoint{Socket: filepath.Join(t.TempDir(), "none.sock")}
		}, node.Unreachable},
		"unix socket": {func(t *testing.T) node.Endpoint {
			path := filepath.Join(t.TempDir(), "redis.sock")
			nodetest.Redis(t, "unixsocket "+path)
			nodetest.Eventually(t, "its socket", func() error { // TCP is the first that it listens to
				conn, err := net.Dial("unix", path)
				if err == nil {
					conn.Close()
				}
				return err
			})
			return node.Endpoint{Socket: path}
		}, node.Alive},
		"stopped": {func(t *testing.T) node.Endpoint {
			server := nodetest.Redis(t)
			server.Signal(syscall.SIGSTOP)
			return server.Endpoint()
		}, node.Timeout},
		"hung in mid-reply": {fake(answering("+PONG\r\n$100\r\nrole:mas")), node.Timeout},
		"one byte at a time": {fake(func(conn net.Conn) {
			for range 1000 {
				if _, err := io.WriteString(conn, "+"); err != nil {
					return
				}
				time.Sleep(5 * time.Millisecond)
			}
		}), node.Timeout},
		"hangs up": {fake(func(net.Conn) {}), node.Closed},
		"garbage": {fake(func(conn net.Conn) {
			io.WriteString(conn, "HTTP/1.1 400 Bad Request\r\n\r\n")
			io.Copy(io.Discard, conn)
		}), node.Garbage},
		"a redis without a role": {fake(answering("+PONG\r\n" + strings.Repeat("$2\r\n\r\n\r\n", 3))), node.Garbage},
		"noauth": {func(t *testing.T) node.Endpoint {
			return nodetest.Redis(t, "requirepass right").Endpoint()
		}, node.NoAuth},
		"wrongpass": {func(t *testing.T) node.Endpoint {
			e := nodetest.Redis(t, "requirepass right").Endpoint()
			e.Password = "wrong"
			return e
		}, node.NoAuth},
		"password": {func(t *testing.T) node.Endpoint {
			e := nodetest.Redis(t, "requirepass right").Endpoint()
			e.Password = "right"
			return e
		}, node.Alive},
		"password where none is asked": {func(t *testing.T) node.Endpoint {
			e := nodetest.Redis(t).Endpoint()
			e.Password = "right"
			return e
		}, node.Alive},
		"least privilege": {func(t *testing.T) node.Endpoint {
			e := nodetest.Redis(t, "user ha on >pw resetkeys resetchannels -@all +ping +info +role").Endpoint()
			e.Username, e.Password = "ha", "pw"
			return e
		}, node.Alive},
		"noperm": {func(t *testing.T) node.Endpoint {
			e := nodetest.Redis(t, "user ha on >pw -@all +ping").Endpoint()
			e.Username, e.Password = "ha", "pw"
			return e
		}, node.NoPerm},
		"maxclients": {func(t *testing.T) node.Endpoint {
			server := nodetest.Redis(t, "maxclients 2")
			fill(t, server.Addr, 2)
			return server.Endpoint()
		}, node.MaxClients},
		"maxclients with a password": {func(t *testing.T) node.Endpoint {
			server := nodetest.Redis(t, "maxclients 2", "requirepass right")
			fill(t, server.Addr, 2)
			e := server.Endpoint()
			e.Password = "right"
			return e
		}, node.MaxClients},
		"misconf": {func(t *testing.T) node.Endpoint {
			server := nodetest.Redis(t, "save 3600 1", "dbfilename dump.rdb")
			server.Do("SET", "a", 1)
			server.Do("CONFIG", "SET", "rdbcompression", "no")
			breakSaving(t, server)
			return server.Endpoint()
		}, node.Misconf},
		"busy": {func(t *testing.T) node.Endpoint {
			server := nodetest.Redis(t, "lua-time-limit 1")
			go server.Try("EVAL", "while true do end", 0)
			nodetest.Eventually(t, "a busy server", func() error {
				if class := server.Look().Class; class != node.Busy {
					return fmt.Errorf("it is %v", class)
				}
				return nil
			})
			return server.Endpoint()
		}, node.Busy},
		"loading": {func(t *testing.T) node.Endpoint {
			nodetest.From7(t, "so little is loaded before anybody can ask")
			server := nodetest.Redis(t, "save \"\"", "enable-debug-command yes", "key-load-delay 1000", "loading-process-events-interval-bytes 1024")
			server.Do("DEBUG", "POPULATE", 20000)
			server.Save()
			server.Kill()
			server.Start()
			return server.Endpoint()
		}, node.Loading},
		"masterdown": {func(t *testing.T) node.Endpoint {
			nodetest.From7(t, "PING is answered")
			return nodetest.Redis(t, "replica-serve-stale-data no", "replicaof 127.0.0.1 1").Endpoint()
		}, node.MasterDown},
		"tls": {func(t *testing.T) node.Endpoint {
			e, trusted := nodetest.TLS(t)
			e.TLS = trusted
			return e
		}, node.Alive},
		"tls without a client certificate": {func(t *testing.T) node.Endpoint {
			e, trusted := nodetest.TLS(t)
			e.TLS = &tls.Config{RootCAs: trusted.RootCAs}
			return e
		}, node.Untrusted},
		"tls of an unknown authority": {func(t *testing.T) node.Endpoint {
			e, _ := nodetest.TLS(t)
			e.TLS = &tls.Config{}
			return e
		}, node.Untrusted},
		"tls towards plain text": {func(t *testing.T) node.Endpoint {
			e := fake(func(conn net.Conn) { io.WriteString(conn, "-ERR no TLS here\r\n"); io.Copy(io.Discard, conn) })(t)
			e.TLS = &tls.Config{}
			return e
		}, node.Untrusted},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if f := look(t, test.server(t)); f.Class != test.class {
				t.Errorf("class %v (%s), want %v", f.Class, f.Problem, test.class)
			} else if f.Class == node.Alive && f.Role != node.Master {
				t.Errorf("role %v", f.Role)
			}
		})
	}
}

// A demotion on this host closes all clients, redis-check's connection too.
func TestLookTriesAgainWhenTheConnectionIsClosed(t *testing.T) {
	server := nodetest.Redis(t)
	first := make(chan bool, 1)
	first <- true
	addr := nodetest.Fake(t, func(conn net.Conn) {
		select {
		case <-first:
			return
		default:
		}
		real, err := net.Dial("tcp", server.Addr.String())
		if err != nil {
			return
		}
		defer real.Close()
		go io.Copy(real, conn)
		io.Copy(conn, real)
	})
	if f := look(t, node.Endpoint{Addr: addr}); f.Class != node.Alive {
		t.Errorf("class %v (%s)", f.Class, f.Problem)
	}
}

func fake(serve func(net.Conn)) func(*testing.T) node.Endpoint {
	return func(t *testing.T) node.Endpoint { return node.Endpoint{Addr: nodetest.Fake(t, serve)} }
}

// answering knows no HELLO and answers PING, the head of a pipeline, with reply.
func answering(reply string) func(net.Conn) {
	return func(conn net.Conn) {
		for lines := bufio.NewScanner(conn); lines.Scan(); {
			switch strings.ToUpper(lines.Text()) {
			case "HELLO":
				io.WriteString(conn, "-ERR unknown command\r\n")
			case "PING":
				io.WriteString(conn, reply)
			}
		}
	}
}

// fill takes n of the server's connections until the test ends.
func fill(t *testing.T, addr netip.AddrPort, n int) {
	for range n {
		conn, err := net.Dial("tcp", addr.String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		io.WriteString(conn, "PING\r\n")
		if _, err := bufio.NewReader(conn).ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
}

// breakSaving makes the next snapshot fail, as a full disk does.
func breakSaving(t *testing.T, server *nodetest.Server) {
	t.Helper()
	if err := syscall.Mkdir(filepath.Join(server.Dir, "dump.rdb"), 0o700); err != nil {
		t.Fatal(err)
	}
	server.Do("BGSAVE")
	nodetest.Eventually(t, "a failed save", func() error {
		if class := server.Look().Class; class != node.Misconf {
			return fmt.Errorf("it is %v", class)
		}
		return nil
	})
}

// What an open server tells a stranger is not taken for an answer to us.
func TestLookWithAWrongPassword(t *testing.T) {
	t.Parallel()
	e := nodetest.Redis(t, "user ha on >secret -@all +ping +info +role").Endpoint()
	e.Username, e.Password = "ha", "wrong"
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if f := e.Look(ctx); f.Class != node.NoAuth || f.Role != node.NoRole || f.RunID != "" {
		t.Errorf("%+v", f)
	}
}
