// Command sim runs redis-vip's own decision code in a world of virtual time, with
// random faults, and says which of its promises did not hold.
//
//	go run ./examples/sim --seed 42 --architecture witness --timeline
//	go run ./examples/sim --runs 20000
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"redis-vip/examples/sim/world"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	app := &cli.App{
		Name:      "sim",
		Usage:     "look for an order of events in which the rules are wrong",
		UsageText: "sim --seed N [--architecture A] [--few] [--timeline] [--shrink]\nsim --runs N [--fresh N] [--few] [--architecture A]",
		Flags: []cli.Flag{
			&cli.Uint64Flag{Name: "seed", Usage: "run the one schedule of this `SEED`"},
			&cli.Uint64Flag{Name: "regression", Usage: "run the `N`th regression"},
			&cli.BoolFlag{Name: "timeline", Usage: "print what happens in it"},
			&cli.BoolFlag{Name: "shrink", Usage: "if it fails, find the least that does"},
			&cli.Uint64Flag{Name: "runs", Usage: "run the schedules of the first `N` seeds"},
			&cli.Uint64Flag{Name: "fresh", Usage: "and of `N` seeds that nobody has seen"},
			&cli.BoolFlag{Name: "brief", Usage: "end at the first failure, and do not look into it"},
			&cli.StringSliceFlag{Name: "only", Usage: "only faults of the `KIND`s, as world.Fault names them"},
			&cli.BoolFlag{Name: "few", Usage: "only faults of one to three kinds, which ones the seed says"},
			&cli.StringFlag{Name: "architecture", Usage: "only `A`: pair, witness or sentinel"},
		},
		Action: func(c *cli.Context) error {
			all, err := architectures(c.String("architecture"))
			if err != nil {
				return err
			}
			only, err := faults(c.StringSlice("only"))
			if err != nil {
				return err
			}
			if c.IsSet("regression") {
				return one(regressions[c.Uint64("regression")-1].Schedule, c.Bool("timeline"), c.Bool("shrink"))
			}
			if c.IsSet("seed") {
				return one(draw(all[0], c.Uint64("seed"), c.Bool("few"), only), c.Bool("timeline"), c.Bool("shrink"))
			}
			if c.Bool("brief") {
				err := known()
				if err == nil {
					err = hunt{Architectures: all, Only: only, Few: c.Bool("few"), First: 1, Runs: c.Uint64("runs"), Name: "fixed", Brief: true}.Run(c.Context)
				}
				return err
			}
			return errors.Join(
				known(),
				hunt{Architectures: all, Only: only, Few: c.Bool("few"), First: 1, Runs: c.Uint64("runs"), Name: "fixed"}.Run(c.Context),
				hunt{Architectures: all, Only: only, Few: c.Bool("few"), First: uint64(time.Now().UnixNano()), Runs: c.Uint64("fresh"), Name: "fresh"}.Run(c.Context),
			)
		},
	}
	if err := app.RunContext(ctx, os.Args); err != nil {
		fmt.Fprintln(os.Stderr, "sim:", err)
		os.Exit(1)
	}
}

// architectures is the one of that name, or all.
func architectures(name string) ([]world.Architecture, error) {
	all := world.Architectures()
	if name == "" {
		return all, nil
	}
	var a world.Architecture
	if err := a.UnmarshalText([]byte(name)); err != nil {
		return nil, fmt.Errorf("--architecture: %w", err)
	}
	return slices.DeleteFunc(all, func(b world.Architecture) bool { return a != b }), nil
}

// faults are the kinds of faults of these names.
func faults(names []string) (kinds []world.Kind, err error) {
	kinds = make([]world.Kind, len(names))
	for i, name := range names {
		if err := kinds[i].UnmarshalText([]byte(name)); err != nil {
			return nil, fmt.Errorf("--only: %w", err)
		}
	}
	return kinds, nil
}

// one runs one schedule.
func one(s world.Schedule, timeline, shrink bool) error {
	var r world.Runner
	defer r.Close()
	if shrink {
		s = world.Shrink(s)
	}
	if timeline {
		r.Timeline = func(line string) { fmt.Println(line) }
	}
	fmt.Print(s)
	result := r.Run(s)
	fmt.Println(result)
	return result.Err()
}
