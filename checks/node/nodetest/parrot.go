package nodetest

import (
	"net"
	"path/filepath"
	"testing"
	"time"

	"redis-vip/checks/node"
)

// Parrot says the same to whoever asks anything, and hangs up: for fuzzing, which needs
// a server that is quick.
type Parrot struct{ listener *net.UnixListener }

// NewParrot listens on a socket of its own.
func NewParrot(t testing.TB) Parrot {
	t.Helper()
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(t.TempDir(), "sock"), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	return Parrot{listener}
}

// Endpoint is where it listens.
func (p Parrot) Endpoint() node.Endpoint { return node.Endpoint{Socket: p.listener.Addr().String()} }

// While has it say reply for as long as ask lasts.
func (p Parrot) While(reply []byte, ask func()) {
	p.listener.SetDeadline(time.Time{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := p.listener.Accept()
			if err != nil {
				return
			}
			conn.Read(make([]byte, 4096))
			conn.Write(reply)
			conn.Close()
		}
	}()
	ask()
	p.listener.SetDeadline(time.Unix(1, 0))
	<-done
}
