package bench

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"redis-vip/examples/lab/netlab"
	"redis-vip/examples/lab/site"
)

// keepalived calls as this user (enable_script_security, script_user).
func (b *Bench) scripted(name string, args ...string) Program {
	return Program{Name: name, Args: args, User: "redis-vip", Group: "redis"}
}

func (b *Bench) check(name string) Program {
	return b.scripted(name, b.path("redis-check"), "--heal")
}

func (b *Bench) ping() Program {
	return b.scripted("redis-cli ping", "/usr/bin/redis-cli", "ping")
}

func (b *Bench) pair(ctx context.Context) error {
	return b.open(ctx, site.Pair, func(s *site.Site) error {
		master, standby := s.Nodes[0], s.Nodes[1]
		b.table.title("a healthy check of a pair")
		peers := []Program{
			b.ping(),
			b.scripted("ping, info and grep in bash", b.path("check.sh")),
			b.scripted("PING in Go", b.path("ping-go")),
		}
		if b.has("ping-c") {
			peers = append(peers, b.scripted("PING in C, static", b.path("ping-c")))
		} else {
			b.table.note("PING in C, static", "left out: no C compiler here")
		}
		if err := b.compare(ctx, master.Host, b.Rounds, append([]Program{b.check("redis-check, on the master")}, peers...)...); err != nil {
			return err
		}
		if err := b.compare(ctx, standby.Host, b.Rounds, append([]Program{b.check("redis-check, on the standby")}, peers[:2]...)...); err != nil {
			return err
		}
		own := b.scripted("redis-check of go install, on the master", b.path("own/redis-check"), "--heal")
		if err := b.compare(ctx, master.Host, b.Rounds, own, b.ping()); err != nil {
			return err
		}
		check := b.check("redis-check, on the master")
		check.Args[0] = b.path("counted/redis-check")
		if err := b.instructions(ctx, master.Host, append([]Program{check}, peers[:2]...)...); err != nil {
			return err
		}
		for _, step := range []func(context.Context, *site.Site) error{b.smallPages, b.promote, b.unfit} {
			if err := step(ctx, s); err != nil {
				return err
			}
		}
		return nil
	})
}

// smallPages measures the check and redis-cli from a tmpfs, which has pages of 4 kB.
// The host's own files are one, where they differ from the machine's.
func (b *Bench) smallPages(ctx context.Context, s *site.Site) error {
	host := s.Nodes[0].Host
	listed, err := host.Output(ctx, "ldd", "/usr/bin/redis-cli")
	if err != nil {
		return err
	}
	files := []string{"/usr/bin/redis-cli"}
	for _, word := range strings.Fields(listed) {
		if strings.HasPrefix(word, "/") {
			files = append(files, word)
		}
	}
	for _, path := range files {
		if err := copyTo(host, path, path); err != nil {
			return err
		}
	}
	const folder = "/usr/lib/redis-vip/"
	for _, name := range []string{"redis-check", "own/redis-check"} {
		if err := copyTo(host, b.path(name), folder+name); err != nil {
			return err
		}
	}
	b.table.title("the same on pages of 4 kB")
	if err := b.compare(ctx, host, b.Rounds, b.scripted("redis-check, on the master", folder+"redis-check", "--heal"), b.ping()); err != nil {
		return err
	}
	return b.compare(ctx, host, b.Rounds, b.scripted("redis-check of go install", folder+"own/redis-check", "--heal"), b.ping())
}

func copyTo(host *netlab.Host, from, to string) error {
	from, err := filepath.EvalSymlinks(from)
	if err != nil {
		return err
	}
	content, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return host.WriteFile(netlab.File{Path: to, Content: content, Mode: 0o755})
}

// promote measures a takeover: from a master that lives, which hands over, and from
// one that is gone.
func (b *Bench) promote(ctx context.Context, s *site.Site) error {
	b.table.title("a takeover")
	rounds := max(b.Rounds/10, 5)
	old, standby := s.Nodes[0], s.Nodes[1]
	if err := old.RemoveAddress(s.VIP); err != nil {
		return err
	}
	if err := standby.AddAddress(s.VIP); err != nil {
		return err
	}
	replicate := fmt.Sprintf(`
redis-cli -h %[1]s replicaof no one >/dev/null
redis-cli -h %[1]s config set repl-diskless-sync-delay 0 >/dev/null
redis-cli replicaof %[1]s 6379 >/dev/null
timeout 20 sh -c 'until redis-cli info replication | grep -q link_status:up; do sleep 0.05; done'`, old.IP())
	if err := b.takeover(ctx, standby, rounds, "notify-master, the old master lives", replicate); err != nil {
		return err
	}
	// A dead one comes back after the takeover, to be replicated from once more.
	old.Redis.RestartAfter = time.Second
	die := fmt.Sprintf(`
timeout 20 sh -c 'until redis-cli -h %[1]s ping | grep -q PONG; do sleep 0.05; done'
%[2]s
redis-cli -h %[1]s shutdown nosave
timeout 20 sh -c 'until redis-cli info replication | grep -q link_status:down; do sleep 0.05; done'`, old.IP(), replicate)
	return b.takeover(ctx, standby, max(rounds/2, 5), "notify-master, the old master is dead", die)
}

func (b *Bench) takeover(ctx context.Context, on *site.Node, rounds int, name, before string) error {
	ours, theirs := b.scripted(name, b.path("notify-master")), b.scripted("replicaof no one and rewrite in sh", b.path("shell-notify-master"))
	ours.Before, theirs.Before = before, before
	return b.compare(ctx, on.Host, rounds, ours, theirs)
}

// unfit measures how soon a check says no: to a Redis that hangs, and to none.
func (b *Bench) unfit(ctx context.Context, s *site.Site) error {
	node := s.Nodes[1]
	b.table.title("an unfit answer") // the default time-out is 900 ms
	for _, state := range []struct {
		name  string
		enter func() error
		most  time.Duration
	}{
		{"redis-check, Redis is silent", node.Redis.Hang, 920 * time.Millisecond},
		{"redis-check, Redis refuses", func() error { return node.Redis.Kill(ctx) }, 10 * time.Millisecond},
	} {
		if err := state.enter(); err != nil {
			return err
		}
		program := b.check(state.name)
		program.Exit = 1
		costs, err := b.measure(ctx, node.Host, 7, program)
		if err != nil {
			return err
		}
		b.table.row([]Program{program}, costs)
		b.table.note("  at most", "%.0f ms", milliseconds(state.most))
	}
	return nil
}
