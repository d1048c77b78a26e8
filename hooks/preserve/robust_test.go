package preserve_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"redis-vip/checks/node"
	"redis-vip/checks/node/nodetest"
	"redis-vip/hooks/preserve"

	"golang.org/x/sys/unix"
)

// hostile looks like a deposed master, up to PSYNC, to which it answers as it
// likes. Each word that comes before is told to those who hear.
func hostile(t *testing.T, offset, backlog int64, psync func(net.Conn), hear ...func(string)) netip.AddrPort {
	info := fmt.Sprintf("role:master\r\nmaster_replid:%s\r\nmaster_replid2:%s\r\nmaster_repl_offset:%d\r\nsecond_repl_offset:-1\r\nrepl_backlog_active:1\r\n"+
		"run_id:abc\r\nrepl_backlog_size:1048576\r\nrepl_backlog_histlen:1000\r\nrepl_backlog_first_byte_offset:%d\r\ndb0:keys=5,expires=0\r\n",
		strings.Repeat("a", 40), strings.Repeat("0", 40), offset, backlog)
	return nodetest.Fake(t, func(conn net.Conn) {
		for lines := bufio.NewScanner(conn); lines.Scan(); {
			for _, h := range hear {
				h(lines.Text())
			}
			switch strings.ToUpper(lines.Text()) {
			case "HELLO", "AUTH":
				io.WriteString(conn, "-ERR unknown command\r\n")
			case "PING":
				io.WriteString(conn, "+PONG\r\n")
			case "INFO":
				fmt.Fprintf(conn, "$%d\r\n%s\r\n", len(info), info)
			case "REPLCONF":
				io.WriteString(conn, "+OK\r\n")
			case "PSYNC":
				psync(conn)
				return
			}
		}
	})
}

func hostileRequest(addr netip.AddrPort) preserve.Request {
	return preserve.Request{
		Node: node.Endpoint{Addr: addr}, Winner: "127.0.0.1:1", Stall: 300 * time.Millisecond,
		Master: node.Facts{ReplID: strings.Repeat("b", 40), Offset: 200, ReplID2: strings.Repeat("a", 40), SecondOff: 101},
	}
}

// Whatever a server sends, a save ends in time, without much memory, and leaves
// nothing behind.
func TestSaveFromAHostileServer(t *testing.T) {
	full := "+FULLRESYNC " + strings.Repeat("c", 40) + " 5\r\n"
	says := func(text string) func(net.Conn) {
		return func(conn net.Conn) { io.WriteString(conn, text); time.Sleep(time.Second) }
	}
	forever := func(head, text string) func(net.Conn) {
		return func(conn net.Conn) {
			io.WriteString(conn, head)
			for err := error(nil); err == nil; {
				_, err = io.WriteString(conn, text)
			}
		}
	}
	for name, test := range map[string]struct {
		offset, backlog int64
		psync           func(net.Conn)
	}{
		"hangs":                        {1000, 1, func(net.Conn) { time.Sleep(3 * time.Second) }},
		"hangs up":                     {1000, 1, func(net.Conn) {}},
		"an endless line":              {1000, 1, forever("", strings.Repeat("x", 4096))},
		"empty lines forever":          {1000, 1, forever("", "\n")},
		"no reply to PSYNC":            {1000, 1, says("$5\r\nhello\r\n")},
		"garbage":                      {1000, 1, says("+CONTINUE\r\n" + strings.Repeat("garbage ", 1000))},
		"no command":                   {1000, 1, says("+CONTINUE\r\n" + strings.Repeat("*0\r\n", 1000))},
		"negative":                     {1000, 1, says("+CONTINUE\r\n*-1\r\n$-1\r\n")},
		"a huge value":                 {1000, 1, says("+CONTINUE\r\n*1\r\n$99999999999\r\n")},
		"a huge value, an end far":     {1 << 60, 1, says("+CONTINUE\r\n*3\r\n$3\r\nSET\r\n$999999999999999\r\nx")},
		"a huge command, an end far":   {1 << 60, 1, says("+CONTINUE\r\n*16777216\r\n$3\r\nSET\r\n")},
		"endless, an end far":          {1 << 40, 1, forever("+CONTINUE\r\n*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n", "*1\r\n$1\r\nA\r\n")},
		"less than it said":            {1000, 1, says("+CONTINUE\r\n*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n")},
		"slow":                         {1000, 1, func(conn net.Conn) { dribble(conn, "+CONTINUE\r\n"+strings.Repeat("*1\r\n$1\r\nA\r\n", 1000)) }},
		"a copy of garbage":            {1000, 500, says(full + "$5\r\nHELLO")},
		"a copy without end":           {1000, 500, forever(full+"$EOF:"+strings.Repeat("e", 40)+"\r\n", "REDIS0011"+strings.Repeat("x", 4096))},
		"a copy of an impossible size": {1000, 500, says(full + "$1152921504606846976\r\nREDIS")},
		"a copy of a negative size":    {1000, 500, says(full + "$-5\r\nREDIS")},
		"a short copy":                 {1000, 500, says(full + "$500\r\nREDIS0011")},
		"a copy with a wrong checksum": {1000, 500, says(full + "$18\r\nREDIS0011\xff12345678")},
		"an error":                     {1000, 500, says("-ERR BGSAVE failed\r\n")},
		"empty lines and no copy":      {1000, 500, forever(full, "\n")},
	} {
		t.Run(name, func(t *testing.T) {
			store := preserve.Store{Dir: t.TempDir(), Group: "g"}
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			start := time.Now()
			f, err := store.Save(ctx, hostileRequest(hostile(t, test.offset, test.backlog, test.psync)))
			took := time.Since(start)
			runtime.ReadMemStats(&after)
			if err == nil {
				t.Errorf("saved %+v", f)
			}
			if took > 2*time.Second {
				t.Errorf("took %v", took)
			}
			if grown := int64(after.Sys) - int64(before.Sys); grown > 64<<20 {
				t.Errorf("took %d bytes", grown)
			}
			if left := entries(t, store); len(left) > 0 {
				t.Errorf("left %v: %v", left, err)
			}
			t.Log(err)
		})
	}
}

// Valkey 9 has a format of its own, and sends what only that can say to who tells a
// version; on others it hangs up.
func TestSaveOfValkey(t *testing.T) {
	const copied = "VALKEY080\xfa\nvalkey-ver\x059.1.2\xff\x00\x00\x00\x00\x00\x00\x00\x00"
	var told atomic.Bool
	addr := hostile(t, 1000, 500, func(conn net.Conn) {
		fmt.Fprintf(conn, "+FULLRESYNC %s 1000\r\n", strings.Repeat("a", 40))
		if told.Load() {
			fmt.Fprintf(conn, "$%d\r\n%s", len(copied), copied)
		}
	}, func(word string) { told.Store(told.Load() || word == "version") })
	f, err := preserve.Store{Dir: t.TempDir(), Group: "g"}.Save(soon(t), hostileRequest(addr))
	if err != nil {
		t.Fatal(err)
	}
	s, err := f.Show(soon(t), nil, nil)
	if err != nil || f.Kind != preserve.RDB || s.RDB.Format != 80 || s.RDB.Aux["valkey-ver"] != "9.1.2" {
		t.Errorf("%+v, %+v, %v", f.Meta, s.RDB, err)
	}
}

// A server that hangs is given up after Stall, long before the deadline.
func TestSaveFromAHungServer(t *testing.T) {
	r := hostileRequest(hostile(t, 1000, 1, func(net.Conn) { time.Sleep(5 * time.Second) }))
	start := time.Now()
	if _, err := (preserve.Store{Dir: t.TempDir(), Group: "g"}).Save(soon(t), r); err == nil {
		t.Error("saved")
	}
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("took %v, may be silent for %v", took, r.Stall)
	}
}

func dribble(conn net.Conn, text string) {
	for i := range len(text) {
		if _, err := io.WriteString(conn, text[i:i+1]); err != nil {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func entries(t *testing.T, s preserve.Store) (names []string) {
	t.Helper()
	list, err := os.ReadDir(filepath.Join(s.Dir, s.Group))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	for _, entry := range list {
		names = append(names, entry.Name())
	}
	return names
}

const childVariable = "PRESERVE_TEST_CHILD"

// TestMain is also the process that TestKilledSave kills.
func TestMain(m *testing.M) {
	if child := os.Getenv(childVariable); child != "" {
		dir, addr, _ := strings.Cut(child, " ")
		r := hostileRequest(netip.MustParseAddrPort(addr))
		r.Stall = time.Minute
		_, err := preserve.Store{Dir: dir, Group: "g"}.Save(context.Background(), r)
		fmt.Println("not killed:", err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func TestKilledSave(t *testing.T) {
	for name, test := range map[string]struct {
		backlog int64
		sent    string
	}{
		"suffix": {1, "+CONTINUE\r\n*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n" + strings.Repeat("*1\r\n$1\r\nA\r\n", 10_000)},
		"copy":   {500, "+FULLRESYNC " + strings.Repeat("c", 40) + " 5\r\n$900000\r\nREDIS0011" + strings.Repeat("x", 200_000)},
	} {
		t.Run(name, func(t *testing.T) {
			store := preserve.Store{Dir: t.TempDir(), Group: "g"}
			addr := hostile(t, 1_000_000, test.backlog, func(conn net.Conn) {
				io.WriteString(conn, test.sent)
				time.Sleep(nodetest.Bound)
			})
			self, err := os.Executable()
			if err != nil {
				t.Fatal(err)
			}
			child := exec.Command(self)
			child.Env = append(os.Environ(), childVariable+"="+store.Dir+" "+addr.String())
			child.Stdout = os.Stderr
			child.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
			if err := child.Start(); err != nil {
				t.Fatal(err)
			}
			var draft string
			nodetest.Eventually(t, "half a file", func() error {
				for _, name := range entries(t, store) {
					info, err := os.Stat(filepath.Join(store.Dir, store.Group, name))
					if err == nil && info.Size() > 50_000 {
						draft = name
						return nil
					}
				}
				return fmt.Errorf("only %v", entries(t, store))
			})
			// While it is at work, another one leaves its draft alone.
			store.Save(soon(t), hostileRequest(hostile(t, 1000, 1, func(net.Conn) {})))
			if left := entries(t, store); len(left) != 1 || left[0] != draft {
				t.Errorf("%v, want %s", left, draft)
			}
			child.Process.Kill()
			child.Wait()
			if files, _ := store.List(); len(files) > 0 {
				t.Errorf("half a file has a final name: %+v", files)
			}
			store.Save(soon(t), hostileRequest(hostile(t, 1000, 1, func(net.Conn) {})))
			if left := entries(t, store); len(left) > 0 {
				t.Errorf("left %v", left)
			}
		})
	}
}

// small is a file system of its own.
func small(t *testing.T, bytes int) string {
	t.Helper()
	nodetest.Root(t)
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", bytes)); err != nil {
		nodetest.Skip(t, "cannot mount a tmpfs: %v", err)
	}
	t.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) })
	return dir
}

func TestDiskFull(t *testing.T) {
	big := func(t *testing.T, s *nodetest.Server) { // over 3 MB that no compression makes smaller
		s.Do("CONFIG", "SET", "rdbcompression", "no")
		for i := range 100 {
			s.Do("SET", fmt.Sprint("big", i), strings.Repeat("x", 30_000))
		}
	}
	for name, lines := range map[string][]string{
		"known before":        {"repl-backlog-size 16mb"},
		"a copy, size known":  {"repl-diskless-sync no"},
		"in the middle of it": {"repl-diskless-sync yes"},
	} {
		t.Run(name, func(t *testing.T) {
			p := split(t, base, big, lines...)
			p.store.Dir = small(t, 2<<20)
			f, err := p.store.Save(soon(t), p.request())
			if !errors.Is(err, preserve.ErrNoSpace) {
				t.Errorf("%+v, %v", f, err)
			}
			t.Log(err)
			if left := entries(t, p.store); len(left) > 0 {
				t.Errorf("left %v", left)
			}
		})
	}
}

func TestNoRights(t *testing.T) {
	nodetest.Root(t)
	p := split(t, base, func(t *testing.T, s *nodetest.Server) { later(t, s) })
	t.Run("the owner of the state folder gets what root makes", func(t *testing.T) {
		if err := os.Chown(p.store.Dir, 4711, 4712); err != nil {
			t.Fatal(err)
		}
		syscall.Umask(0o177)
		defer syscall.Umask(0o022)
		f := p.save(t)
		for _, path := range []string{filepath.Dir(f.Path), f.Path, f.Path + ".json"} {
			var stat unix.Stat_t
			if err := unix.Stat(path, &stat); err != nil || stat.Uid != 4711 || stat.Gid != 4712 {
				t.Errorf("%s: owner %d:%d, %v", path, stat.Uid, stat.Gid, err)
			}
			want := uint32(0o600)
			if path == filepath.Dir(f.Path) {
				want = 0o700
			}
			if stat.Mode&0o777 != want {
				t.Errorf("%s: mode %o", path, stat.Mode)
			}
		}
	})
	t.Run("no state folder", func(t *testing.T) {
		p := p
		p.store.Dir = filepath.Join(t.TempDir(), "none")
		if _, err := p.store.Save(soon(t), p.request()); err == nil || !strings.Contains(err.Error(), "install -d") {
			t.Error(err)
		}
	})
	t.Run("a group that is a path", func(t *testing.T) {
		for _, group := range []string{"../other", "a/b", "", ".", "..", ".hidden"} {
			s := preserve.Store{Dir: t.TempDir(), Group: group}
			if f, err := s.Save(soon(t), p.request()); err == nil {
				t.Errorf("%q: %+v", group, f)
			}
		}
	})
	t.Run("a link out of the state folder", func(t *testing.T) {
		outside := t.TempDir()
		s := preserve.Store{Dir: t.TempDir(), Group: "g"}
		if err := os.Symlink(outside, filepath.Join(s.Dir, "g")); err != nil {
			t.Fatal(err)
		}
		if f, err := s.Save(soon(t), p.request()); err == nil {
			t.Errorf("%+v", f)
		}
	})
	t.Run("a folder of somebody else", func(t *testing.T) {
		if os.Getenv("HOME") == "" {
			t.Setenv("HOME", "/")
		}
		dir := t.TempDir()
		os.Chmod(filepath.Dir(dir), 0o755)
		err := unprivileged(func() error {
			_, err := preserve.Store{Dir: dir, Group: "g"}.Save(soon(t), p.request())
			return err
		})
		if !errors.Is(err, os.ErrPermission) {
			t.Error(err)
		}
	})
}

// unprivileged runs f in a thread without root's rights, which then ends.
func unprivileged(f func() error) error {
	result := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked
		if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, 65534, 65534, 65534); errno != 0 {
			result <- errno
			return
		}
		result <- f()
	}()
	return <-result
}
