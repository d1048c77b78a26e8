package program

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"redis-vip/checks"
	"redis-vip/checks/host"
	"redis-vip/checks/survey"
	"redis-vip/cmd/internal/config"
	"redis-vip/cmd/internal/history"
	"redis-vip/cmd/internal/journal"
	"redis-vip/hooks"
	"redis-vip/hooks/preserve"
	"redis-vip/hooks/vip"

	"github.com/rs/zerolog"
	"github.com/urfave/cli/v2"
)

func reconfigApp() *cli.App {
	return &cli.App{
		Usage: "let this host follow what the Sentinels say: its Redis, and the VIP if there is one",
		UsageText: "sentinel-reconfig MASTER ROLE STATE FROM-IP FROM-PORT TO-IP TO-PORT\n" +
			"sentinel-reconfig EVENT MESSAGE\n\n" +
			"Made to be Sentinel's client-reconfig-script, and its notification-script. Of the\n" +
			"arguments only the name of the master counts: the rest may be stale, and the\n" +
			"Sentinels are asked again.\n" +
			"Exit 0: done, or nothing to do; 2: cannot be run like this; 3: failed, final. Never 1,\n" +
			"which Sentinel would take for \"try this again for hours\".",
		Flags: common(&cli.BoolFlag{Name: "announce", Hidden: true}),
		Action: func(c *cli.Context) error {
			log := journal.Open(string(SentinelReconfig), journal.Options{})
			arguments := c.Args().Slice()
			event := strings.Join(append([]string{string(SentinelReconfig)}, arguments...), " ")
			switch {
			case c.Bool("announce") && len(arguments) == 1:
				return announce(c.Context, log, overrides(c), arguments[0])
			case len(arguments) == 2 && strings.HasPrefix(arguments[0], "+"), len(arguments) == 2 && strings.HasPrefix(arguments[0], "-"):
				return called(c, log, event, "") // whatever happened, it may concern any group
			}
			if err := sensible(arguments); err != nil {
				return refused(log.With().Strs("arguments", arguments).Logger(), err)
			}
			return called(c, log, event, arguments[0])
		},
	}
}

// called is what Sentinel's call comes to: the run itself, or where Sentinel's unit
// leaves it no right to that, a ring for one that has it.
func called(c *cli.Context, log zerolog.Logger, event, group string) error {
	o := overrides(c)
	o.Group = group
	groups, _, err := config.LoadAll(o, config.Options{})
	if err != nil {
		return refused(log, usageError{err}) // a group that nobody knows, for one
	}
	if capable(groups) {
		return reconcile(c, log, event, false, group)
	}
	ctx, cancel := context.WithTimeout(c.Context, bellTimeout)
	defer cancel()
	start := time.Now()
	if err := ring(ctx, bellPath); err != nil {
		log.Error().Str("event", event).Err(err).Msg("this host is left as it is")
		return err
	}
	took := float64(time.Since(start)) / float64(time.Millisecond)
	log.Info().Str("event", event).Float64("ms", took).Msgf("%s: rang, and the run has ended (%.1f ms)", event, took)
	return nil
}

// bellTimeout is how long the script waits for the run that it rang for. That one
// goes on by itself; Sentinel's patience ends at 60 s.
const bellTimeout = 20 * time.Second

func reconcileCommand() *cli.Command {
	return &cli.Command{
		Name:      "reconcile",
		Usage:     "let this host follow what the Sentinels say, now: its Redis, and the VIP if there is one",
		ArgsUsage: "GROUP",
		Flags: common(
			&cli.BoolFlag{Name: "all", Usage: "every group that has sentinels"},
			&cli.BoolFlag{Name: "quiet", Usage: "log only what has changed"},
			&cli.BoolFlag{Name: "serve", Usage: "go on, every 2 s and for each ring at the socket that systemd passes; for redis-vip-reconcile.service"},
			textfileFlag(),
		),
		Action: func(c *cli.Context) error {
			log := journal.Open(string(SentinelReconfig), journal.Options{})
			switch {
			case c.Bool("serve") && c.Bool("all") && c.NArg() == 0:
				return serve(c, log)
			case c.Bool("serve"):
				return usage("reconcile: --serve is for all groups: --all --serve")
			case c.Bool("all") && c.NArg() == 0:
				return reconcile(c, log, "redis-vip reconcile --all", c.Bool("quiet"), "")
			case !c.Bool("all") && c.NArg() == 1:
				return reconcile(c, log, "redis-vip reconcile", c.Bool("quiet"), c.Args().First())
			}
			return usage("reconcile: name one group, or say --all")
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

// reconcile reconciles one group, or without a name all that are under Sentinel and this
// host's to look after. The last good copy of the configuration never serves here: only
// root's file says which addresses may be touched.
func reconcile(c *cli.Context, log zerolog.Logger, event string, quiet bool, group string) error {
	o := overrides(c)
	names := []string{group}
	if group == "" {
		groups, _, err := config.LoadAll(o, config.Options{})
		if err != nil {
			return refused(log, usageError{err})
		}
		names = nil
		for _, g := range groups {
			switch {
			case len(g.Sentinels) == 0:
			case len(g.VIPs) > 0 || o.Node != "" || isNode(g):
				names = append(names, g.Name)
			case !quiet:
				log.Info().Str("group", g.Name).Msg("none of its nodes is this host: nothing is to be done here")
			}
		}
	}
	textfile := c.String("textfile")
	if len(names) > 1 && strings.HasSuffix(textfile, ".prom") {
		textfile = filepath.Dir(textfile) // one file for each
	}
	failures := make(chan error)
	for _, name := range names {
		go func() {
			failures <- reconcileOne(c, log.With().Str("group", name).Logger(), event, quiet, textfile, name)
		}()
	}
	var failed error
	for range names {
		failed = errors.Join(failed, <-failures)
	}
	return failed
}

// isNode says whether this host is one of the group's nodes. One that is not has nothing
// to reconcile of a group without a VIP: that may stand in its file for HAProxy's check.
func isNode(g config.Group) bool {
	held, err := host.Holds(addresses(g.Nodes)...)
	return held || err != nil // which the run will say again, aloud
}

func reconcileOne(c *cli.Context, log zerolog.Logger, event string, quiet bool, textfile, group string) error {
	o := overrides(c)
	o.Group = group
	seat, err := sit(o, false)
	if err == nil {
		if err = seat.NeedSentinels(); err != nil {
			err = usageError{err}
		}
	}
	if err != nil {
		return refused(log, err)
	}
	var addresses []hooks.Address
	for _, v := range seat.vips() {
		addresses = append(addresses, v)
	}
	settle := seat.settle(log, event, checks.NoGoal)
	view := seat.survey()
	view.VIP.Look = nil // where the VIP is follows from who the master is, not the other way round
	settle.Survey = view.Full
	save := settle.Save
	settle.Save = func(ctx context.Context, loss hooks.Loss) (preserve.File, error) {
		ctx, cancel := context.WithTimeout(ctx, sentinelSave)
		defer cancel()
		return save(ctx, loss)
	}
	return Reconfig{
		Reconcile: hooks.Reconcile{
			Settle: settle,
			Group:  seat.Name,
			Convene: func(ctx context.Context) []checks.Answer {
				return hooks.Convene(ctx, seat.Name, seat.self, seat.sentinels(), seat.sentinel)
			},
			Failover: func(ctx context.Context) error { return seat.failover(ctx) },
			VIPs:     addresses,
			Reached:  moment{stamp{seat.file(".majority")}},
			FenceIn:  seat.FenceAfter,
			Patience: sentinelPatience,
		},
		Publish: func(r *hooks.Record) { seat.exposeRun(log, textfile, r) },
		Enter:   seat.enter(log),
		Repeat:  func() error { return detach(c, SentinelReconfig, "--announce", group) },
		Last:    seat.file(".course"),
		Quiet:   quiet,
		Log:     log,
		Timeout: seat.HookTimeout,
	}.Run(c.Context)
}

// sentinelPatience is how long Sentinels may disagree: they hear of a failover within
// milliseconds of each other, and a Redis becomes a master in as many.
const sentinelPatience = 1500 * time.Millisecond

// sentinelSave is how long a preservation may take here: clients wait for it, and
// Sentinel makes the deposed master a replica itself after about ten seconds.
const sentinelSave = 8 * time.Second

// Reconfig is one run of sentinel-reconfig.
type Reconfig struct {
	Reconcile hooks.Reconcile
	Publish   func(*hooks.Record) // for node_exporter
	Enter     func(history.Entry) // into the history
	Repeat    func() error        // starts the later announcements, and does not wait for them
	Last      string              // file that holds what the last run came to
	Quiet     bool                // log only what differs from that
	Log       zerolog.Logger
	Timeout   time.Duration // of the whole run; Sentinel kills after 60 s
}

// Run is nil if Redis and the VIPs are as the Sentinels say. It ends itself on SIGTERM: death by
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
	defer c.Publish(record)
	// After a change, the first run that finds nothing to do says once how it is now.
	now := fmt.Sprint(record.Outcome, record.Err, record.Why, record.Warnings, len(record.Actions) > 0)
	before, _ := survey.Read(c.Last)
	if c.Quiet && len(record.Actions) == 0 && string(before) == now {
		if record.Outcome == hooks.Failed {
			return errFailed
		}
		return nil
	}
	survey.Replace(c.Last, []byte(now), false) // lost, it costs a line in the log
	return write(c.Log, c.Enter, record)
}

// announce repeats the announcements of a group's VIPs for as long as a neighbour
// may have missed the first, and ends early where the VIP goes away. Beside that it
// asks whether anybody else has the address: by then, whoever had it before has let
// go of it.
func announce(ctx context.Context, log zerolog.Logger, o config.Overrides, group string) error {
	o.Group = group
	seat, err := sit(o, false)
	if err != nil {
		return refused(log, err)
	}
	log = log.With().Str("group", group).Logger()
	var busy sync.WaitGroup
	for _, v := range seat.vips() {
		busy.Go(func() {
			if err := v.Repeat(ctx, vip.RepeatTimes, vip.RepeatEvery); err != nil {
				log.Debug().Err(err).Msg("announcements ended early")
			}
		})
		busy.Go(func() { probe(ctx, log, v) })
	}
	busy.Wait()
	return nil
}

// probe logs who else has the address.
func probe(ctx context.Context, log zerolog.Logger, v vip.VIP) {
	ctx, cancel := context.WithTimeout(ctx, vip.RepeatTimes*vip.RepeatEvery)
	defer cancel()
	select {
	case <-ctx.Done():
		return
	case <-time.After(vip.RepeatEvery):
	}
	if held, err := v.Held(); err != nil || !held {
		return
	}
	holder, found, err := v.Probe(ctx)
	switch {
	case err != nil:
		log.Warn().Err(err).Stringer("vip", v).Msg("cannot ask whether another host has the VIP")
	case found:
		log.Error().Stringer("vip", v).Stringer("mac", holder).Msg("another host has the VIP too: find it by this MAC, and take the address off it")
	}
}
