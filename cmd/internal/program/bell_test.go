package program

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// bell listens as the socket unit does, and lets answer play systemd and the run.
func bell(t *testing.T, answer func(net.Conn)) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "reconcile.sock")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	var answers sync.WaitGroup
	t.Cleanup(func() { listener.Close(); answers.Wait() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			answers.Go(func() { defer conn.Close(); answer(conn) })
		}
	}()
	return path
}

func within(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

// It waits for the run, and says nothing to it.
func TestRing(t *testing.T) {
	const run = 50 * time.Millisecond
	sent := make(chan error, 1)
	path := bell(t, func(conn net.Conn) {
		conn.SetReadDeadline(time.Now().Add(run))
		n, err := conn.Read(make([]byte, 1))
		if n > 0 {
			err = errors.New("something was sent")
		}
		sent <- err
	})
	start := time.Now()
	if err := ring(within(t, 5*time.Second), path); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(start); took < run || took > time.Second {
		t.Errorf("returned after %v, the run took %v", took, run)
	}
	if err := <-sent; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the run saw %v", err)
	}
}

// What systemd, or whoever sits there in its place, may do to the one who rings.
func TestRingEnds(t *testing.T) {
	endless := func(conn net.Conn) {
		for {
			if _, err := conn.Write(make([]byte, 1<<16)); err != nil {
				return
			}
		}
	}
	for name, tt := range map[string]struct {
		answer func(net.Conn)
		want   string // in the error; none if empty
	}{
		"turned away":   {func(net.Conn) {}, ""},
		"a word":        {func(conn net.Conn) { io.WriteString(conn, "go away\n") }, ""},
		"a megabyte":    {func(conn net.Conn) { conn.Write(make([]byte, 1<<20)) }, ""},
		"never closed":  {func(conn net.Conn) { io.Copy(io.Discard, conn) }, "did not end in time"},
		"never silent":  {endless, "did not end in time"},
		"half a closer": {func(conn net.Conn) { conn.(*net.UnixConn).CloseWrite(); io.Copy(io.Discard, conn) }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			path := bell(t, tt.answer)
			start := time.Now()
			err := ring(within(t, 200*time.Millisecond), path)
			says(t, err, tt.want)
			if tt.want != "" && !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%v is not the context's error", err)
			}
			if took := time.Since(start); took > time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
}

func TestRingMany(t *testing.T) {
	path := bell(t, func(net.Conn) {})
	ctx := within(t, 20*time.Second)
	var rings sync.WaitGroup
	for range 1000 {
		rings.Go(func() {
			// A full queue is an answer, too, and one that comes at once.
			if err := ring(ctx, path); err != nil && !errors.Is(err, syscall.EAGAIN) {
				t.Error(err)
			}
		})
	}
	rings.Wait()
	if err := ring(ctx, path); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// Each way in which there is nothing to ring has its own remedy.
func TestNoBell(t *testing.T) {
	dir := t.TempDir()
	stale := filepath.Join(dir, "stale.sock")
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: stale, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	listener.SetUnlinkOnClose(false)
	listener.Close()

	full := filepath.Join(dir, "full.sock")
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := errors.Join(unix.Bind(fd, &unix.SockaddrUnix{Name: full}), unix.Listen(fd, 0)); err != nil {
		t.Fatal(err)
	}
	waiting, err := net.Dial("unix", full) // the one that a queue of 0 takes
	if err != nil {
		t.Fatal(err)
	}
	defer waiting.Close()

	for name, tt := range map[string]struct{ path, want string }{
		"no socket":        {filepath.Join(dir, "none.sock"), "systemctl enable --now redis-vip-reconcile.socket"},
		"no folder":        {filepath.Join(dir, "none", "none.sock"), "systemctl enable --now redis-vip-reconcile.socket"},
		"nobody listens":   {stale, "systemctl enable --now redis-vip-reconcile.socket"},
		"queue is full":    {full, "too many wait there"},
		"not for a socket": {"/etc/passwd", "systemctl enable --now redis-vip-reconcile.socket"},
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			says(t, ring(within(t, 5*time.Second), tt.path), tt.want)
			if took := time.Since(start); took > time.Second {
				t.Errorf("took %v: it is not to be tried again", took)
			}
		})
	}
}

func says(t *testing.T, err error, want string) {
	t.Helper()
	switch {
	case want == "" && err != nil:
		t.Fatal(err)
	case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
		t.Fatalf("error %v does not say %q", err, want)
	}
}

// asWhom is set for a copy of the test that asks a question as somebody else.
const asWhom = "REDIS_VIP_TEST_AS"

// As whom the tests below run, and what they may.
func TestPrivileged(t *testing.T) {
	if os.Getenv(asWhom) == "privileged" {
		io.WriteString(os.Stdout, map[bool]string{true: "yes", false: "no"}[privileged()])
		os.Exit(0)
	}
	needRoot(t)
	ourselves := []syscall.SysProcIDMap{{ContainerID: 0, HostID: 0, Size: 1}}
	for name, tt := range map[string]struct {
		as   syscall.SysProcAttr
		want string
	}{
		"root":   {syscall.SysProcAttr{}, "yes"},
		"nobody": {syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}, "no"},
		// Ambient capabilities, as AmbientCapabilities= gives them.
		"nobody with the capability": {syscall.SysProcAttr{
			Credential:  &syscall.Credential{Uid: 65534, Gid: 65534},
			AmbientCaps: []uintptr{unix.CAP_NET_ADMIN},
		}, "yes"},
		"nobody with another": {syscall.SysProcAttr{
			Credential:  &syscall.Credential{Uid: 65534, Gid: 65534},
			AmbientCaps: []uintptr{unix.CAP_NET_RAW},
		}, "no"},
		// All capabilities, as PrivateUsers= leaves them, over the host's network.
		"root of a user namespace": {syscall.SysProcAttr{
			Cloneflags: unix.CLONE_NEWUSER, UidMappings: ourselves, GidMappings: ourselves,
		}, "no"},
		"root of a user and a network namespace": {syscall.SysProcAttr{
			Cloneflags: unix.CLONE_NEWUSER | unix.CLONE_NEWNET, UidMappings: ourselves, GidMappings: ourselves,
		}, "yes"},
		"root in a network namespace": {syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET}, "yes"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := ask(t, "privileged", tt.as); got != tt.want {
				t.Errorf("privileged: %s, want %s", got, tt.want)
			}
		})
	}
}

// A socket that is there, and not for us.
func TestRingWithoutRight(t *testing.T) {
	if path, ok := strings.CutPrefix(os.Getenv(asWhom), "ring "); ok {
		if err := ring(context.Background(), path); err != nil {
			io.WriteString(os.Stdout, err.Error())
		}
		os.Exit(0)
	}
	needRoot(t)
	path := bell(t, func(net.Conn) {})
	for dir := filepath.Dir(path); dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	nobody := syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65533}}
	for _, tt := range []struct {
		group int
		want  string
	}{
		{65532, "user 65534 with group 65533 has no right to"},
		{65533, ""},
	} {
		if err := errors.Join(os.Chown(path, 0, tt.group), os.Chmod(path, 0o660)); err != nil {
			t.Fatal(err)
		}
		if got := ask(t, "ring "+path, nobody); (got == "") != (tt.want == "") || !strings.Contains(got, tt.want) {
			t.Errorf("a socket of group %d: %q, want %q", tt.group, got, tt.want)
		}
	}
}

// ask runs this test again as somebody else and returns what it printed.
func ask(t *testing.T, question string, as syscall.SysProcAttr) string {
	t.Helper()
	name, _, _ := strings.Cut(t.Name(), "/")
	command := exec.Command("/proc/self/exe", "-test.run=^"+name+"$")
	command.Dir = "/"
	command.Env = append(os.Environ(), asWhom+"="+question)
	command.SysProcAttr = &as
	out, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return string(out)
}

func needRoot(t *testing.T) {
	t.Helper()
	switch {
	case os.Geteuid() == 0:
	case os.Getenv("CI") == "true":
		t.Fatal("other users need root, and CI skips nothing")
	default:
		t.Skip("other users need root")
	}
}
