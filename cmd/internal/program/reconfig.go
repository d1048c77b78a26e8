package program

import (
	"context"
	"net/netip"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"redis-vip/cmd/internal/config"
	"redis-vip/cmd/internal/journal"
	"redis-vip/hooks"
	"redis-vip/hooks/vip"

	"github.com/rs/zerolog"
	"github.com/urfave/cli/v2"
)

func reconfigApp() *cli.App {
	return &cli.App{
		Usage: "put the VIP where the Sentinels say the master is",
		UsageText: "sentinel-reconfig MASTER ROLE STATE FROM-IP FROM-PORT TO-IP TO-PORT\n\n" +
			"Made to be Sentinel's client-reconfig-script. Of the arguments only the name of the\n" +
			"master counts: the rest may be stale, and the Sentinels are asked again.\n" +
			"Exit 0: done, or nothing to do; 2: cannot be run like this; 3: failed, final. Never 1,\n" +
			"which Sentinel would take for \"try this again for hours\".",
		Flags: common(&cli.BoolFlag{Name: "announce", Hidden: true}),
		Action: func(c *cli.Context) error {
			log := journal.Open(string(SentinelReconfig), journal.Options{})
			arguments := c.Args().Slice()
			if c.Bool("announce") && len(arguments) == 1 {
				return announce(c.Context, log, overrides(c), arguments[0])
			}
			if err := sensible(arguments); err != nil {
				return refused(log.With().Strs("arguments", arguments).Logger(), err)
			}
			event := strings.Join(append([]string{string(SentinelReconfig)}, arguments...), " ")
			return reconcile(c, log, arguments[0], event)
		},
	}
}

// sensible refuses what Sentinel cannot have meant. A script of the usual kind
// takes any of these for "the master is elsewhere", and drops the VIP.
func sensible(arguments []string) error {
	if len(arguments) != 7 {
		return usage("%d arguments: Sentinel gives seven, MASTER ROLE STATE FROM-IP FROM-PORT TO-IP TO-PORT; nothing was changed", len(arguments))
	}
	if arguments[0] == "" {
		return usage("the name of the master is empty; nothing was changed")
	}
	for _, at := range []struct {
		name string
		ip   int
	}{{"FROM", 3}, {"TO", 5}} {
		if ip := arguments[at.ip]; ip == "" {
			return usage("%s-IP is empty: Sentinel could not resolve a name; nothing was changed", at.name)
		} else if _, err := netip.ParseAddr(ip); err != nil {
			return usage("%s-IP %q is no address: set `sentinel announce-hostnames no`; nothing was changed", at.name, ip)
		}
		if port := arguments[at.ip+1]; !isPort(port) {
			return usage("%s-PORT %q is no port; nothing was changed", at.name, port)
		}
	}
	return nil
}

func isPort(s string) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return err == nil && n > 0
}

// reconcile runs [hooks.Reconcile] for one group of root's configuration. The last
// good copy of it never serves here: only root's file says which addresses may be
// touched.
func reconcile(c *cli.Context, log zerolog.Logger, group, event string) error {
	o := overrides(c)
	o.Group = group
	seat, err := sit(o, false)
	if err == nil {
		if err = seat.NeedVIPs(); err != nil {
			err = usageError{err}
		}
	}
	if err != nil {
		return refused(log.With().Str("group", group).Logger(), err)
	}
	var addresses []hooks.Address
	for _, v := range seat.vips() {
		addresses = append(addresses, v)
	}
	return Reconfig{
		Reconcile: hooks.Reconcile{
			Event:     event,
			Group:     seat.Name,
			Local:     seat.local(),
			Sentinels: seat.sentinels(),
			VIPs:      addresses,
			Lock:      seat.lock(),
			Retry:     retry,
		},
		Repeat:  func() error { return detach(c, SentinelReconfig, "--announce", group) },
		Log:     log.With().Str("group", seat.Name).Logger(),
		Timeout: seat.HookTimeout,
	}.Run(c.Context)
}

// Reconfig is one run of sentinel-reconfig.
type Reconfig struct {
	Reconcile hooks.Reconcile
	Repeat    func() error // starts the later announcements, and does not wait for them
	Log       zerolog.Logger
	Timeout   time.Duration // of the whole run; Sentinel kills after 60 s
}

// Run is nil if the VIPs are where they belong. It ends itself on SIGTERM: death by
// signal is one more thing that Sentinel answers with a retry.
func (c Reconfig) Run(ctx context.Context) error {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()

	record := c.Reconcile.Run(ctx)
	if record.Added {
		if err := c.Repeat(); err != nil {
			c.Log.Warn().Err(err).Msg("the VIP is announced only once")
		}
	}
	return write(c.Log, record)
}

// announce repeats the announcements of a group's VIPs for as long as a neighbour
// may have missed the first, and ends early where the VIP goes away.
func announce(ctx context.Context, log zerolog.Logger, o config.Overrides, group string) error {
	o.Group = group
	seat, err := sit(o, false)
	if err != nil {
		return refused(log, err)
	}
	failures := make(chan error)
	for _, v := range seat.vips() {
		go func() { failures <- v.Repeat(ctx, vip.RepeatTimes, vip.RepeatEvery) }()
	}
	for range seat.VIPs {
		if err := <-failures; err != nil {
			log.Debug().Err(err).Msg("announcements ended early")
		}
	}
	return nil
}
