package program

import (
	"fmt"

	"github.com/urfave/cli/v2"
)

func personApp() *cli.App {
	return &cli.App{
		Usage: "look at, and look after, a Redis behind a virtual address",
		Commands: []*cli.Command{
			explainCommand(),
			lintCommand(),
			historyCommand(),
			switchoverCommand(),
			maintenanceCommand(),
			preservedCommand(),
			contestedCommand(),
			reconcileCommand(),
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
