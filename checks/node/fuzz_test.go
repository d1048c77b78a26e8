package node

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"
)

const infoOfReplica = "# Replication\r\nrole:slave\r\nmaster_host:192.168.0.1\r\nmaster_port:6379\r\nmaster_link_status:up\r\nmaster_last_io_seconds_ago:0\r\n" +
	"master_sync_in_progress:0\r\nslave_repl_offset:42\r\nconnected_slaves:0\r\nmaster_failover_state:no-failover\r\n" +
	"master_replid:8f4a95b2f4ab7f5d8ee2e4b5b5a4d2b1c0f9e8d7\r\nmaster_replid2:0000000000000000000000000000000000000000\r\n" +
	"master_repl_offset:42\r\nsecond_repl_offset:-1\r\nrepl_backlog_active:1\r\n"

const infoOfMaster = "# Replication\r\nrole:master\r\nconnected_slaves:1\r\nslave0:ip=192.168.0.2,port=6379,state=online,offset=42,lag=0\r\n" +
	"# Server\r\nredis_version:7.0.15\r\nrun_id:0123456789abcdef0123456789abcdef01234567\r\nuptime_in_seconds:77\r\nserver_time_usec:1763701313123456\r\n" +
	"config_file:/etc/redis/redis.conf\r\n# Keyspace\r\ndb0:keys=5,expires=0,avg_ttl=0\r\ndb15:keys=1,expires=1,avg_ttl=3\r\n"

// What is read of an INFO is fit to be shown, is bounded, and is what is read of an
// INFO that says just that.
func FuzzInfo(f *testing.F) {
	for _, seed := range []string{
		infoOfMaster, infoOfReplica, "role:slave\nrole:master\n", "role", ":", "db0:keys=9223372036854775807\ndb1:keys=9223372036854775807\n",
		"slave0:ip=::ffff:1.2.3.4,port=65536,lag=-1\r\n", "run_id:\x1b[2J\n", "config_file:\xff\n", "master_repl_offset:-5\nsecond_repl_offset:99999999999999999999\n",
		"uptime_in_seconds:9223372036854775807\nserver_time_usec:-1\nmaster_link_down_since_seconds:-2\n",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var first, second Facts
		first.parseInfo(text)
		if first.Keys < 0 || first.Uptime < 0 || first.Fraction < 0 || first.Fraction >= time.Second || len(first.Downstream) > mostReplicas {
			t.Errorf("%+v", first)
		}
		for _, shown := range []string{first.RunID, first.Version, first.ConfigFile, first.ReplID, first.ReplID2, first.Failover, first.Upstream.Host} {
			if len(shown) > longestText || strings.ContainsFunc(shown, func(r rune) bool { return r == utf8.RuneError || !unicode.IsPrint(r) }) {
				t.Errorf("%q is not fit to be shown", shown)
			}
		}
		second.parseInfo(info(first))
		if !reflect.DeepEqual(first, second) {
			t.Errorf("%q\nis read as %+v,\nwhich is written as %q\nand read as %+v", text, first, info(first), second)
		}
	})
}

// info is an INFO that says f.
func info(f Facts) string {
	var b strings.Builder
	seconds := func(d time.Duration) int64 { return int64(d / time.Second) }
	yes := map[bool]string{true: "1", false: "0"}
	fmt.Fprintf(&b, "role:%s\r\nrun_id:%s\r\nredis_version:%s\r\nuptime_in_seconds:%d\r\nserver_time_usec:%d\r\nconfig_file:%s\r\n",
		f.Role, f.RunID, f.Version, seconds(f.Uptime), f.Fraction.Microseconds(), f.ConfigFile)
	fmt.Fprintf(&b, "master_replid:%s\r\nmaster_replid2:%s\r\nmaster_repl_offset:%d\r\nsecond_repl_offset:%d\r\nrepl_backlog_active:%s\r\nmaster_failover_state:%s\r\n",
		f.ReplID, f.ReplID2, f.Offset, f.SecondOff, yes[f.Backlog], f.Failover)
	u := f.Upstream
	fmt.Fprintf(&b, "master_host:%s\r\nmaster_port:%d\r\nmaster_link_status:%s\r\nmaster_sync_in_progress:%s\r\nslave_repl_offset:%d\r\n",
		u.Host, u.Port, map[bool]string{true: "up", false: "down"}[u.Up], yes[u.Syncing], u.Offset)
	fmt.Fprintf(&b, "master_last_io_seconds_ago:%d\r\nmaster_link_down_since_seconds:%d\r\n", seconds(u.LastIO), seconds(u.DownSince))
	for i, d := range f.Downstream {
		lag := seconds(d.Lag)
		if d.Lag == Lag(-1) {
			lag = -1
		}
		fmt.Fprintf(&b, "slave%d:ip=%s,port=%d,state=%s,offset=%d,lag=%d\r\n", i, d.Addr.Addr(), d.Addr.Port(), d.State, d.Offset, lag)
	}
	fmt.Fprintf(&b, "db0:keys=%d\r\n", f.Keys)
	return b.String()
}

// However a stream is cut into reads, the bounds find the same; and what they let pass
// is within them.
func FuzzBounded(f *testing.F) {
	for _, seed := range []string{
		"+PONG\r\n$3\r\nabc\r\n", "*2\r\n$1\r\na\r\n*1\r\n:1\r\n", "*-1\r\n$-1\r\n*0\r\n", "$9223372036854775807\r\n", "*1\r\n*1\r\n*1\r\n:0\r\n",
		"-ERR \x1b[2J\r\n", "-ERR a\rb\r\n", "\r\n", "HTTP/1.1 400\r\n", "$+5\r\nhello\r\n", "*16\r\n" + strings.Repeat(":1\r\n", 17), strings.Repeat("*1\r\n", 17), "$000000000000000000000000000001\r\na\r\n",
	} {
		f.Add([]byte(seed), 1)
		f.Add([]byte(seed), 7)
	}
	f.Add([]byte("+"+strings.Repeat("x", 5000)+"\ra\n"), 5)
	f.Fuzz(func(t *testing.T, stream []byte, size int) {
		const most = 4000
		whole, cut := &bounded{most: most, left: most}, &bounded{most: most, left: most}
		all, parts := bytes.Clone(stream), bytes.Clone(stream)
		want := whole.watch(all)
		var got error
		for rest := parts; len(rest) > 0 && got == nil; {
			n := min(max(size, 1), len(rest))
			got = cut.watch(rest[:n])
			rest = rest[n:]
		}
		if (got == nil) != (want == nil) { // what is wrong first may depend on it
			t.Errorf("%q: %v; by %d: %v", stream, want, size, got)
		}
		if want == nil && (!bytes.Equal(all, parts) || len(stream) > most+2+len(stream)/3 || whole.left < 0 || len(whole.open) > deepest || len(whole.open) != len(cut.open)) {
			t.Errorf("%q: %+v; by %d: %+v", stream, whole, size, cut)
		}
		for i := range stream {
			if all[i] != stream[i] && all[i] != '?' {
				t.Errorf("%q became %q", stream, all)
			}
		}
	})
}

// Whatever a server answers, a look at it ends soon, needs little memory, and finds a
// role, or says why not.
func FuzzLook(f *testing.F) {
	answer := func(texts ...string) []byte {
		all := "+PONG\r\n"
		for _, text := range texts {
			all += fmt.Sprintf("$%d\r\n%s\r\n", len(text), text)
		}
		return []byte(all)
	}
	f.Add(answer(infoOfMaster, "", ""))
	f.Add(answer(infoOfReplica, "x", "y"))
	f.Add(answer("", "", ""))
	f.Add([]byte("-NOAUTH Authentication required.\r\n-NOAUTH a\r\n-NOAUTH a\r\n-NOAUTH a\r\n"))
	f.Add([]byte("-ERR a\r\n-ERR b\r\n-ERR c\r\n-ERR d\r\n"))
	f.Add([]byte("-LOADING \x1b\r\n"))
	f.Add([]byte("*1\r\n*2\r\n$-1\r\n"))
	f.Add([]byte("$9223372036854775807\r\n"))
	f.Add([]byte("%1\r\n|1\r\n>1\r\n"))
	path := filepath.Join(f.TempDir(), "sock")
	listener, err := net.Listen("unix", path)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { listener.Close() })
	f.Fuzz(func(t *testing.T, reply []byte) {
		done := make(chan struct{})
		go func() {
			defer close(done)
			for {
				conn, err := listener.Accept()
				if err != nil {
					return
				}
				conn.Read(make([]byte, 4096))
				conn.Write(reply)
				conn.Close()
			}
		}()
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		got := Endpoint{Socket: path}.Look(ctx)
		runtime.ReadMemStats(&after)
		listener.(*net.UnixListener).SetDeadline(time.Unix(1, 0))
		<-done
		listener.(*net.UnixListener).SetDeadline(time.Time{})

		if got.Problem == "" && (got.Class != Alive || got.Role == NoRole) || got.Class == Unknown || got.Class == Timeout {
			t.Errorf("%v: %q", got.Class, got.Problem)
		}
		if len(got.Problem) > longestSentence+len("…") || strings.ContainsFunc(got.Problem, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("%q", got.Problem)
		}
		if used := after.TotalAlloc - before.TotalAlloc; used > 2*(mostReply+1<<20) {
			t.Errorf("allocated %d bytes for %d", used, len(reply))
		}
	})
}
