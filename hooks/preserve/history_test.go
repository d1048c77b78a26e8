package preserve_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"redis-vip/checks/node/nodetest"

	"github.com/redis/go-redis/v9"
)

// foreign ends a value so that what follows it in the stream still looks right.
const foreign = "*2\r\n$6\r\nSELECT\r\n$1\r\n9\r\n*2\r\n$4\r\nPING\r\n$0\r\n"

// on runs do on one connection, on which SELECT lasts.
func on(t *testing.T, s *nodetest.Server, do func(func(...any))) {
	t.Helper()
	client := s.Endpoint().Client(nodetest.Bound)
	defer client.Close()
	conn := client.Conn()
	defer conn.Close()
	do(func(args ...any) {
		t.Helper()
		if err := conn.Do(context.Background(), args...).Err(); err != nil && err != redis.Nil {
			t.Fatalf("%v: %v", args, err)
		}
	})
}

// base is what both nodes have before the split.
func base(t *testing.T, s *nodetest.Server) {
	on(t, s, func(do func(...any)) {
		do("SET", "counter", 10)
		do("SET", "fake", foreign)
		do("RPUSH", "list", "a", "b")
		do("SELECT", 3)
		do("SET", "gone", 1)
		do("SET", "fake", foreign)
		do("HSET", "hash", "f", 1)
		do("SELECT", 1)
		do("SET", "other", 1)
		do("SELECT", 3)
		do("SET", "last", foreign) // the split is in database 3
	})
}

// later is what only the deposed master gets. It returns how many commands Redis
// makes of it.
func later(t *testing.T, s *nodetest.Server) (writes int64) {
	on(t, s, func(do func(...any)) {
		do("SELECT", 3)
		do("DEL", "gone") // without a SELECT in the stream
		do("HINCRBY", "hash", "f", 5)
		do("SELECT", 0)
		for i := range 300 {
			do("SET", fmt.Sprint("k", i), i)
		}
		do("INCR", "counter")
		do("INCR", "counter")
		do("LPUSH", "list", "z")
		do("SET", "binary\x00\r\n", "\x00\xff\r\n$3\r\n*1\r\n")
		do("SET", "fake2", foreign)
		do("SET", "big", strings.Repeat("x", 300_000))
		do("SET", "expires", 1, "EX", 1000)
		do("PEXPIRE", "counter", 1_000_000)
		do("MULTI")
		do("SET", "t1", 1)
		do("SELECT", 5)
		do("SET", "t2", 2)
		do("EXEC")
		do("EVAL", "redis.call('SET', KEYS[1], 1) redis.call('INCR', KEYS[1]) return 0", 1, "lua")
		do("SELECT", 0)
		do("MSET", "m1", 1, "m2", 2)
		do("RENAME", "k0", "renamed")
		do("XADD", "stream", "1-1", "f", "v")
		do("ZADD", "zset", 1, "a", 2, "b")
	})
	return 2 + 300 + 3 + 3 + 2 + 2 + 2 + 4
}

// same compares keys of two servers, values and expiry.
func same(t *testing.T, a, b *nodetest.Server, dbs ...int) {
	t.Helper()
	for _, db := range dbs {
		want, got := contents(t, a, db), contents(t, b, db)
		for key, value := range want {
			if got[key] != value {
				t.Errorf("db %d: %q is %.80q, want %.80q", db, key, got[key], value)
			}
			delete(got, key)
		}
		for key := range got {
			if !strings.HasPrefix(key, "redis-vip:replayed:") {
				t.Errorf("db %d: %q should not be there", db, key)
			}
		}
	}
}

func contents(t *testing.T, s *nodetest.Server, db int) map[string]string {
	t.Helper()
	client := s.Endpoint().Client(nodetest.Bound)
	defer client.Close()
	conn, ctx := client.Conn(), context.Background()
	defer conn.Close()
	conn.Select(ctx, db)
	keys, err := conn.Keys(ctx, "*").Result()
	if err != nil {
		t.Fatal(err)
	}
	all, before7 := make(map[string]string), nodetest.Before7(t)
	for _, key := range keys {
		dump, err := conn.Dump(ctx, key).Result()
		if err != nil {
			t.Fatal(err)
		}
		expiry, err := conn.PExpireTime(ctx, key).Result()
		if before7 {
			expiry, err = conn.PTTL(ctx, key).Result()
			expiry = min(expiry, 1) // it has none, or one
		}
		if err != nil {
			t.Fatal(err)
		}
		all[key] = fmt.Sprintf("%s until %d", dump, expiry)
	}
	return all
}
