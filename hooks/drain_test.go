package hooks_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"redis-vip/checks"
	"redis-vip/checks/node/nodetest"
)

// distant is a server behind a line of so many bytes a second.
func distant(t *testing.T, s *nodetest.Server, rate int) *nodetest.Server {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", s.Addr.String())
			if err != nil {
				near.Close()
				continue
			}
			go func() { io.Copy(far, near); far.Close() }()
			go func() {
				defer near.Close()
				for buf := make([]byte, rate/100); ; {
					start := time.Now()
					n, err := far.Read(buf)
					if _, failed := near.Write(buf[:n]); err != nil || failed != nil {
						return
					}
					time.Sleep(time.Second*time.Duration(n)/time.Duration(rate) - time.Since(start))
				}
			}()
		}
	}()
	d := *s
	d.Addr = l.Addr().(*net.TCPAddr).AddrPort()
	return &d
}

// What is still on its way is waited for as long as some of it arrives.
func TestDrainWaitsWhileDataMoves(t *testing.T) {
	a, b := distant(t, nodetest.Redis(t), 1<<20), nodetest.Redis(t)
	b.Follow(a)
	a.Do("SET", "first", "here")
	nodetest.Eventually(t, "the stream", func() error { // it begins with the first acknowledgement
		if b.Do("GET", "first") != "here" {
			return errors.New("not yet")
		}
		return nil
	})
	const n, value = 1600, 1000
	client := redis.NewClient(&redis.Options{Addr: a.Addr.String()})
	defer client.Close()
	pipe := client.Pipeline()
	for i := range n {
		pipe.Set(t.Context(), fmt.Sprint("w:", i), strings.Repeat("x", value), 0)
	}
	if _, err := pipe.Exec(t.Context()); err != nil {
		t.Fatal(err)
	}
	r := run(t, settle(t, at(checks.Here), b, a), 10*time.Second)
	reached(t, r)
	if keys := b.Look().Keys; keys != 1+n {
		t.Errorf("%d of %d keys are on the new master", keys, 1+n)
	}
}
