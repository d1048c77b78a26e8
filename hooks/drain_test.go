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
func distant(t *testing.T, s *nodetest.Server, rate int64) *nodetest.Server {
	d := *s
	d.Addr = nodetest.Fake(t, func(near net.Conn) {
		far, err := net.Dial("tcp", s.Addr.String())
		if err != nil {
			return
		}
		go func() {
			io.Copy(far, near)
			far.Close()
		}()
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for err == nil {
			<-tick.C
			_, err = io.CopyN(near, far, rate/100)
		}
	})
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
