package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/urfave/cli/v2"

	"redis-vip/examples/lab/agree"
	"redis-vip/examples/lab/fault"
)

func agreeCommand() *cli.Command {
	return &cli.Command{
		Name:      "agree",
		Usage:     "play schedules in the simulator and on real hosts, and compare",
		ArgsUsage: "NAME…|all",
		Flags: []cli.Flag{
			programsFlag,
			&cli.BoolFlag{Name: "list", Usage: "show the names"},
			&cli.BoolFlag{Name: "journal", Usage: "print what all hosts logged, too"},
		},
		Action: func(c *cli.Context) error {
			if c.Bool("list") {
				for _, s := range agree.Cases() {
					fmt.Printf("%-25s %s\n", s.Name, s.Title)
				}
				return nil
			}
			cases := agree.Cases()
			if names := c.Args().Slice(); !slices.Equal(names, []string{"all"}) {
				cases = slices.DeleteFunc(cases, func(s agree.Case) bool { return !slices.Contains(names, s.Name) })
				if len(names) == 0 || len(cases) != len(names) {
					return fmt.Errorf("%q: name schedules, or all: see agree --list", names)
				}
			}
			programs, err := programsFolder(c)
			if err != nil {
				return err
			}
			return agreement{Cases: cases, Programs: programs, Journal: c.Bool("journal"), Out: os.Stdout}.Run(c.Context)
		},
	}
}

// agreement plays schedules in both worlds, and prints what each came to.
type agreement struct {
	Cases    []agree.Case
	Programs string
	Journal  bool // print all that was logged, too
	Out      io.Writer
}

// Run plays them side by side. That the two do not agree is an error.
func (a agreement) Run(ctx context.Context) (failed error) {
	if err := needRoot("the lab"); err != nil {
		return err
	}
	fmt.Fprintln(a.Out, agree.Head)
	agree.Run(ctx, a.Cases, a.Programs, func(r agree.Result) {
		if a.Journal {
			fault.PrintJournal(a.Out, r.Journal)
		}
		err := r.Err
		if err == nil {
			fmt.Fprintln(a.Out, r)
			err = r.Differs()
		}
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", r.Case.Name, err))
		}
	})
	return failed
}
