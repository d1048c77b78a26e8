package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/urfave/cli/v2"

	"redis-vip/checks/node/nodetest"
	"redis-vip/examples/lab/fault"
	"redis-vip/examples/lab/netlab"
)

// core are the faults that each version has to live through: what our programs and the
// servers say to each other occurs in one of them at least.
var core = []string{
	"start", "redis-killed", "redis-killed-back-1s-aof", "redis-hang", "host-gone", "split", "split-small-backlog", "ring", "switchover", "witness-split",
	"sentinel-start", "sentinel-redis-killed", "sentinel-failover", "sentinel-switchover",
}

// matrix makes the same faults with several versions of the servers, and prints a table.
type matrix struct {
	Versions []nodetest.Servers
	Options  fault.Options
	Parallel int // how many faults at once
	Out      io.Writer
}

func matrixCommand() *cli.Command {
	return &cli.Command{
		Name:  "matrix",
		Usage: "make the core faults with other versions of the servers, and print a table",
		Flags: []cli.Flag{
			programsFlag,
			&cli.StringSliceFlag{Name: "servers", Usage: "a `FOLDER` with redis-server and redis-cli, or Valkey's, and perhaps their redis.conf; may be repeated"},
			&cli.StringSliceFlag{Name: "keepalived", Usage: "the `PROGRAM`; may be repeated, and each runs with each folder"},
			&cli.StringSliceFlag{Name: "fault", Value: cli.NewStringSlice(core...), Usage: "the `NAME` of a fault; may be repeated"},
			&cli.IntFlag{Name: "parallel", Value: 4, Usage: "how many faults to make at once, each in a lab of its own"},
		},
		Action: func(c *cli.Context) error {
			m := matrix{Versions: versions(c), Parallel: max(c.Int("parallel"), 1), Out: os.Stdout, Options: fault.Options{Hooks: fault.Ours}}
			if c.NArg() > 0 {
				return fmt.Errorf("%q: matrix takes flags alone, such as --servers FOLDER", c.Args().First())
			}
			var err error
			if m.Options.Programs, err = programsFolder(c); err != nil {
				return err
			}
			return m.Run(c.Context, c.StringSlice("fault"))
		},
	}
}

// versions are each folder with each keepalived. What is not named is what the
// environment names, or the machine's own.
func versions(c *cli.Context) (list []nodetest.Servers) {
	given := nodetest.Given()
	folders, keepaliveds := c.StringSlice("servers"), c.StringSlice("keepalived")
	if folders == nil {
		folders = []string{given.Folder}
	}
	if keepaliveds == nil {
		keepaliveds = []string{given.Keepalived}
	}
	for _, folder := range folders {
		for _, keepalived := range keepaliveds {
			list = append(list, nodetest.Servers{Folder: folder, Keepalived: keepalived})
		}
	}
	return list
}

// Run makes the faults of these names with each version. That one is not lived through as
// promised is an error.
func (m matrix) Run(ctx context.Context, names []string) (failed error) {
	if err := needRoot("a fault"); err != nil {
		return err
	}
	var scenarios []fault.Scenario
	for _, name := range names {
		found := fault.Find(name)
		if len(found) != 1 || found[0].Name != name {
			return fmt.Errorf("--fault %q: no such fault: see fault --list", name)
		}
		scenarios = append(scenarios, found[0])
	}
	for _, v := range m.Versions { // a wrong path is told before the first of them takes its minutes
		for _, program := range []string{"redis-server", "redis-sentinel", "keepalived"} {
			if _, err := v.Version(ctx, program); err != nil {
				return err
			}
		}
		if _, err := v.Path("redis-cli"); err != nil {
			return err
		}
	}
	var table, reasons strings.Builder
	fmt.Fprintf(&table, "| server | keepalived | %s |\n|---|---|%s\n", strings.Join(names, " | "), strings.Repeat("---|", len(names)))
	for _, v := range m.Versions {
		keepalived, err := v.Version(ctx, "keepalived")
		if err != nil {
			return err
		}
		fmt.Fprintf(m.Out, "%s, keepalived %s\n%s\n", cmp.Or(v.Folder, "PATH"), keepalived, fault.Head)
		r := m.row(ctx, v, scenarios)
		fmt.Fprintf(&table, "| %s | %s | %s |\n", r.server, keepalived, strings.Join(r.cells, " | "))
		for i, err := range r.wrong {
			if err != nil {
				fmt.Fprintf(&reasons, "\n- %s, %s, %s: %s", r.server, keepalived, names[i], strings.ReplaceAll(err.Error(), "\n", "; "))
				failed = errNotAll
			}
		}
	}
	fmt.Fprintf(m.Out, "\n%s\n\n%s", time.Now().Format(time.DateOnly), table.String())
	if failed != nil {
		fmt.Fprintln(m.Out, reasons.String())
	}
	return failed
}

var errNotAll = errors.New("not everything was lived through as promised")

// row is what came of all faults with one version.
type row struct {
	server string   // as it calls itself
	cells  []string // one for each fault
	wrong  []error  // likewise
}

// row makes the faults with one version.
func (m matrix) row(ctx context.Context, v nodetest.Servers, scenarios []fault.Scenario) row {
	var running sync.WaitGroup
	var filling sync.Mutex
	r := row{server: cmp.Or(v.Folder, "PATH"), cells: make([]string, len(scenarios)), wrong: make([]error, len(scenarios))}
	turn := make(chan struct{}, m.Parallel)
	for i, s := range scenarios {
		turn <- struct{}{}
		running.Go(func() {
			defer func() { <-turn }()
			o := m.Options
			o.Servers = v
			var journal []netlab.Entry
			o.Look = func(j *netlab.Record[netlab.Entry]) { journal = j.All() }
			result, err := fault.Run(ctx, s, o)
			filling.Lock()
			defer filling.Unlock()
			if err == nil {
				fmt.Fprintln(m.Out, result)
				r.server, err = result.Server, result.Broken()
			}
			if err != nil && ctx.Err() == nil {
				fault.PrintJournal(m.Out, journal)
				fmt.Fprintf(m.Out, "    %s: %v\n", s.Name, err)
			}
			r.cells[i], r.wrong[i] = cell(result, err), err
		})
	}
	running.Wait()
	return r
}

// cell says in a few words what a fault cost: the time without service, in brackets how
// many writes are preserved, and how many are lost.
func cell(r fault.Result, wrong error) string {
	if wrong != nil {
		return "**failed**"
	}
	text := fmt.Sprintf("%.1f s", r.Price().Seconds())
	if r.Preserved > 0 {
		text += fmt.Sprintf(" (%d)", r.Preserved)
	}
	if n := r.Nowhere(); n > 0 {
		text += fmt.Sprintf(", **%d lost**", n)
	}
	return text
}
