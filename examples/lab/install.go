package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"
)

// packages are what a lab needs beyond Go.
var packages = []string{"keepalived", "redis-server", "redis-sentinel", "redis-tools", "haproxy", "curl", "nftables", "iproute2", "iputils-arping", "procps"}

// policy is where Debian's maintainer scripts ask whether they may start a
// service; see /usr/share/doc/init-system-helpers/README.policy-rc.d.gz.
const policy = "/usr/sbin/policy-rc.d"

// deny is our answer. The comment tells a policy that a killed run left
// behind from one of the machine's owner.
const deny = "#!/bin/sh\n# redis-vip lab: temporary, no service is started while packages are installed\nexit 101\n"

func installCommand() *cli.Command {
	return &cli.Command{
		Name:  "install",
		Usage: "install the Debian or Ubuntu packages that a lab needs, without starting any service",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "booted", Usage: "and what booted hosts need"},
			&cli.BoolFlag{Name: "packages", Usage: "and what the tests of the packages need"},
		},
		Action: func(c *cli.Context) error {
			if c.Bool("booted") {
				packages = append(packages, "debootstrap", "systemd-container")
			}
			if c.Bool("packages") {
				packages = append(packages, "lintian", "rpm", "rpmlint", "python3-magic", "cpio", "mandoc", "zsh", "fish", "secilc", "man-db")
			}
			return install(c.Context)
		},
	}
}

// install installs what is missing. The machine's own services stay as they
// are: what is newly installed is neither started nor enabled.
func install(ctx context.Context) error {
	missing, err := missingPackages(ctx)
	if err != nil {
		return err
	}
	if len(missing) == 0 {
		fmt.Println("Nothing to install: everything the lab needs is there.")
		return nil
	}
	if err := needRoot("installing " + strings.Join(missing, ", ")); err != nil {
		return err
	}
	fmt.Printf("Installing %s. No service will be started or enabled.\n", strings.Join(missing, ", "))
	if err := withoutServices(func() error {
		if err := apt(ctx, "update"); err != nil {
			return err
		}
		return apt(ctx, append([]string{"install", "--yes", "--no-install-recommends"}, missing...)...)
	}); err != nil {
		return err
	}
	return disable(ctx, missing)
}

func missingPackages(ctx context.Context) ([]string, error) {
	if _, err := exec.LookPath("apt-get"); err != nil {
		return nil, fmt.Errorf("this machine has no apt-get: install %s yourself, without starting them",
			strings.Join(packages, ", "))
	}
	var missing []string
	for _, name := range packages {
		out, err := exec.CommandContext(ctx, "dpkg-query", "--show", "--showformat=${db:Status-Status}", name).Output()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		// dpkg-query fails for a package that it has never heard of.
		if err != nil || string(out) != "installed" {
			missing = append(missing, name)
		}
	}
	return missing, nil
}

// withoutServices forbids maintainer scripts to start services while f runs. A
// policy of the machine's owner is respected.
func withoutServices(f func() error) (err error) {
	there, readErr := os.ReadFile(policy)
	switch {
	case readErr == nil && string(there) != deny:
		return f()
	case readErr != nil && !errors.Is(readErr, fs.ErrNotExist):
		return readErr
	}
	defer func() {
		if gone := os.Remove(policy); !errors.Is(gone, fs.ErrNotExist) {
			err = errors.Join(err, gone)
		}
	}()
	if err := os.WriteFile(policy, []byte(deny), 0o755); err != nil {
		return err
	}
	return f()
}

// apt runs apt-get. An interrupt lets it end in order, so that no package
// stays half-installed.
func apt(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, "apt-get", args...)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGINT) }
	cmd.WaitDelay = time.Minute
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("apt-get %s: %w", args[0], err)
	}
	return nil
}

// disable keeps newly installed services from starting at the next boot.
func disable(ctx context.Context, installed []string) error {
	if _, err := exec.LookPath("systemctl"); err != nil {
		return nil // nothing that would start them
	}
	for _, unit := range []string{"keepalived", "haproxy", "redis-server", "redis-sentinel"} {
		if !slices.Contains(installed, unit) {
			continue
		}
		if out, err := exec.CommandContext(ctx, "systemctl", "disable", unit).CombinedOutput(); err != nil {
			return fmt.Errorf("%s is installed but could not be disabled: %w: %s", unit, err, out)
		}
	}
	return nil
}
