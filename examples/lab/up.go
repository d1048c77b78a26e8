package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"redis-vip/examples/lab/site"
)

// up brings an architecture up and keeps it until it is interrupted.
type up struct {
	Build    func(context.Context, site.Options) (*site.Site, error)
	Programs string
	Journal  bool
}

func upCommand() *cli.Command {
	return &cli.Command{
		Name:  "up",
		Usage: "bring up an architecture, until Ctrl-C",
		Subcommands: []*cli.Command{
			upArchitecture("pair", "two nodes under keepalived", site.Pair),
			upArchitecture("trio", "three nodes under Sentinel", site.Trio),
		},
	}
}

func upArchitecture(name, usage string, build func(context.Context, site.Options) (*site.Site, error)) *cli.Command {
	return &cli.Command{
		Name:  name,
		Usage: usage,
		Flags: []cli.Flag{
			programsFlag,
			&cli.BoolFlag{Name: "journal", Usage: "show what all hosts log, as it happens"},
		},
		Action: func(c *cli.Context) error {
			programs, err := programsFolder(c)
			if err != nil {
				return err
			}
			return up{Build: build, Programs: programs, Journal: c.Bool("journal")}.Run(c.Context)
		},
	}
}

// Run runs until ctx ends.
func (u up) Run(ctx context.Context) (err error) {
	if err := needRoot("a lab"); err != nil {
		return err
	}
	s, err := u.Build(ctx, site.Options{Programs: u.Programs})
	if err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, s.Close())
		fmt.Println("\nAll hosts are gone.")
	}()
	if u.Journal {
		go func() {
			for e := range s.Journal.Follow(ctx) {
				fmt.Println(e)
			}
		}()
	}
	if err := s.Start(ctx); err != nil {
		return err
	}
	u.describe(s)
	if err := u.waitReady(ctx, s); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

func (u up) describe(s *site.Site) {
	fmt.Printf("\nRedis, through the VIP: %s\n\n", s.Endpoint())
	for _, h := range s.Hosts() {
		var addresses []string
		for _, a := range h.Addresses {
			addresses = append(addresses, a.String())
		}
		fmt.Printf("  %-8s %-18s a shell there: nsenter -t %d -a\n", h.Name, strings.Join(addresses, " "), h.PID())
	}
	fmt.Println("\nCtrl-C ends it all.")
}

// waitReady says when the site is whole, and what is missing while it is not.
func (u up) waitReady(ctx context.Context, s *site.Site) error {
	const (
		patience = 60 * time.Second
		report   = 5 * time.Second
	)
	started := time.Now()
	for time.Since(started) < patience {
		limited, cancel := context.WithTimeout(ctx, report)
		err := s.WaitReady(limited)
		cancel()
		if err == nil {
			master, err := s.Holder()
			if err != nil {
				return err
			}
			fmt.Printf("Ready after %v: %s is the master and has the VIP.\n",
				time.Since(started).Round(100*time.Millisecond), master.Name)
			return nil
		}
		if ctx.Err() != nil {
			return nil // interrupted: no fault
		}
		fmt.Println("Not whole yet:", s.Ready(ctx))
	}
	fmt.Println("It stays up as it is, for you to look.")
	return nil
}
