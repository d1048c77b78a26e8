package program_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"redis-vip/checks/node/nodetest"
)

// ensemble is a group under three Sentinels, and a redis-vip.toml that knows it and
// another group: what stands on a HAProxy host.
type ensemble struct {
	*testing.T
	dir             string
	master, replica *nodetest.Server
	sentinels       []*nodetest.Server
}

func newEnsemble(t *testing.T, secret string) ensemble {
	t.Helper()
	e := ensemble{T: t, dir: t.TempDir()}
	redis, sentinel := []string(nil), []string(nil)
	if secret != "" {
		redis = []string{"requirepass " + secret, "masterauth " + secret}
		sentinel = []string{"requirepass " + secret, "sentinel sentinel-pass " + secret, "sentinel auth-pass mymaster " + secret}
	}
	e.master, e.replica = nodetest.Redis(t, redis...), nodetest.Redis(t, redis...)
	monitor := fmt.Sprintf("sentinel monitor mymaster 127.0.0.1 %d 2", e.master.Addr.Port())
	var addresses []string
	for range 3 {
		s := nodetest.Sentinel(t, append([]string{monitor}, sentinel...)...)
		e.sentinels = append(e.sentinels, s)
		addresses = append(addresses, fmt.Sprintf("%q", s.Addr))
	}
	text := fmt.Sprintf("[group.mymaster]\nnodes = [\"%s\", \"%s\"]\nsentinels = [%s]\nsocket = \"/nowhere\"\n[group.other]\nnodes = [\"127.0.0.1:1\"]\n",
		e.master.Addr, e.replica.Addr, strings.Join(addresses, ", "))
	path := filepath.Join(e.dir, "redis-vip.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("REDIS_VIP_CONFIG", path)
	return e
}

// check asks as HAProxy does.
func (e ensemble) check(s *nodetest.Server, flags ...string) (code int, out string) {
	e.Helper()
	return run(e.T, e.dir, "redis-check", append(flags, "NOT_USED", "NOT_USED", "127.0.0.1", fmt.Sprint(s.Addr.Port()))...)
}

func (e ensemble) expect(s *nodetest.Server, code int, flags ...string) {
	e.Helper()
	if got, out := e.check(s, flags...); got != code {
		e.Errorf("%s: exit %d, want %d: %s\n%v", s.Addr, got, code, out, logged(e.T, e.dir))
	}
}

func (e ensemble) reason(want string) {
	e.Helper()
	records := logged(e.T, e.dir)
	if len(records) == 0 || records[len(records)-1]["reason"] != want {
		e.Errorf("logged %v, want %s last", records, want)
	}
}

// A node is the master if it says so and a majority of the Sentinels, and not before.
func TestCheckForHAProxy(t *testing.T) {
	e := newEnsemble(t, "")
	e.replica.Follow(e.master)
	e.expect(e.master, 0)
	e.expect(e.replica, 1)
	e.expect(e.replica, 0, "--expect", "replica")
	e.expect(e.master, 1, "--expect", "replica")
	e.expect(e.master, 0)
	before := len(logged(t, e.dir))
	e.expect(e.master, 0)
	if after := len(logged(t, e.dir)); after != before {
		t.Errorf("nothing has changed, and it is logged: %v", logged(t, e.dir)[before:])
	}

	// A second master, as a deposed one is that comes back. No Sentinel knows it.
	e.replica.Do("REPLICAOF", "NO", "ONE")
	e.expect(e.replica, 1)
	e.reason("not_elected")
	e.expect(e.master, 0)

	// One Sentinel of three may die; after two, nobody says who the master is.
	e.sentinels[0].Kill()
	e.expect(e.master, 0)
	e.sentinels[1].Kill()
	e.expect(e.master, 1)
	e.reason("not_elected")
	e.sentinels[1].Start()
	e.expect(e.master, 0)

	// Silent ones cost their time, and no more.
	e.sentinels[1].Signal(syscall.SIGSTOP)
	start := time.Now()
	e.expect(e.master, 1)
	if took := time.Since(start); took > 900*time.Millisecond {
		t.Errorf("took %v: HAProxy gives a check its interval, a second", took)
	}
	e.sentinels[1].Signal(syscall.SIGCONT)
	e.expect(e.master, 0)
}

// A password of the Sentinels that is wrong is wrong on all HAProxy hosts: it opens the
// hole again, loudly, and does not take the service away.
func TestCheckForHAProxyWithPasswords(t *testing.T) {
	const secret = "hunter2"
	e := newEnsemble(t, secret)
	e.expect(e.master, 1) // of Redis itself: nobody can say what it is
	e.reason("not_master")
	t.Setenv("REDIS_VIP_PASSWORD", secret)
	e.expect(e.master, 0)
	e.reason("uncounted")
	t.Setenv("REDIS_VIP_SENTINEL_PASSWORD", secret)
	e.expect(e.master, 0)
	e.reason("master")
}

// The rights that the README of examples/haproxy-sentinel gives are enough.
func TestCheckForHAProxyWithLeastRights(t *testing.T) {
	e := newEnsemble(t, "")
	e.master.Do("ACL", "SETUSER", "check", "on", ">hunter2", "-@all", "+ping", "+info")
	for _, s := range e.sentinels {
		s.Do("ACL", "SETUSER", "check", "on", ">hunter3", "-@all", "+sentinel|get-master-addr-by-name", "+sentinel|master", "+sentinel|sentinels", "+sentinel|myid")
	}
	t.Setenv("REDIS_VIP_GROUP", "mymaster")
	t.Setenv("REDIS_VIP_USERNAME", "check")
	t.Setenv("REDIS_VIP_PASSWORD", "hunter2")
	t.Setenv("REDIS_VIP_SENTINEL_USERNAME", "check")
	t.Setenv("REDIS_VIP_SENTINEL_PASSWORD", "hunter3")
	e.expect(e.master, 0)
	e.reason("master")
	for _, s := range append(e.sentinels, e.master) {
		if log, _ := s.Do("ACL", "LOG").([]any); len(log) > 0 {
			t.Errorf("%s has refused %v", s.Addr, log)
		}
	}
}

func TestCheckForHAProxyRefuses(t *testing.T) {
	e := newEnsemble(t, "")
	for _, test := range []struct {
		args []string
		says string
	}{
		{[]string{"NOT_USED", "NOT_USED", "127.0.0.9", "6379"}, "none of the nodes"},
		{[]string{"NOT_USED", "NOT_USED", "/run/redis.sock", ""}, "give it an IP address"},
		{[]string{"NOT_USED", "NOT_USED", "redis1", "6379"}, "give it an IP address"},
		{[]string{"NOT_USED", "NOT_USED", "127.0.0.1", "0"}, "give it an IP address"},
		{[]string{"127.0.0.1", "6379"}, "takes no arguments, or the four"},
	} {
		code, out := run(t, e.dir, "redis-check", test.args...)
		if code != 2 || !strings.Contains(out, test.says) {
			t.Errorf("%v: exit %d: %s", test.args, code, out)
		}
	}
}

// Without Sentinels, the nodes themselves say which of two masters is the one.
func TestCheckForHAProxyWithoutSentinels(t *testing.T) {
	e := newEnsemble(t, "")
	e.replica.Follow(e.master)
	e.master.Do("SET", "k", "old")
	e.replica.Do("REPLICAOF", "NO", "ONE")
	e.replica.Do("SET", "k", "new")
	nodes := fmt.Sprintf("%s,%s", e.master.Addr, e.replica.Addr)
	t.Setenv("REDIS_VIP_CONFIG", "")
	e.expect(e.master, 1, "--nodes", nodes)
	e.reason("rogue_master")
	e.expect(e.replica, 0, "--nodes", nodes)
}
