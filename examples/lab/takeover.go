package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/urfave/cli/v2"

	"redis-vip/examples/lab/takeover"
	"redis-vip/examples/lab/netlab"
	"redis-vip/examples/lab/site"
)

// takeovers makes each fault of examples/fast-failover some times, under load.
type takeovers struct {
	Programs string // folder of the built programs
	Rounds   int
	Out      io.Writer
}

func takeoverCommand() *cli.Command {
	return &cli.Command{
		Name:  "takeover",
		Usage: "measure how long writes pause when fast-failover fails over, and where the time goes",
		Flags: []cli.Flag{
			programsFlag,
			&cli.IntFlag{Name: "rounds", Value: 10, Usage: "how often each fault is made"},
		},
		Action: func(c *cli.Context) error {
			if err := needRoot("a failover"); err != nil {
				return err
			}
			programs, err := programsFolder(c)
			if err != nil {
				return err
			}
			return takeovers{Programs: programs, Rounds: max(c.Int("rounds"), 1), Out: os.Stdout}.Run(c.Context)
		},
	}
}

// Run measures, and prints a table.
func (f takeovers) Run(ctx context.Context) (err error) {
	s, err := site.Fast(ctx, site.Options{Programs: f.Programs})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if err := s.Start(ctx); err != nil {
		return err
	}
	var report takeover.Report
	for n := range f.Rounds {
		for _, fault := range takeover.Faults {
			r, err := f.round(ctx, s, fault, n)
			if err != nil {
				for _, e := range s.Journal.All() {
					fmt.Fprintln(os.Stderr, e, e.Fields)
				}
				return fmt.Errorf("%s, round %d: %w", fault.Title, n+1, err)
			}
			fmt.Fprintln(os.Stderr, r)
			report.Rounds = append(report.Rounds, r)
		}
	}
	report.Print(f.Out)
	if os.Getenv("J") != "" {
		for _, e := range s.Journal.All() {
			fmt.Fprintln(os.Stderr, e, e.Fields)
		}
	}
	return nil
}

// round waits until the pair is whole, makes a fault, and brings the host back.
func (f takeovers) round(ctx context.Context, s *site.Site, fault takeover.Fault, n int) (r takeover.Round, err error) {
	ctx, cancel := context.WithTimeout(ctx, 90*time.Second)
	defer cancel()
	if err := takeover.WaitStandby(ctx, s); err != nil {
		return r, err
	}
	rest(ctx, 2*time.Second+time.Duration(n)*100*time.Millisecond) // in another phase of the check each time
	active, err := s.Holder()
	if err != nil {
		return r, err
	}
	if r, err = takeover.Run(ctx, s, fault, fmt.Sprintf("%s%d", fault.Name, n)); err != nil {
		return r, err
	}
	return r, fault.Back(ctx, s, active)
}

var _ = netlab.Until
