package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/urfave/cli/v2"

	"redis-vip/examples/lab/fault"
	"redis-vip/examples/lab/netlab"
)

// faults makes faults, and prints what each cost.
type faults struct {
	Scenarios []fault.Scenario
	Options   fault.Options
	Parallel  int  // how many at once
	Journal   bool // print all that was logged, too
	Out       io.Writer
}

func faultCommand() *cli.Command {
	return &cli.Command{
		Name:      "fault",
		Usage:     "make a fault under load, and see what it costs",
		ArgsUsage: "NAME|all",
		Flags: []cli.Flag{
			programsFlag,
			&cli.BoolFlag{Name: "list", Usage: "show the names"},
			&cli.StringFlag{Name: "hooks", Value: string(fault.Ours), Usage: "`WHOSE` programs keepalived or Sentinel calls: ours, or plain shell hooks (shell)"},
			&cli.IntFlag{Name: "parallel", Value: 4, Usage: "how many faults to make at once, each in a lab of its own"},
			&cli.BoolFlag{Name: "second", Usage: "of a pair, have the node with the lower priority be the active one"},
			&cli.BoolFlag{Name: "fast", Usage: "of a pair, take examples/fast-failover"},
			&cli.DurationFlag{Name: "age", Usage: "let it run for that long before the fault"},
			&cli.BoolFlag{Name: "journal", Usage: "print what all hosts logged, too"},
		},
		Action: func(c *cli.Context) error {
			if c.Bool("list") {
				for _, s := range fault.All() {
					fmt.Printf("%-30s %s\n", s.Name, s.Title)
				}
				return nil
			}
			if rest := c.Args().Tail(); len(rest) > 0 && strings.HasPrefix(rest[0], "-") {
				return c.App.RunContext(c.Context, flagsFirst(c))
			}
			found := fault.Find(c.Args().First())
			if c.NArg() != 1 || len(found) == 0 {
				return fmt.Errorf("%q: name one fault, or all: see fault --list", c.Args().Slice())
			}
			f := faults{
				Scenarios: found, Parallel: max(c.Int("parallel"), 1), Journal: c.Bool("journal"), Out: os.Stdout,
				Options: fault.Options{Hooks: fault.Hooks(c.String("hooks")), Second: c.Bool("second"), Fast: c.Bool("fast"), Age: c.Duration("age")},
			}
			var err error
			switch f.Options.Hooks {
			case fault.Ours:
				if f.Options.Programs, err = programsFolder(c); err != nil {
					return err
				}
			case fault.Shell:
			default:
				return fmt.Errorf("--hooks %q: say ours or shell", f.Options.Hooks)
			}
			return f.Run(c.Context)
		},
	}
}

// flagsFirst is the command line with the flags that stand behind the name before
// it, where cli looks for them.
func flagsFirst(c *cli.Context) []string {
	line := []string{c.App.Name, c.Command.Name}
	for _, name := range c.LocalFlagNames() {
		line = append(line, "--"+name+"="+fmt.Sprint(c.Value(name)))
	}
	return slices.Concat(line, c.Args().Tail(), c.Args().Slice()[:1])
}

// Run makes all faults. That our programs break a promise is an error.
func (f faults) Run(ctx context.Context) error {
	if err := needRoot("a fault"); err != nil {
		return err
	}
	fmt.Fprintln(f.Out, fault.Head)
	var running sync.WaitGroup
	var printing sync.Mutex
	var all error
	turn := make(chan struct{}, f.Parallel)
	for _, s := range f.Scenarios {
		turn <- struct{}{}
		running.Go(func() {
			defer func() { <-turn }()
			var journal []netlab.Entry
			o := f.Options
			o.Look = func(j *netlab.Record[netlab.Entry]) { journal = j.All() }
			r, err := fault.Run(ctx, s, o)
			printing.Lock()
			defer printing.Unlock()
			all = errors.Join(all, f.print(s, r, err, journal))
		})
	}
	running.Wait()
	return all
}

func (f faults) print(s fault.Scenario, r fault.Result, err error, journal []netlab.Entry) error {
	if f.Journal {
		fault.PrintJournal(f.Out, journal)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", s.Name, err)
	}
	fmt.Fprintln(f.Out, r)
	broken := r.Broken()
	if broken != nil {
		fmt.Fprintf(f.Out, "    not as promised: %v\n", broken)
	}
	if broken != nil && f.Options.Hooks == fault.Ours {
		return fmt.Errorf("%s: %w", s.Name, broken)
	}
	return nil
}
