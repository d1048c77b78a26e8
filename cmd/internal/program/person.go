package program

import (
	"fmt"

	"redis-vip/cmd/internal/journal"

	"github.com/urfave/cli/v2"
)

func personApp() *cli.App {
	return &cli.App{
		Usage: "look at, and look after, a Redis behind a virtual address",
		Commands: []*cli.Command{
			explainCommand(),
			switchoverCommand(),
			maintenanceCommand(),
			preservedCommand(),
			contestedCommand(),
			{
				Name:      "reconcile",
				Usage:     "put the VIP where the Sentinels say the master is, now",
				ArgsUsage: "GROUP",
				Flags:     common(),
				Action: func(c *cli.Context) error {
					log := journal.Open(string(SentinelReconfig), journal.Options{})
					if c.NArg() != 1 {
						return usage("reconcile: name one group")
					}
					return reconcile(c, log, c.Args().First(), "redis-vip reconcile")
				},
			},
		},
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return usage("%q is no command of redis-vip: see redis-vip --help", c.Args().First())
			}
			return cli.ShowAppHelp(c)
		},
		CustomAppHelpTemplate: cli.AppHelpTemplate +
			fmt.Sprintf("\nCALLED BY OTHER NAMES\n   As a link, or as the first argument, it is also %s.\n", list(names[:4])),
	}
}
