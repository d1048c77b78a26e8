// Command lab runs the architectures of the examples on one machine: several
// hosts in namespaces, with real redis-server, redis-sentinel and keepalived.
//
//	go run ./examples/lab active-standby
package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/urfave/cli/v2"

	"redis-vip/examples/lab/bench"
	"redis-vip/examples/lab/netlab"
	"redis-vip/examples/lab/site"
)

func main() {
	netlab.Init()
	bench.Init()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	app := &cli.App{
		Name:     "lab",
		Usage:    "run the examples on one machine, with real Redis and keepalived",
		Commands: append(exampleCommands(), tutorialCommand(), demoCommand(), benchCommand(), takeoverCommand(), faultCommand(), matrixCommand(), agreeCommand(), campaignCommand(), upCommand(), installCommand()),
	}
	if err := app.RunContext(ctx, os.Args); err != nil {
		fmt.Fprintln(os.Stderr, "lab:", err)
		os.Exit(1)
	}
}

var programsFlag = &cli.StringFlag{Name: "programs", Usage: "the `FOLDER` with the built programs (default: bin of the source tree)"}

// programsFolder is where make has put the programs. Without any, as after a plain
// `go run`, it builds them.
func programsFolder(c *cli.Context) (string, error) {
	if folder := c.String("programs"); folder != "" {
		return folder, nil
	}
	root, err := site.ModuleRoot()
	if err != nil {
		return "", err
	}
	folder := filepath.Join(root, "bin")
	if _, err := os.Stat(filepath.Join(folder, "redis-vip")); !errors.Is(err, fs.ErrNotExist) {
		return folder, err
	}
	fmt.Println("Building the programs …")
	build := exec.CommandContext(c.Context, "go", "build", "-trimpath", "-tags", "urfave_cli_no_docs", "-o", folder+"/", "./cmd/...")
	build.Dir, build.Stdout, build.Stderr = root, os.Stdout, os.Stderr
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if err := build.Run(); err != nil {
		return "", fmt.Errorf("build the programs: %w", err)
	}
	return folder, nil
}

// needRoot tells what to do about not being root.
func needRoot(purpose string) error {
	if os.Geteuid() == 0 {
		return nil
	}
	return fmt.Errorf("%s needs root: run this again with sudo", purpose)
}
