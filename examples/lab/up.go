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
	command := &cli.Command{Name: "up", Usage: "bring up an example, until Ctrl-C"}
	for _, a := range acts {
		if a.name != "migration" { // which is on its way from one to the other
			command.Subcommands = append(command.Subcommands, upExample(a))
		}
	}
	return command
}

func upExample(a act) *cli.Command {
	command := &cli.Command{
		Name:  a.name,
		Usage: a.title,
		Flags: []cli.Flag{
			programsFlag,
			&cli.BoolFlag{Name: "journal", Usage: "show what all hosts log, as it happens"},
		},
		Action: func(c *cli.Context) error {
			programs, err := programsFolder(c)
			if err != nil {
				return err
			}
			return up{Build: a.build, Programs: programs, Journal: c.Bool("journal")}.Run(c.Context)
		},
	}
	if a.short != "" {
		command.Aliases = []string{a.short}
	}
	return command
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
			master, err := s.Master(ctx)
			if err != nil {
				return err
			}
			holder, err := s.Holder()
			if err != nil {
				return err
			}
			fmt.Printf("Ready after %v: the master is %s, and the VIP is on %s.\n",
				time.Since(started).Round(100*time.Millisecond), master.Name, holder.Name)
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
