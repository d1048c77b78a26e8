package main

import (
	"os"

	"github.com/urfave/cli/v2"

	"redis-vip/examples/lab/bench"
)

func benchCommand() *cli.Command {
	return &cli.Command{
		Name:  "bench",
		Usage: "measure what the programs cost, beside what people use in their place",
		Flags: []cli.Flag{
			programsFlag,
			&cli.IntFlag{Name: "rounds", Value: 200, Usage: "how often each check runs"},
		},
		Action: func(c *cli.Context) error {
			if err := needRoot("a bench"); err != nil {
				return err
			}
			programs, err := programsFolder(c)
			if err != nil {
				return err
			}
			return bench.Bench{Programs: programs, Rounds: max(c.Int("rounds"), 1), Out: os.Stdout}.Run(c.Context)
		},
	}
}
