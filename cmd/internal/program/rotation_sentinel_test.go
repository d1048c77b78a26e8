package program_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"redis-vip/checks/node"
	"redis-vip/checks/node/nodetest"
)

// What redis-vip-procedures(7) says of a Sentinel's requirepass: no Sentinel is refused by
// another at any moment, and what flushconfig writes counts at the next start.
func TestRequirepassOfSentinelsIsRotated(t *testing.T) {
	const before, after = "before-1", "after-2"
	master, dir := nodetest.Redis(t), t.TempDir()
	var sentinels []*nodetest.Server
	for range 3 {
		sentinels = append(sentinels, nodetest.Sentinel(t,
			fmt.Sprintf("sentinel monitor default 127.0.0.1 %d 2", master.Addr.Port()),
			"sentinel down-after-milliseconds default 300",
			"requirepass "+before, "sentinel sentinel-pass "+before))
	}
	say := func(s *nodetest.Server, secret string, args ...any) (any, error) {
		client := (node.Endpoint{Addr: s.Addr, Password: secret}).Client(nodetest.Bound)
		defer client.Close()
		return client.Do(t.Context(), args...).Result()
	}
	secret := before
	usable := func() error {
		for _, s := range sentinels {
			if said, err := say(s, secret, "SENTINEL", "CKQUORUM", "default"); err != nil || !strings.HasPrefix(fmt.Sprint(said), "OK 3 usable") {
				return fmt.Errorf("%s says %v, %v", s.Addr, said, err)
			}
		}
		return nil
	}
	// all does something on one Sentinel after the other, and the three are usable all the time:
	// longer than down-after, and than a Sentinel takes to log in anew.
	all := func(args ...any) {
		t.Helper()
		for _, s := range sentinels {
			if _, err := say(s, secret, args...); err != nil {
				t.Fatalf("%v: %v", args, err)
			}
			for until := time.Now().Add(500 * time.Millisecond); time.Now().Before(until); time.Sleep(20 * time.Millisecond) {
				if err := usable(); err != nil {
					t.Fatalf("after %v: %v", args, err)
				}
			}
		}
	}
	asked := func(password string) {
		t.Helper()
		t.Setenv("REDIS_VIP_SENTINEL_PASSWORD", password)
		out := explain(t, dir, "--nodes", master.Addr.String(), "--sentinels", sentinels[0].Addr.String())
		contains(t, out, "3 of 3 answer, 3 name this node")
	}
	nodetest.Eventually(t, "three Sentinels", usable)
	asked(before)
	all("ACL", "SETUSER", "default", ">"+after)
	all("SENTINEL", "FLUSHCONFIG")
	asked(before)
	asked(after)
	all("SENTINEL", "CONFIG", "SET", "sentinel-pass", after)
	secret = after
	all("ACL", "SETUSER", "default", "<"+before)
	all("SENTINEL", "FLUSHCONFIG")
	for _, s := range sentinels {
		if log, err := say(s, secret, "ACL", "LOG"); err != nil || len(log.([]any)) > 0 {
			t.Errorf("%s has refused: %v, %v", s.Addr, log, err)
		}
		s.Kill()
		s.Start()
		if _, err := say(s, before, "PING"); err == nil {
			t.Errorf("%s: after a restart, the old password is valid", s.Addr)
		}
	}
	nodetest.Eventually(t, "three Sentinels", usable)
	asked(after)
}
