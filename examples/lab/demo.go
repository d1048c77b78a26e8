package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"redis-vip/examples/lab/fault"
	"redis-vip/examples/lab/ledger"
	"redis-vip/examples/lab/netlab"
	"redis-vip/examples/lab/site"
)

// demo shows examples, as it happens.
type demo struct {
	Programs string // folder of the built programs
	Out      io.Writer
}

// demoCommand shows one example or two; each has a command of its own name as well.
func demoCommand() *cli.Command {
	return &cli.Command{
		Name:      "demo",
		Usage:     "show a real failover, with keepalived and then with Sentinel",
		ArgsUsage: "[EXAMPLE]",
		Flags:     []cli.Flag{programsFlag},
		Action: func(c *cli.Context) error {
			names := []string{"active-standby", "sentinel-vip"}
			if name := c.Args().First(); name != "" {
				names = []string{name}
			}
			for _, name := range names {
				a, found := find(name)
				if !found {
					return fmt.Errorf("%q is no example: say one of %s", name, strings.Join(exampleNames(), ", "))
				}
				if err := a.run(c); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

// exampleCommands are the examples by name.
func exampleCommands() (list []*cli.Command) {
	for _, a := range acts {
		list = append(list, &cli.Command{
			Name: a.name, Category: "EXAMPLES", Usage: a.title, Flags: []cli.Flag{programsFlag}, Action: a.run,
		})
	}
	return list
}

func exampleNames() (names []string) {
	for _, a := range acts {
		names = append(names, a.name)
	}
	return names
}

func (a act) run(c *cli.Context) error {
	if err := needRoot(a.name); err != nil {
		return err
	}
	programs, err := programsFolder(c)
	if err != nil {
		return err
	}
	if err := (demo{Programs: programs, Out: os.Stdout}).show(c.Context, a); err != nil {
		return fmt.Errorf("%s: %w", a.name, err)
	}
	return nil
}

func (d demo) say(format string, args ...any) { fmt.Fprintf(d.Out, format+"\n", args...) }

const (
	ready     = 60 * time.Second // for an architecture to come up
	patience  = 60 * time.Second // for a failover to end, and the dead one to be back
	writesTo  = 3000             // acknowledged before the fault
	writesOn  = 3000             // and after it
	afterword = 2 * time.Second  // for the last log lines
)

func (d demo) show(ctx context.Context, a act) (err error) {
	d.say("\n━━━ %s %s", a.title, strings.Repeat("━", 70-len(a.title)))
	d.say("%s\n", a.intro)
	s, err := a.build(ctx, site.Options{Programs: d.Programs})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	return a.play(d, ctx, s)
}

// whole starts a site and waits until it is whole.
func (d demo) whole(ctx context.Context, s *site.Site) (master *site.Node, err error) {
	d.say("Starting the real servers in namespaces of their own …")
	if err := s.Start(ctx); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, ready)
	defer cancel()
	if err := s.WaitReady(ctx); err != nil {
		return nil, err
	}
	if master, err = s.Master(ctx); err != nil {
		return nil, err
	}
	holder, err := s.Holder()
	if err != nil {
		return nil, err
	}
	if holder == master {
		d.say("%s has the VIP and is the master. Three clients write through the VIP …", master.Name)
	} else {
		d.say("%s has the VIP, and %s is the master. Three clients write through the VIP …", holder.Name, master.Name)
	}
	return master, nil
}

// scene writes under load while something happens, and shows what comes of it. what is
// done, and until, end when it is over; back is what comes after the service is back.
func (d demo) scene(ctx context.Context, s *site.Site, title string, what, until, back func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	book := s.Ledger(ledger.Config{})
	defer book.Stop()
	if err := book.WaitAcknowledged(ctx, writesTo); err != nil {
		return err
	}
	lines, err := watch(ctx, s)
	if err != nil {
		return err
	}
	defer lines.stop()

	d.say("\n▶ %s\n", title)
	start := time.Now()
	if err := what(ctx); err != nil {
		return err
	}
	if err := netlab.Until(ctx, until); err != nil {
		return err
	}
	if err := book.WaitAcknowledged(ctx, writesOn); err != nil {
		return err
	}
	if outage := book.Report().Outage; outage.From.After(start.Add(-time.Second)) && outage.Duration() > 100*time.Millisecond {
		lines.add(event{outage.To, "client", "first write acknowledged again"})
	}
	if err := back(ctx); err != nil {
		return err
	}
	if err := s.WaitReady(ctx); err != nil {
		return err
	}
	book.Stop()
	end := time.Now()
	rest(ctx, afterword)
	lines.print(d.Out, start, end)
	return d.account(ctx, s, book)
}

// account says what it cost.
func (d demo) account(ctx context.Context, s *site.Site, book *ledger.Ledger) error {
	now, err := s.Master(ctx)
	if err != nil {
		return err
	}
	holder, err := s.Holder()
	if err != nil {
		return err
	}
	lost, err := book.Missing(ctx, now.Redis)
	if err != nil {
		return err
	}
	kept, err := fault.Preserved(ctx, s)
	if err != nil {
		return err
	}
	saved := 0
	for _, key := range lost {
		if kept[key] {
			saved++
		}
	}
	report := book.Report()
	d.say("\n  The VIP is on %s. The master is %s, and the others follow it.", holder.Name, now.Name)
	d.say("  outage %.2f s · acknowledged writes %d · of them lost %d%s", report.Outage.Duration().Seconds(), report.Acknowledged, len(lost)-saved,
		map[bool]string{true: fmt.Sprintf(" · preserved %d", saved)}[saved > 0])
	return nil
}

// rest waits, unless the demo is over.
func rest(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
