package hooks_test

import (
	"context"
	"strings"
	"testing"
	"time"
	"unicode"

	"redis-vip/checks"
	"redis-vip/checks/node"
	"redis-vip/checks/node/nodetest"
	"redis-vip/hooks"
)

func TestHostileSentinel(t *testing.T) {
	nodetest.Hostile(t, func(t *testing.T, ctx context.Context, e node.Endpoint) {
		s := hooks.RedisSentinel{Endpoint: e, Timeout: time.Second}
		if a := s.Ask(ctx, "mymaster"); a.Err == nil || len(a.Others) > 0 || len(a.Err.Error()) > 5000 {
			t.Errorf("%+v", a)
		}
	})
}

// All that a hook sends to a server, and looks for in its answers.
func TestHostileServer(t *testing.T) {
	nodetest.Hostile(t, func(t *testing.T, ctx context.Context, e node.Endpoint) {
		r := hooks.Redis{Endpoint: e, Address: e.Addr, Timeout: 30 * time.Millisecond}
		for _, do := range []func() error{
			func() error { return r.Promote(ctx) }, func() error { return r.Follow(ctx, node.Nobody) }, func() error { return r.Persist(ctx) },
			func() error { _, err := r.Disconnect(ctx); return err }, func() error { return r.Pause(ctx, time.Second) }, func() error { return r.AbortFailover(ctx) },
			func() error { return r.Reconnect(ctx) },
		} {
			if err := do(); err != nil && len(err.Error()) > 5000 {
				t.Errorf("an error of %d bytes", len(err.Error()))
			}
		}
	})
}

// Whatever a Sentinel answers, the answer is addresses or an error that can be shown.
func FuzzAnswer(f *testing.F) {
	pair := "*2\r\n$8\r\n10.0.0.1\r\n$4\r\n6379\r\n"
	for _, seed := range []string{
		pair + "*1\r\n*4\r\n$2\r\nip\r\n$8\r\n10.0.0.2\r\n$4\r\nport\r\n$5\r\n26379\r\n" + "*4\r\n$12\r\nconfig-epoch\r\n$1\r\n7\r\n$5\r\nflags\r\n$6\r\nmaster\r\n" + "$3\r\nabc\r\n",
		"*-1\r\n-ERR No such master with that name\r\n-ERR a\r\n$1\r\na\r\n", "*3\r\n:1\r\n:2\r\n:3\r\n", "*2\r\n$5\r\nredis\r\n$1\r\n1\r\n", "*2\r\n$1\r\n\x1b\r\n$2\r\n-1\r\n",
		pair + "*1\r\n*1\r\n:1\r\n", pair + "*2\r\n*-1\r\n*0\r\n*1\r\n", "-NOAUTH \x1b\r\n",
	} {
		f.Add([]byte(seed))
	}
	parrot := nodetest.NewParrot(f)
	s := hooks.RedisSentinel{Endpoint: parrot.Endpoint(), Timeout: time.Second}
	f.Fuzz(func(t *testing.T, reply []byte) {
		var a checks.Answer
		parrot.While(reply, func() { a = s.Ask(t.Context(), "mymaster") })
		if (a.Err == nil) != a.Master.IsValid() {
			t.Errorf("%+v", a)
		}
		if a.Err != nil && strings.ContainsFunc(a.Err.Error(), func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("%q", a.Err)
		}
		for _, other := range a.Others {
			if !other.Addr.IsValid() || other.Addr.Addr().Is4In6() {
				t.Errorf("%v", other)
			}
		}
	})
}
