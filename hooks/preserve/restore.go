package preserve

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"redis-vip/checks/node"

	"github.com/redis/go-redis/v9"
)

// RDBInfo is what the head of an RDB says of it (rdb.c, rdbSaveInfoAuxFields).
type RDBInfo struct {
	Format int               `json:"format"` // version of the format
	Aux    map[string]string `json:"aux,omitempty"`
}

// Procedure is how an RDB is brought back by hand, where no server is at hand.
const Procedure = `Copy the file to a host with redis-server, and start one on it that nobody else uses:
  mkdir /tmp/preserved && cp FILE /tmp/preserved/dump.rdb
  redis-server --dir /tmp/preserved --dbfilename dump.rdb --save '' --port 0 --unixsocket /tmp/preserved/sock
Look at it with redis-cli -s /tmp/preserved/sock, and copy what is missing on the master:
  redis-cli -s /tmp/preserved/sock --scan
  redis-cli -s /tmp/preserved/sock MIGRATE HOST PORT KEY 0 5000 COPY
MIGRATE … COPY refuses a key that exists on the master (BUSYKEY); with REPLACE it overwrites it.`

// ErrNoServer says that there is no server to read an RDB with.
var ErrNoServer = errors.New("no redis-server and no valkey-server on this host")

const (
	loadPoll  = 20 * time.Millisecond
	scanBatch = 64
)

// restore copies the keys of an RDB that are absent on the target. A key that is
// there with another value is a conflict. To do it twice does no harm, so a run that
// was cut short needs no note of how far it came.
//
// A key that was deleted on the master since the split is absent too, and comes
// back: nothing tells it apart.
func (f *File) restore(ctx context.Context, r Replay, report *Report) error {
	report.Inexact = "an RDB holds all data, not the writes that were lost"
	report.Notes = append(report.Notes, "keys that were deleted on the new master since the split are brought back too")
	source, err := f.serve(ctx, r)
	if err != nil {
		return err
	}
	defer source.stop()
	c := copying{from: roomy(source.Endpoint).Client(r.Timeout), to: roomy(r.Target).Client(r.Timeout), Replay: r, report: report}
	defer c.from.Close()
	defer c.to.Close()
	if !r.DryRun {
		if err := f.update(func(m *Meta) { m.Replayed = &Replayed{Begun: time.Now().UTC(), Target: r.Name} }); err != nil {
			return err
		}
	}
	if err := c.all(ctx); err != nil || r.DryRun {
		return err
	}
	return f.update(func(m *Meta) {
		m.Replayed.Done, m.Replayed.Ended, m.Replayed.Forced = true, time.Now().UTC(), r.Force
		m.Replayed.Applied, m.Replayed.LeftOut, m.Replayed.Conflicts = report.Applied, report.LeftOut, report.Conflict
	})
}

// private is a redis-server of our own, which nobody else can reach.
type private struct {
	node.Endpoint
	dir  string
	cmd  *exec.Cmd
	gone chan struct{}
}

// server is the program that reads an RDB.
func (r Replay) server() (string, error) {
	if r.Program != "" {
		return exec.LookPath(r.Program)
	}
	for _, name := range []string{"redis-server", "valkey-server"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", ErrNoServer
}

// serve starts a private server on the file, and waits until it has read it.
func (f File) serve(ctx context.Context, r Replay) (*private, error) {
	program, err := r.server()
	if err != nil {
		return nil, err
	}
	path, err := filepath.Abs(f.Path)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "preserved-")
	if err != nil {
		return nil, err
	}
	p := &private{Endpoint: node.Endpoint{Socket: filepath.Join(dir, "sock")}, dir: dir, gone: make(chan struct{})}
	if err := os.Symlink(path, filepath.Join(dir, "dump.rdb")); err != nil {
		os.RemoveAll(dir)
		return nil, err
	}
	p.cmd = exec.Command(program, "--dir", dir, "--dbfilename", "dump.rdb", "--save", "", "--appendonly", "no",
		"--port", "0", "--unixsocket", p.Socket, "--unixsocketperm", "700", "--databases", "16384",
		"--logfile", filepath.Join(dir, "log"), "--replicaof", "no", "one")
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		os.RemoveAll(dir)
		return nil, err
	}
	go func() {
		p.cmd.Wait()
		close(p.gone)
	}()
	for {
		look, cancel := context.WithTimeout(ctx, time.Second)
		class := p.Look(look).Class
		cancel()
		if class == node.Alive {
			return p, nil
		}
		select {
		case <-time.After(loadPoll):
		case <-ctx.Done():
			p.stop()
			return nil, context.Cause(ctx)
		case <-p.gone:
			log, _ := os.ReadFile(filepath.Join(dir, "log"))
			p.stop()
			return nil, fmt.Errorf("%s cannot read %s: %s", program, f.Path, lastLine(log))
		}
	}
}

func lastLine(text []byte) string {
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return lines[len(lines)-1]
}

func (p *private) stop() {
	p.cmd.Process.Kill()
	<-p.gone
	os.RemoveAll(p.dir)
}

// copying copies keys from one server to another.
type copying struct {
	Replay
	from, to *redis.Client
	report   *Report
}

func (c copying) all(ctx context.Context) error {
	text, err := c.from.Info(ctx, "keyspace").Result()
	if err != nil {
		return err
	}
	from, to := c.from.Conn(), c.to.Conn()
	defer from.Close()
	defer to.Close()
	for line := range strings.Lines(text) {
		var db int
		if n, _ := fmt.Sscanf(line, "db%d:", &db); n != 1 {
			continue
		}
		if err := errors.Join(from.Select(ctx, db).Err(), to.Select(ctx, db).Err()); err != nil {
			return err
		}
		for cursor := uint64(0); ; {
			keys, next, err := from.Scan(ctx, cursor, "", scanBatch).Result()
			if err != nil {
				return err
			}
			for _, key := range keys {
				if ctx.Err() != nil { // go-redis heeds its deadline only
					return context.Cause(ctx)
				}
				if err := c.one(ctx, from, to, Key{db, key}); err != nil {
					return err
				}
			}
			if c.Progress != nil {
				c.Progress(c.report.Applied)
			}
			if cursor = next; cursor == 0 {
				break
			}
		}
	}
	return nil
}

// one copies a key.
func (c copying) one(ctx context.Context, from, to *redis.Conn, key Key) error {
	value, err := from.Dump(ctx, key.Name).Result()
	if err == redis.Nil {
		return nil // expired meanwhile
	}
	if err != nil {
		return err
	}
	life, err := from.PTTL(ctx, key.Name).Result()
	if err != nil {
		return err
	}
	there, err := to.Dump(ctx, key.Name).Result()
	if err != nil && err != redis.Nil {
		return err
	}
	absent := err == redis.Nil
	switch {
	case !absent && there == value:
		c.report.Same++
		return nil
	case !absent && !c.Force:
		c.leaveOut(key)
		return nil
	case c.DryRun:
		c.report.Applied++
		return nil
	}
	restore := to.Restore
	if c.Force {
		restore = to.RestoreReplace
	}
	err = restore(ctx, key.Name, max(life, 0), value).Err()
	switch {
	case err == nil:
		c.report.Applied++
	case strings.HasPrefix(err.Error(), "BUSYKEY"): // written at this very moment
		c.leaveOut(key)
	case strings.HasPrefix(err.Error(), "ERR "): // another version's format
		c.report.LeftOut++
		if len(c.report.Failed) < maxFailed {
			c.report.Failed = append(c.report.Failed, fmt.Sprintf("db %d: %s: %v", key.DB, word([]byte(key.Name)), err))
		}
	default:
		return err
	}
	return nil
}

func (c copying) leaveOut(key Key) {
	c.report.LeftOut++
	c.report.Conflict = append(c.report.Conflict, Conflict{Key: key, Cause: Exists, Writes: 1})
}

// rdbInfo reads the magic word and the auxiliary fields at the start.
func (f File) rdbInfo() (info RDBInfo, err error) {
	file, err := openPlain(f.Path)
	if err != nil {
		return info, err
	}
	defer file.Close()
	head, err := io.ReadAll(io.LimitReader(file, 4096))
	if err != nil {
		return info, err
	}
	const magic = len(redisMagic + "0011")
	first := string(head[:min(magic, len(head))])
	redis, _ := fmt.Sscanf(first, redisMagic+"%04d", &info.Format)
	valkey, _ := fmt.Sscanf(first, valkeyMagic+"%03d", &info.Format)
	if redis+valkey != 1 || len(first) < magic {
		return info, fmt.Errorf("%s: %w", f.Path, errBadRDB)
	}
	info.Aux = make(map[string]string)
	for head = head[magic:]; len(head) > 0 && head[0] == 0xfa; {
		name, rest, ok := rdbString(head[1:])
		value, rest, ok2 := rdbString(rest)
		if !ok || !ok2 {
			break
		}
		info.Aux[name], head = value, rest
	}
	return info, nil
}

// rdbString reads a short string, or a number in place of one (rdb.c,
// rdbGenericLoadStringObject).
func rdbString(p []byte) (text string, rest []byte, ok bool) {
	if len(p) == 0 {
		return "", nil, false
	}
	width := int(p[0] & 0x3f)
	switch p[0] >> 6 {
	case 0:
		if len(p) <= width {
			return "", nil, false
		}
		return string(p[1 : 1+width]), p[1+width:], true
	case 3:
		if bytes := 1 << width; width <= 2 && len(p) > bytes {
			n := int64(0)
			for _, b := range slices.Backward(p[1 : 1+bytes]) {
				n = n<<8 | int64(b)
			}
			shift := 64 - 8*bytes
			return fmt.Sprint(n << shift >> shift), p[1+bytes:], true
		}
	}
	return "", nil, false
}
