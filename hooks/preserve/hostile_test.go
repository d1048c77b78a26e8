package preserve_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"redis-vip/checks/node"
	"redis-vip/checks/node/nodetest"
	"redis-vip/hooks/preserve"
)

// A master that a replay is to be applied to, and that turns hostile.
func TestReplayOntoAHostileMaster(t *testing.T) {
	info := fmt.Sprintf("role:master\r\nrun_id:abc\r\nmaster_replid:%s\r\nmaster_repl_offset:1000\r\nsecond_repl_offset:-1\r\nrepl_backlog_active:1\r\n"+
		"repl_backlog_size:1048576\r\nrepl_backlog_histlen:1000\r\nrepl_backlog_first_byte_offset:1\r\ndb0:keys=5,expires=0\r\n", strings.Repeat("a", 40))
	bulk := fmt.Sprintf("$%d\r\n%s\r\n", len(info), info)
	for turns, honest := range map[string]map[string]string{
		"at once":               {"ping": "+PONG\r\n" + strings.Repeat(bulk, 3)},
		"asked about a command": {"ping": "+PONG\r\n" + strings.Repeat(bulk, 3), "get": "$-1\r\n"},
		"in its history": {
			"ping": "+PONG\r\n" + strings.Repeat(bulk, 3), "get": "$-1\r\n", "info": bulk, "INFO": bulk, "REPLCONF": "+OK\r\n",
			"COMMAND\r\n$4\r\nINFO": "*1\r\n*6\r\n$3\r\nset\r\n:-3\r\n*0\r\n:1\r\n:1\r\n:1\r\n",
		},
		"asked for keys": {
			"ping": "+PONG\r\n" + strings.Repeat(bulk, 3), "get": "$-1\r\n",
			"COMMAND\r\n$4\r\nINFO": "*1\r\n*6\r\n$3\r\nset\r\n:-3\r\n*1\r\n+movablekeys\r\n:0\r\n:0\r\n:0\r\n",
		},
	} {
		t.Run(turns, func(t *testing.T) {
			nodetest.HostileAfter(t, func(question string) (string, bool) {
				for word, reply := range honest {
					if strings.Contains(question, "\r\n"+word+"\r\n") {
						return reply, true
					}
				}
				if strings.Contains(question, "\r\nPSYNC\r\n") {
					return "+CONTINUE\r\n", false
				}
				return "", false
			}, func(t *testing.T, ctx context.Context, e node.Endpoint) {
				report, err := suffixOf(t).Replay(ctx, preserve.Replay{Target: e, Timeout: time.Second})
				t.Log(err)
				if err == nil || report.Applied > 0 || len(err.Error()) > 5000 {
					t.Errorf("%+v: %v", report, err)
				}
			})
		})
	}
}

// suffixOf is a preserved file with one write.
func suffixOf(t *testing.T) *preserve.File {
	t.Helper()
	text := "*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\nb\r\n"
	path := filepath.Join(t.TempDir(), "20261120T000102Z-aaaaaaaa-5-70.resp")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := preserve.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return &file
}

// What a server calls its history becomes a part of a file's name.
func TestSaveOfAHistoryWithoutAName(t *testing.T) {
	for _, id := range []string{"../../../../../../tmp/evil", strings.Repeat("x", 40), "short", strings.Repeat("A", 40)} {
		info := "role:master\r\nmaster_replid:" + id + "\r\nmaster_repl_offset:1000\r\nrepl_backlog_active:1\r\nrun_id:abc\r\ndb0:keys=5\r\n"
		reply := "+PONG\r\n" + strings.Repeat(fmt.Sprintf("$%d\r\n%s\r\n", len(info), info), 3)
		addr := nodetest.Fake(t, func(conn net.Conn) {
			conn.Read(make([]byte, 4096))
			io.WriteString(conn, reply)
			io.Copy(io.Discard, conn)
		})
		nodetest.Bounded(t, func(ctx context.Context) {
			store := preserve.Store{Dir: t.TempDir(), Group: "g"}
			f, err := store.Save(ctx, hostileRequest(addr))
			if err == nil || !strings.Contains(err.Error(), "is none") {
				t.Errorf("%q: %+v, %v", id, f, err)
			}
			if left := entries(t, store); len(left) > 0 {
				t.Errorf("%q: left %v", id, left)
			}
		})
	}
}
