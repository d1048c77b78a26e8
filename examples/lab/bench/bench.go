package bench

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"redis-vip/examples/lab/netlab"
	"redis-vip/examples/lab/shell"
	"redis-vip/examples/lab/site"
)

// Bench measures everything and prints one table.
type Bench struct {
	Programs string // the folder with the built programs
	Rounds   int    // how often a check runs; what changes something runs a tenth as often
	Out      io.Writer

	folder string // with copies of them, which all hosts see
	table  table
}

//go:embed check.sh
var bashCheck []byte

// peers are optional: a machine without a C compiler has no ping in C.
var staged = []struct{ name, from string }{
	{"redis-check", "redis-vip"}, // the packages' one binary, under each of its names
	{"notify-master", "redis-vip"},
	{"sentinel-reconfig", "redis-vip"},
	{"own/redis-check", "redis-check"},                 // the one of go install
	{"counted/redis-check", "bench/redis-vip-counted"}, // which tells valgrind of its stacks
	{"ping-go", "bench/ping-go"},
	{"ping-c", "bench/ping-c"},
}

// Run measures. It needs root.
func (b Bench) Run(ctx context.Context) (err error) {
	b.table = table{b.Out}
	// Not in /tmp: there, each host has its own.
	if b.folder, err = os.MkdirTemp("/var/tmp", "redis-vip-bench-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.folder)) }()
	if err := b.stage(); err != nil {
		return err
	}
	for _, scene := range []func(context.Context) error{b.pair, b.witnessed, b.trio} {
		if err := scene(ctx); err != nil {
			return err
		}
	}
	return b.sizes()
}

func (b *Bench) path(name string) string { return filepath.Join(b.folder, name) }

func (b *Bench) has(name string) bool {
	_, err := os.Stat(b.path(name))
	return err == nil
}

// stage puts the programs where the hosts see them.
func (b *Bench) stage() error {
	runner, err := os.Executable()
	if err != nil {
		return err
	}
	err = errors.Join(os.Chmod(b.folder, 0o755), os.Mkdir(b.path("own"), 0o755), os.Mkdir(b.path("counted"), 0o755), install(runner, b.path("runner")))
	for _, program := range staged {
		from := filepath.Join(b.Programs, program.from)
		if _, missing := os.Stat(from); os.IsNotExist(missing) && program.name == "ping-c" {
			continue
		}
		err = errors.Join(err, install(from, b.path(program.name)))
	}
	err = errors.Join(err, os.WriteFile(b.path("check.sh"), bashCheck, 0o755))
	for _, file := range shell.Files() {
		err = errors.Join(err, os.WriteFile(b.path("shell-"+filepath.Base(file.Path)), file.Content, 0o755))
	}
	if err != nil {
		return fmt.Errorf("%w (make bench builds first)", err)
	}
	return nil
}

// piece is how much dpkg writes at a time (fd_fd_copy): it decides how large the
// folios of the page cache are.
const piece = 32 << 10

func install(from, to string) error {
	content, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	file, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o755)
	if err != nil {
		return err
	}
	defer file.Close()
	for len(content) > 0 {
		n := min(piece, len(content))
		if _, err := file.Write(content[:n]); err != nil {
			return err
		}
		content = content[n:]
	}
	return file.Chmod(0o755)
}

// compare measures our program, which comes first, and its peers in turns, and prints
// them.
func (b *Bench) compare(ctx context.Context, host *netlab.Host, rounds int, programs ...Program) error {
	costs, err := b.measure(ctx, host, rounds, programs...)
	if err != nil {
		return err
	}
	b.table.row(programs, costs)
	return nil
}

// open builds a site without keepalived at work: the bench gives the VIP and the roles
// itself, to the first node.
func (b *Bench) open(ctx context.Context, build func(context.Context, site.Options) (*site.Site, error), run func(*site.Site) error) (err error) {
	s, err := build(ctx, site.Options{Programs: b.Programs})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	nodes := s.Nodes
	if s.Witness != nil {
		nodes = append(nodes[:len(nodes):len(nodes)], s.Witness)
	}
	for _, n := range nodes {
		if err := n.Redis.Start(ctx); err != nil {
			return err
		}
		if err := n.Redis.WaitAnswering(ctx); err != nil {
			return err
		}
	}
	master := s.Nodes[0]
	if err := errors.Join(master.AddAddress(s.VIP), master.Redis.SlaveOf(ctx, "NO", "ONE").Err()); err != nil {
		return err
	}
	for _, n := range s.Nodes[1:] {
		if err := n.Redis.SlaveOf(ctx, master.IP().String(), "6379").Err(); err != nil {
			return err
		}
		if err := n.Redis.WaitFollowing(ctx, master.Endpoint()); err != nil {
			return err
		}
	}
	if err := b.settled(ctx, s); err != nil {
		return err
	}
	return run(s)
}

// settled waits until the check of every node is fit and silent.
func (b *Bench) settled(ctx context.Context, s *site.Site) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for _, n := range s.Nodes {
		if err := netlab.Until(ctx, func(ctx context.Context) error {
			_, err := n.Output(ctx, b.path("redis-check"))
			return err
		}); err != nil {
			return err
		}
	}
	return nil
}
