// Command lab runs the architectures of the examples on one machine: several
// hosts in namespaces, with real redis-server, redis-sentinel and keepalived.
//
//	go run ./examples/lab up pair
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/urfave/cli/v2"

	"redis-vip/examples/lab/netlab"
	"redis-vip/examples/lab/site"
)

func main() {
	netlab.Init()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	app := &cli.App{
		Name:     "lab",
		Usage:    "run the examples on one machine, with real Redis and keepalived",
		Commands: []*cli.Command{demoCommand(), faultCommand(), upCommand(), installCommand()},
	}
	if err := app.RunContext(ctx, os.Args); err != nil {
		fmt.Fprintln(os.Stderr, "lab:", err)
		os.Exit(1)
	}
}

var programsFlag = &cli.StringFlag{Name: "programs", Usage: "the `FOLDER` with the built programs (default: bin of the source tree)"}

// programsFolder is where make has put the programs.
func programsFolder(c *cli.Context) (string, error) {
	if folder := c.String("programs"); folder != "" {
		return folder, nil
	}
	root, err := site.ModuleRoot()
	return filepath.Join(root, "bin"), err
}

// needRoot tells what to do about not being root.
func needRoot(purpose string) error {
	if os.Geteuid() == 0 {
		return nil
	}
	return fmt.Errorf("%s needs root: run this again with sudo", purpose)
}
