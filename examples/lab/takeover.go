package main

import (
	"fmt"
	"os"

	"github.com/urfave/cli/v2"

	"redis-vip/examples/lab/takeover"
)

func takeoverCommand() *cli.Command {
	return &cli.Command{
		Name:  "takeover",
		Usage: "measure how long writes pause when fast-failover fails over, and where the time goes",
		Flags: []cli.Flag{
			programsFlag,
			&cli.IntFlag{Name: "rounds", Value: 10, Usage: "how often each fault is made"},
			&cli.StringFlag{Name: "save", Usage: "write the data and the picture into this `FOLDER`"},
		},
		Action: func(c *cli.Context) error {
			if err := needRoot("a takeover"); err != nil {
				return err
			}
			programs, err := programsFolder(c)
			if err != nil {
				return err
			}
			fmt.Println("fast-failover, under load: some minutes …")
			report, err := takeover.Bench{Programs: programs, Rounds: max(c.Int("rounds"), 1)}.Run(c.Context)
			report.Print(os.Stdout)
			if folder := c.String("save"); err == nil && folder != "" {
				err = report.Save(folder)
			}
			return err
		},
	}
}
