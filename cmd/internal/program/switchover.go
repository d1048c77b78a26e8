package program

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"redis-vip/checks"
	"redis-vip/hooks"

	"github.com/urfave/cli/v2"
)

// handoverDeadline is for keepalived to move the VIP (VRRP takes less than four
// seconds), and for the hooks.
const handoverDeadline = 15 * time.Second

func switchoverCommand() *cli.Command {
	return &cli.Command{
		Name:      "switchover",
		Usage:     "move the VIP and the master to another node, losing nothing; of a pair, run it where the VIP is",
		ArgsUsage: "GROUP",
		Flags:     common(&cli.BoolFlag{Name: "dry-run", Usage: "only check whether it could succeed"}),
		Action: func(c *cli.Context) (err error) {
			seat, err := named(c)
			if err != nil {
				return err
			}
			if !c.Bool("dry-run") {
				defer func(start time.Time) { seat.remark(c, start, err) }(time.Now())
			}
			ctx, stop := signal.NotifyContext(c.Context, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
			defer stop()
			if len(seat.Sentinels) > 0 {
				return switchSentinel(ctx, c, seat)
			}
			return switchPair(ctx, c, seat)
		},
	}
}

// named is the group that the command names, or the only one.
func named(c *cli.Context) (seat, error) {
	if c.NArg() > 1 {
		return seat{}, usage("%s: name one group, after the flags", c.Command.Name)
	}
	o := overrides(c)
	if c.NArg() == 1 {
		o.Group = c.Args().First()
	}
	return sit(o, false)
}

// progress says to the person what is going on, with the seconds since the start.
func progress(c *cli.Context) func(format string, args ...any) {
	start := time.Now()
	return func(format string, args ...any) {
		fmt.Fprintf(c.App.Writer, "%6.2f s  %s\n", time.Since(start).Seconds(), fmt.Sprintf(format, args...))
	}
}

func switchPair(ctx context.Context, c *cli.Context, seat seat) error {
	ctx, cancel := context.WithTimeout(ctx, handoverDeadline)
	defer cancel()
	move := hooks.Switchover{Survey: seat.survey().Full, Where: seat.where, Flag: seat.flag(), Retry: retry, Say: progress(c)}
	if !c.Bool("dry-run") {
		return move.Run(ctx)
	}
	to, err := move.Plan(ctx)
	if err == nil {
		fmt.Fprintf(c.App.Writer, "%s is a replica in sync and would take over\n", to.Addr)
	}
	return err
}

func switchSentinel(ctx context.Context, c *cli.Context, seat seat) error {
	view := seat.survey()
	move := hooks.SentinelSwitchover{
		Survey: view.Full,
		Convene: func(ctx context.Context) []checks.Answer {
			return hooks.Convene(ctx, seat.Name, netip.AddrPort{}, seat.sentinels(), seat.sentinel)
		},
		Failover: seat.failover,
		Server: func(addr netip.AddrPort) hooks.Server {
			return hooks.Redis{Endpoint: seat.endpoint(addr), Address: addr, Timeout: seat.Timeout}
		},
		At:    view.VIP.Look,
		Retry: retry,
		Say:   progress(c),
	}
	if !c.Bool("dry-run") {
		if err := move.Calm(ctx); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, handoverDeadline)
	defer cancel()
	if !c.Bool("dry-run") {
		return move.Run(ctx)
	}
	master, replicas, err := move.Plan(ctx)
	if err == nil {
		fmt.Fprintf(c.App.Writer, "%s is the master, and one of its %d replicas in sync would take over\n", master.Addr, len(replicas))
	}
	return err
}

// flag is the file that keepalived tracks.
func (s seat) flag() hooks.Flag {
	return hooks.Flag{Path: filepath.Join(s.RunDir, s.Name+".maintenance")}
}

func maintenanceCommand() *cli.Command {
	return &cli.Command{
		Name:      "maintenance",
		Usage:     "take this host out of service, or put it back; shows which, without an argument",
		ArgsUsage: "[on|off] [GROUP]",
		Flags:     common(),
		Action: func(c *cli.Context) (err error) {
			if c.NArg() > 2 {
				return usage("maintenance: say on or off, and the group")
			}
			o := overrides(c)
			if group := c.Args().Get(1); group != "" {
				o.Group = group
			}
			seat, err := sit(o, false)
			if err != nil {
				return err
			}
			if c.Args().Present() {
				defer func(start time.Time) { seat.remark(c, start, err) }(time.Now())
			}
			switch word := c.Args().First(); {
			case !slices.Contains([]string{"", "on", "off"}, word):
				return usage("maintenance: %q: say on or off", word)
			case len(seat.Sentinels) > 0:
				return fmt.Errorf("maintenance is for a pair: %s is under Sentinel, and no Sentinel listens to it: redis-vip switchover %[1]s if the master is here, then systemctl stop redis-server; start it again when you are done", seat.Name)
			case word == "":
				raised, err := seat.flag().Raised()
				if err == nil {
					fmt.Fprintln(c.App.Writer, map[bool]string{true: "on", false: "off"}[raised])
				}
				return err
			case word == "off":
				return seat.flag().Set(false)
			default:
				return Maintenance{Seat: seat, Out: c}.Run(c.Context)
			}
		},
	}
}

// Maintenance takes this host out of service. Where it has the VIP, that moves
// first.
type Maintenance struct {
	Seat seat
	Out  *cli.Context
}

// Run is nil when this host stands by, and will until it is put back.
func (m Maintenance) Run(ctx context.Context) error {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, handoverDeadline)
	defer cancel()
	if raised, err := m.Seat.flag().Raised(); raised || err != nil {
		return err
	}
	switch m.Seat.where() {
	case checks.Absent:
		return m.Seat.flag().Set(true)
	case checks.Unasked:
		return errors.New("it cannot be known whether the VIP is here: name it in vips")
	}
	out := m.Out.App.Writer
	move := hooks.Switchover{
		Survey: m.Seat.survey().Full, Where: m.Seat.where, Flag: m.Seat.flag(), Keep: true, Retry: retry,
		Say: func(format string, args ...any) { fmt.Fprintf(out, format+"\n", args...) },
	}
	if err := move.Run(ctx); err != nil {
		return errors.Join(err, errors.New("this host stays in service"))
	}
	return nil
}
