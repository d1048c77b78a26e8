// Package nodetest starts real servers for tests, as net/http/httptest does: those of
// PATH, or those that [ServersVariable] and [KeepalivedVariable] name.
package nodetest

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"redis-vip/checks/node"

	"github.com/redis/go-redis/v9"
)

// Bound is how long anything that should happen may take before a test fails.
const Bound = 20 * time.Second

// Require skips the test where a program is missing, and fails it in CI, where
// nothing may be skipped.
func Require(t testing.TB, programs ...string) {
	t.Helper()
	for _, program := range programs {
		if _, err := Given().Path(program); err != nil {
			Skip(t, "needs %s: run `make test`, which installs it (%v)", program, err)
		}
	}
}

// Root skips the test where it does not run as root, and fails it in CI.
func Root(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		Skip(t, "needs root")
	}
}

// Skip skips the test, or fails it in CI.
func Skip(t testing.TB, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf("in CI nothing is skipped: "+format, args...)
	}
	t.Skipf(format, args...)
}

// Server is a redis-server or a redis-sentinel of the test's own.
type Server struct {
	Addr   netip.AddrPort
	Dir    string // its working directory
	Config string // its configuration file; empty if it was started without one

	t       testing.TB
	program string
	cmd     *exec.Cmd
}

// Redis starts a redis-server on a free port of 127.0.0.1 with the given lines of
// configuration. It is stopped when the test ends.
func Redis(t testing.TB, lines ...string) *Server { return start(t, "redis-server", lines) }

// Sentinel starts a redis-sentinel likewise.
func Sentinel(t testing.TB, lines ...string) *Server { return start(t, "redis-sentinel", lines) }

// Bare starts a redis-server without a configuration file.
func Bare(t testing.TB) *Server {
	Require(t, "redis-server")
	s := &Server{Addr: FreePort(t), Dir: t.TempDir(), t: t, program: "redis-server"}
	s.Start()
	t.Cleanup(s.Kill)
	return s
}

func start(t testing.TB, program string, lines []string) *Server {
	t.Helper()
	Require(t, program)
	s := &Server{Addr: FreePort(t), Dir: t.TempDir(), t: t, program: program}
	s.Config = filepath.Join(s.Dir, "redis.conf")
	text := strings.Join(append([]string{
		"bind 127.0.0.1", fmt.Sprintf("port %d", s.Addr.Port()), "dir " + s.Dir, `logfile "` + filepath.Join(s.Dir, "log") + `"`,
		"repl-diskless-sync-delay 0",
	}, lines...), "\n") + "\n"
	if Before7(t) { // which always has DEBUG, and writes a dump.rdb for each replica
		text = strings.Replace(text, "enable-debug-command yes\n", "", 1)
		text = strings.Replace(text, "repl-diskless", "repl-diskless-sync yes\nrepl-diskless", 1)
	}
	if program == "redis-sentinel" {
		text = strings.Replace(text, "repl-diskless-sync-delay 0\n", "", 1)
	} else {
		text = strings.Replace(text, "repl-diskless", "save \"\"\nrepl-diskless", 1)
	}
	if err := os.WriteFile(s.Config, []byte(text), 0o640); err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(s.Kill)
	return s
}

// Start starts the server, again after Kill, and waits until it answers.
func (s *Server) Start() {
	s.t.Helper()
	s.StartSilent()
	Eventually(s.t, "an answer of "+s.Addr.String(), func() error {
		conn, err := net.DialTimeout("tcp", s.Addr.String(), time.Second)
		if err == nil {
			conn.Close()
		}
		return err
	})
}

// StartSilent starts the server without waiting for it.
func (s *Server) StartSilent() {
	s.t.Helper()
	arguments := []string{s.Config}
	if s.Config == "" {
		arguments = []string{"--port", fmt.Sprint(s.Addr.Port()), "--bind", "127.0.0.1", "--save", "", "--dir", s.Dir}
	}
	var err error
	if s.cmd, err = Given().Command(context.Background(), s.program, arguments...); err != nil {
		s.t.Fatal(err)
	}
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
}

// Kill ends the server with SIGKILL, and a child that saves: it would go on to write into a
// folder that is about to be removed.
func (s *Server) Kill() {
	syscall.Kill(-s.cmd.Process.Pid, syscall.SIGKILL)
	s.cmd.Wait()
}

// Signal sends the server a signal: SIGSTOP makes it hang, SIGCONT wakes it.
func (s *Server) Signal(signal os.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(signal); err != nil {
		s.t.Fatal(err)
	}
}

// Endpoint is how the server is reached, without a password.
func (s *Server) Endpoint() node.Endpoint { return node.Endpoint{Addr: s.Addr} }

// Do runs one command and returns its reply; an error ends the test.
func (s *Server) Do(args ...any) any {
	s.t.Helper()
	reply, err := s.Try(args...)
	if err != nil {
		s.t.Fatalf("%s: %v: %v", s.Addr, args, err)
	}
	return reply
}

// Try runs one command.
func (s *Server) Try(args ...any) (any, error) {
	ctx, cancel := context.WithTimeout(context.Background(), Bound)
	defer cancel()
	client := s.Endpoint().Client(Bound)
	defer client.Close()
	reply, err := client.Do(ctx, args...).Result()
	if err == redis.Nil {
		err = nil
	}
	return reply, err
}

// Save has the server write its data to the disk, once nobody else has it do so.
func (s *Server) Save() {
	s.t.Helper()
	Eventually(s.t, "a SAVE", func() error {
		_, err := s.Try("SAVE")
		return err
	})
}

// Look is the server's facts now.
func (s *Server) Look() node.Facts {
	ctx, cancel := context.WithTimeout(context.Background(), Bound)
	defer cancel()
	return s.Endpoint().Look(ctx)
}

// Follow makes the server a replica of master and waits until it is in sync.
func (s *Server) Follow(master *Server) {
	s.t.Helper()
	s.Do("REPLICAOF", "127.0.0.1", master.Addr.Port())
	Eventually(s.t, "the replica in sync", func() error {
		mine, theirs := s.Look(), master.Look()
		online := slices.ContainsFunc(theirs.Downstream, func(d node.Downstream) bool {
			return d.Addr == s.Addr && d.State == "online"
		})
		if !online || !mine.Upstream.Up || mine.Upstream.Offset != theirs.Offset {
			return fmt.Errorf("replica %+v, master at %d, with %+v", mine.Upstream, theirs.Offset, theirs.Downstream)
		}
		return nil
	})
}

// FreePort is a port of 127.0.0.1 on which nothing listens. It is none that this process
// was given before, and none of those that the kernel gives to connections: tests run
// side by side, and it is to be free still when the server starts.
func FreePort(t testing.TB) netip.AddrPort {
	t.Helper()
	const first, count = 10_000, 20_000 // net.ipv4.ip_local_port_range begins at 32768
	for range count {
		port := first + (uint32(os.Getpid())*97+given.Add(1))%count
		listener, err := net.Listen("tcp", fmt.Sprint("127.0.0.1:", port))
		if err != nil {
			continue
		}
		listener.Close()
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), uint16(port))
	}
	t.Fatal("no port is free")
	return netip.AddrPort{}
}

// given counts the ports that were.
var given atomic.Uint32

// Eventually waits until condition is nil, and fails the test after [Bound].
func Eventually(t testing.TB, what string, condition func() error) {
	t.Helper()
	var err error
	for end := time.Now().Add(Bound); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if err = condition(); err == nil {
			return
		}
	}
	t.Fatalf("waited %v for %s: %v", Bound, what, err)
}
