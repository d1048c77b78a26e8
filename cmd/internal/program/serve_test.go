package program

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"redis-vip/checks/node/nodetest"
)

// serving serves at a bell of the test's own until the test ends. Its runs take a while,
// as long as run says.
func serving(t *testing.T, s Serve, run func(rung bool)) (path string, ended <-chan struct{}) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "reconcile.sock")
	bell, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	s.Bells, s.Reconcile = []net.Listener{bell}, run
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.Run(ctx)
	}()
	t.Cleanup(func() { cancel(); <-done })
	return path, done
}

var patient = Serve{Every: time.Hour, Rest: time.Millisecond, For: time.Hour, Quiet: time.Hour, Most: 8}

// Whoever rings waits for a run that begins after that, and many who ring at once share
// one.
func TestServeRings(t *testing.T) {
	var begun atomic.Int64
	first := make(chan struct{})
	path, _ := serving(t, patient, func(rung bool) {
		if n := begun.Add(1); (n > 1) != rung {
			t.Errorf("run %d: rung %v", n, rung)
		}
		if !rung {
			<-first // the run at the start is at work while they ring
		}
	})
	var rings sync.WaitGroup
	for range 4 {
		rings.Go(func() {
			if err := ring(within(t, 5*time.Second), path); err != nil {
				t.Error(err)
			}
			if begun.Load() < 2 {
				t.Error("no run has begun since")
			}
		})
	}
	time.Sleep(20 * time.Millisecond) // so that all four wait
	close(first)
	rings.Wait()
	if n := begun.Load(); n > 3 {
		t.Errorf("%d runs", n)
	}
}

// What a hostile client does to the bell does not keep others from ringing.
func TestServeHostileClients(t *testing.T) {
	var runs atomic.Int64
	path, _ := serving(t, patient, func(bool) { runs.Add(1); time.Sleep(time.Millisecond) })
	for name, hostile := range map[string]func(net.Conn){
		"a megabyte":    func(conn net.Conn) { conn.Write(make([]byte, 1<<20)) },
		"garbage":       func(conn net.Conn) { io.WriteString(conn, "\x00\xff*1\r\n$-1\r\nQUIT") },
		"held open":     func(net.Conn) {},
		"closed":        func(conn net.Conn) { conn.Close() },
		"half a closer": func(conn net.Conn) { conn.(*net.UnixConn).CloseWrite() },
	} {
		var clients sync.WaitGroup
		for range 200 {
			clients.Go(func() {
				conn, err := net.Dial("unix", path)
				if err != nil {
					return // the queue is full
				}
				t.Cleanup(func() { conn.Close() })
				conn.SetDeadline(time.Now().Add(time.Second))
				hostile(conn)
			})
		}
		before := runs.Load()
		if err := ring(within(t, 5*time.Second), path); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		clients.Wait()
		if err := ring(within(t, 5*time.Second), path); err != nil {
			t.Errorf("%s: afterwards: %v", name, err)
		}
		// Where the queue is full of them, who rings is not kept: the run is yet to come.
		nodetest.Eventually(t, "a run after "+name, func() error {
			if runs.Load() == before {
				return errors.New("none")
			}
			return nil
		})
	}
}

// It ends when its time is over, though somebody rings all the time; and at once, when it
// is told to. Nobody who rang is left waiting.
func TestServeEnds(t *testing.T) {
	short := Serve{Every: 5 * time.Millisecond, Rest: time.Millisecond, For: 50 * time.Millisecond, Quiet: time.Hour, Most: 8}
	var runs atomic.Int64
	path, ended := serving(t, short, func(bool) { runs.Add(1) })
	ctx, over := context.WithTimeout(context.Background(), 20*time.Second)
	var ringing sync.WaitGroup
	ringing.Go(func() {
		for ctx.Err() == nil {
			ring(ctx, path)
		}
	})
	select {
	case <-ended:
	case <-time.After(5 * time.Second):
		t.Error("it does not end")
	}
	over()
	ringing.Wait()
	if runs.Load() < 5 {
		t.Errorf("%d runs", runs.Load())
	}

	// In the middle of a run.
	release := make(chan struct{})
	begun := make(chan struct{}, 2)
	path, ended = serving(t, Serve{Every: time.Hour, For: 0, Quiet: 0, Most: 8}, func(bool) { begun <- struct{}{}; <-release })
	<-begun
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	time.Sleep(20 * time.Millisecond) // so that it is taken
	close(release)
	<-ended
	conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	if _, err := conn.Read(make([]byte, 1)); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("who rang is left waiting")
	}
}
