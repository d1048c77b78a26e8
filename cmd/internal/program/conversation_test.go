package program_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"redis-vip/checks"
	"redis-vip/checks/node"
	"redis-vip/checks/node/nodetest"
	"redis-vip/checks/survey"
)

// A healthy check is one connection, one write and one read, with a password too: the
// server here answers once, when it has read once, and gets nothing more. Nobody else
// is asked, and nothing is written down.
func TestHealthyCheckIsOneConversation(t *testing.T) {
	for name, test := range map[string]struct{ password, greeting string }{
		"plain":           {"", ""},
		"with a password": {"secret", "+OK\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			var connections, strangers atomic.Int64
			conversation := make(chan error, 10)
			master := nodetest.Fake(t, func(net.Conn) { strangers.Add(1) })
			replica := nodetest.Fake(t, func(conn net.Conn) {
				connections.Add(1)
				conversation <- converse(conn, test.greeting+healthyReplica(master))
			})
			dir := t.TempDir()
			m := checks.Memory{Role: node.Replica, ReplID: "id", Offset: 42, Keys: 7, At: time.Now()}
			err := errors.Join(survey.Note(filepath.Join(dir, "default.json"), m), os.WriteFile(filepath.Join(dir, "default.verdict"), []byte("in_sync"), 0o600))
			if err != nil {
				t.Fatal(err)
			}
			before := listing(t, dir)

			t.Setenv("REDIS_VIP_PASSWORD", test.password)
			code, out := run(t, dir, "redis-check", "--heal", "--node", replica.String(), "--nodes", replica.String()+","+master.String(), "--vips", "192.0.2.1/24")
			if code != 0 {
				t.Errorf("exit %d: %s", code, out)
			}
			select {
			case err := <-conversation:
				if err != nil {
					t.Error(err)
				}
			case <-time.After(5 * time.Second):
				t.Error("nobody was asked")
			}
			if n := connections.Load(); n != 1 {
				t.Errorf("%d connections", n)
			}
			if n := strangers.Load(); n != 0 {
				t.Errorf("%d connections to the other node", n)
			}
			if after := listing(t, dir); after != before {
				t.Errorf("files before:\n%s\nafter:\n%s", before, after)
			}
		})
	}
}

// converse reads once, answers once, and then expects the end.
func converse(conn net.Conn, reply string) error {
	conn.SetDeadline(time.Now().Add(5 * time.Second))
	question := make([]byte, 4096)
	n, err := conn.Read(question)
	if err != nil {
		return err
	}
	if !strings.HasSuffix(string(question[:n]), "keyspace\r\n") {
		return fmt.Errorf("the first write is not all that is asked: %q", question[:n])
	}
	if _, err := io.WriteString(conn, reply); err != nil {
		return err
	}
	if more, err := io.ReadAll(conn); err != nil || len(more) > 0 {
		return fmt.Errorf("and then: %q, %w", more, err)
	}
	return nil
}

// healthyReplica answers PING and three sections of INFO.
func healthyReplica(master netip.AddrPort) string {
	reply := "+PONG\r\n"
	for _, section := range []string{
		fmt.Sprintf("role:slave\r\nmaster_host:%s\r\nmaster_port:%d\r\nmaster_link_status:up\r\nmaster_last_io_seconds_ago:0\r\n"+
			"master_sync_in_progress:0\r\nslave_repl_offset:42\r\nconnected_slaves:0\r\nmaster_replid:id\r\nmaster_repl_offset:42\r\n", master.Addr(), master.Port()),
		"redis_version:7.0.15\r\nrun_id:run\r\nuptime_in_seconds:1000\r\n",
		"db0:keys=7,expires=0,avg_ttl=0\r\n",
	} {
		reply += fmt.Sprintf("$%d\r\n%s\r\n", len(section), section)
	}
	return reply
}

// listing names all files of a folder, with their times.
func listing(t *testing.T, dir string) (text string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil {
			t.Fatal(err)
		}
		text += fmt.Sprintln(info.Name(), info.Size(), info.ModTime().UnixNano())
	}
	return text
}
