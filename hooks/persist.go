package hooks

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"redis-vip/checks/lint/redisconf"
	"redis-vip/checks/node"

	"golang.org/x/sys/unix"
)

// persist writes the role into the server's configuration file, and reads that
// file where it may. The role itself stands whatever comes of it: a failure is a
// warning that says what the next restart will do, and what to mend.
//
// A replica whose file makes it a replica of nobody at the next start stays that:
// CONFIG REWRITE would append a `replicaof` of the master below the include, and the
// next start would copy that master's data before any program could look.
func (s Settle) persist(ctx context.Context, r *Record) error {
	f := r.Facts.Node.Facts
	if f.Role == node.Replica && s.bootsAsNobodys(f) {
		return errNothing
	}
	if err := s.Local.Persist(ctx); err != nil {
		if again := changed(err); errors.Is(again, errNotYet) && ctx.Err() == nil {
			return again
		}
		r.warn(rewriteFailed(err, f))
		return nil
	}
	if err := s.verifyFile(f); err != nil {
		r.warn(err)
	}
	return nil
}

// bootsAsNobodys says whether the file, as it is, makes the server a replica of
// something that is no node of the group.
func (s Settle) bootsAsNobodys(f node.Facts) bool {
	last, err := lastReplicaOf(f.ConfigFile)
	return err == nil && last.master != "" && !slices.Contains(s.Nodes, last.master)
}

// unpin takes back what Sentinel writes into the file of a replica that it sends to a
// master: a `replicaof` of that one, below the include that wins otherwise. The next
// start would copy that master's data before any program could look, also where this
// node has saved more than the master had when both lost power.
//
// CONFIG REWRITE writes the role that the server has. So it becomes a replica of nobody
// for some milliseconds; its master then sends it what it missed.
func (s Settle) unpin(ctx context.Context, r *Record, master netip.AddrPort) error {
	if !s.pinned(r.Facts.Node.Facts) {
		return nil
	}
	if err := s.Local.Persist(ctx); err != nil { // nor would it then
		r.warn(fmt.Errorf("the next start copies %s at once, whatever is here by then: %w", master, rewriteFailed(err, r.Facts.Node.Facts)))
		return nil
	}
	return s.act(ctx, r, "CONFIG REWRITE as a replica of nobody", func(ctx context.Context) error {
		err := s.Local.Follow(ctx, node.Nobody)
		if err == nil {
			err = s.Local.Persist(ctx)
		}
		return errors.Join(err, s.Local.Follow(ctx, master))
	})
}

// pinned says whether the file, against an include that says otherwise, makes the
// server a replica of a node of the group. A file that may not be read does not.
func (s Settle) pinned(f node.Facts) bool {
	all, err := replicaOfLines(f.ConfigFile)
	if err != nil || len(all) == 0 {
		return false
	}
	last := all[len(all)-1]
	return last.file == f.ConfigFile && slices.Contains(s.Nodes, last.master) && slices.ContainsFunc(all, func(d directive) bool {
		return d.file != f.ConfigFile && d.master != "" && !slices.Contains(s.Nodes, d.master)
	})
}

// rewriteFailed adds to the server's words what to do about them.
func rewriteFailed(err error, f node.Facts) error {
	text := err.Error()
	remedy := "see the server's log"
	for _, known := range []struct{ part, remedy string }{
		{"without a config file", "start it with one: redis-server /etc/redis/redis.conf"},
		{"Permission denied", "CONFIG REWRITE makes a temporary file beside it: its folder must be writable for the server's user"},
		{"Read-only file system", "its folder must be writable: ReadWriteDirectories= in the unit"},
		{"Device or resource busy", "the file is a mount of its own, which cannot be replaced: mount its folder instead"},
		{"No space left", "free some space"},
		{"unknown command", "CONFIG is renamed or disabled in redis.conf: leave it to an ACL user"},
		{"NOPERM", "grant the ACL user +config|rewrite"},
	} {
		if strings.Contains(text, known.part) {
			remedy = known.remedy
			break
		}
	}
	return fmt.Errorf("CONFIG REWRITE failed, so a restart forgets that this is a %s: %s: %s: %s", f.Role, file(f), text, remedy)
}

func file(f node.Facts) string {
	if f.ConfigFile == "" {
		return "no configuration file"
	}
	return f.ConfigFile
}

// verifyFile reads what the server will be after its next start. CONFIG REWRITE
// says OK also where a `replicaof` in an included file makes the rewritten one
// void. That of the never-boot-as-master include is meant, and names no node of
// the group.
func (s Settle) verifyFile(f node.Facts) error {
	last, err := lastReplicaOf(f.ConfigFile)
	switch {
	case errors.Is(err, fs.ErrPermission), errors.Is(err, fs.ErrNotExist):
		return nil // not ours to read: keepalived's script user need not be in Redis's group
	case err != nil:
		return err
	case f.Role == node.Master && slices.Contains(s.Nodes, last.master):
		return fmt.Errorf("%s:%d: still says replicaof %s: the next start makes this master a replica: take the line out", last.file, last.line, last.master)
	case f.Role == node.Replica && last.file == f.ConfigFile && last.master != upstream(f) && slices.Contains(s.Nodes, last.master):
		return fmt.Errorf("%s:%d: says replicaof %s, but this node follows %s: take the line out", last.file, last.line, last.master, upstream(f))
	}
	return nil
}

func upstream(f node.Facts) string {
	return net.JoinHostPort(f.Upstream.Host, fmt.Sprint(f.Upstream.Port))
}

// directive is one `replicaof` line and where it stands.
type directive struct {
	file   string
	line   int
	master string // host:port; empty for none, and for `replicaof no one`
}

// lastReplicaOf finds the `replicaof` line that counts: the last one.
func lastReplicaOf(path string) (last directive, err error) {
	all, err := replicaOfLines(path)
	if err == nil && len(all) > 0 {
		last = all[len(all)-1]
	}
	return last, err
}

// replicaOfLines are all `replicaof` lines in the order in which they count, with
// included files read where they are named.
func replicaOfLines(path string) (all []directive, err error) {
	conf, err := redisconf.Read(path, redisconf.Source{Read: readConf, Glob: filepath.Glob})
	if err != nil {
		return nil, err
	}
	for _, p := range conf.Problems {
		switch p.Kind {
		case redisconf.UnreadableInclude:
			return nil, fmt.Errorf("%s:%d: include %s: %w", p.File, p.Line, p.Text, fs.ErrPermission)
		case redisconf.IncludeLoop, redisconf.TooLarge:
			return nil, fmt.Errorf("%s:%d: cannot be read to its end: it includes %s, which is too large or includes itself", p.File, p.Line, p.Text)
		}
	}
	for _, d := range conf.All("replicaof", "slaveof") {
		found := directive{d.File, d.Line, ""}
		if len(d.Args) == 2 && !strings.EqualFold(d.Args[0], "no") {
			found.master = net.JoinHostPort(d.Args[0], d.Args[1])
		}
		all = append(all, found)
	}
	return all, nil
}

// readConf reads a configuration file that the server named. It may have named anything:
// a pipe would keep us waiting, and a device has no end.
func readConf(path string) ([]byte, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, errors.Join(err, fmt.Errorf("%s is no plain file", path))
	}
	return io.ReadAll(io.LimitReader(file, 2<<20)) // more than redisconf takes
}
