package program_test

import (
	"fmt"
	"testing"

	"redis-vip/checks/node"
	"redis-vip/checks/node/nodetest"
)

// What redis-vip-procedures(7) says of requirepass: the user is default, may have two
// passwords, and what CONFIG REWRITE writes of it counts at the next start.
func TestRequirepassIsRotated(t *testing.T) {
	const before, after = "before-1", "after-2"
	lines := []string{"requirepass " + before, "masterauth " + before}
	a, b := nodetest.Redis(t, lines...), nodetest.Redis(t, lines...)
	secret := before
	do := func(s *nodetest.Server, args ...any) {
		t.Helper()
		client := (node.Endpoint{Addr: s.Addr, Password: secret}).Client(nodetest.Bound)
		defer client.Close()
		if err := client.Do(t.Context(), args...).Err(); err != nil {
			t.Fatalf("%v: %v", args, err)
		}
	}
	dir := t.TempDir()
	check := func(password string, want string) {
		t.Helper()
		t.Setenv("REDIS_VIP_PASSWORD", password)
		nodetest.Eventually(t, "a verdict on the replica", func() error {
			code, out := run(t, dir, "redis-check", "--nodes", a.Addr.String()+","+b.Addr.String(), "--node", b.Addr.String())
			records := logged(t, dir)
			if code != 0 || len(records) == 0 || records[len(records)-1]["reason"] != want {
				return fmt.Errorf("exit %d, want 0 and %s: %s %v", code, want, out, records)
			}
			return nil
		})
	}
	both := func(args ...any) {
		t.Helper()
		do(a, args...)
		do(b, args...)
	}
	do(b, "REPLICAOF", "127.0.0.1", a.Addr.Port())
	check(before, "in_sync")
	both("ACL", "SETUSER", "default", ">"+after)
	both("CONFIG", "REWRITE")
	check(after, "in_sync")
	both("CONFIG", "SET", "masterauth", after)
	do(a, "CLIENT", "KILL", "TYPE", "replica")
	check(after, "in_sync")
	secret = after
	both("ACL", "SETUSER", "default", "<"+before)
	both("CONFIG", "REWRITE")
	check(after, "in_sync")
	check(before, "no_rights")
	for _, s := range []*nodetest.Server{a, b} {
		s.Kill()
		s.Start()
	}
	check(after, "in_sync")
}
