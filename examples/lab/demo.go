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

	"redis-vip/examples/lab/ledger"
	"redis-vip/examples/lab/netlab"
	"redis-vip/examples/lab/site"
)

// demo shows a failover of each architecture, as it happens.
type demo struct {
	Programs string // folder of the built programs
	Out      io.Writer
}

func demoCommand() *cli.Command {
	return &cli.Command{
		Name:      "demo",
		Usage:     "show a real failover, with keepalived and then with Sentinel",
		ArgsUsage: "[pair|trio]",
		Flags:     []cli.Flag{programsFlag},
		Action: func(c *cli.Context) error {
			programs, err := programsFolder(c)
			if err != nil {
				return err
			}
			return demo{Programs: programs, Out: os.Stdout}.Run(c.Context, c.Args().First())
		},
	}
}

// act is one architecture's part of the demo.
type act struct {
	name  string
	title string
	intro string
	build func(context.Context, site.Options) (*site.Site, error)
}

var acts = []act{
	{
		"pair", "Two hosts, keepalived",
		`
        client ──────────┬──────────────────┬───
                         │                  │
            VIP 192.168.0.4 ─ moves ─▶      │
                    ┌────┴─────┐       ┌────┴─────┐
                    │  redis1  │       │  redis2  │
                    │  master  │──────▶│ replica  │
                    └──────────┘       └──────────┘
  keepalived runs redis-check on both, and keeps the VIP, the address that clients
  use, on one of them. Where it goes, notify-master makes Redis the master.`,
		site.Pair,
	},
	{
		"trio", "Three hosts, Redis Sentinel",
		`
        client ────┬───────────────┬───────────────┬───
                   │               │               │
      VIP 192.168.0.4 ─ moves ─▶   │               │
              ┌────┴─────┐    ┌────┴─────┐    ┌────┴─────┐
              │  redis1  │    │  redis2  │    │  redis3  │
              │  master  │───▶│ replica  │    │ replica  │
              │ Sentinel │    │ Sentinel │    │ Sentinel │
              └──────────┘    └──────────┘    └──────────┘
  The Sentinels agree on which Redis is the master. Then each runs sentinel-reconfig,
  which takes the VIP to that host, and away from all others.`,
		site.Trio,
	},
}

// Run shows one act, or all of them.
func (d demo) Run(ctx context.Context, name string) error {
	if err := needRoot("the demo"); err != nil {
		return err
	}
	shown := false
	for _, a := range acts {
		if name == "" || name == a.name {
			shown = true
			if err := d.show(ctx, a); err != nil {
				return fmt.Errorf("%s: %w", a.name, err)
			}
		}
	}
	if !shown {
		return fmt.Errorf("%q: say pair or trio", name)
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

	d.say("Starting real Redis and %s in namespaces of their own …", map[string]string{"pair": "keepalived", "trio": "Sentinel"}[a.name])
	if err := s.Start(ctx); err != nil {
		return err
	}
	limited, cancel := context.WithTimeout(ctx, ready)
	defer cancel()
	if err := s.WaitReady(limited); err != nil {
		return err
	}
	active, err := s.Holder()
	if err != nil {
		return err
	}
	d.say("%s has the VIP and is the master. Three clients write through the VIP …", active.Name)
	return d.failover(ctx, s, active)
}

// failover kills the active Redis under load and shows what comes of it.
func (d demo) failover(ctx context.Context, s *site.Site, active *site.Node) error {
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

	d.say("\n▶ kill -9 of Redis on %s\n", active.Name)
	start := time.Now()
	if err := active.Redis.Kill(ctx); err != nil {
		return err
	}
	if err := netlab.Until(ctx, func(context.Context) error {
		if now, err := s.Holder(); err != nil {
			return err
		} else if now == active {
			return errors.New("the VIP has not moved")
		}
		return nil
	}); err != nil {
		return err
	}
	if err := book.WaitAcknowledged(ctx, writesOn); err != nil {
		return err
	}
	outage := book.Report().Outage
	lines.add(event{outage.To, "client", "first write acknowledged again"})

	// The dead one comes back, and must not disturb.
	if err := active.Redis.Start(ctx); err != nil {
		return err
	}
	if err := s.WaitReady(ctx); err != nil {
		return err
	}
	book.Stop()
	end := time.Now()
	rest(ctx, afterword)
	lines.print(d.Out, start, end)

	now, err := s.Holder()
	if err != nil {
		return err
	}
	lost, err := book.Missing(ctx, now.Redis)
	if err != nil {
		return err
	}
	report := book.Report()
	d.say("\n  The VIP is on %s. %s follows it.", now.Name, active.Name)
	d.say("  outage %.2f s · acknowledged writes %d · of them lost %d", report.Outage.Duration().Seconds(), report.Acknowledged, len(lost))
	return nil
}

// rest waits, unless the demo is over.
func rest(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
