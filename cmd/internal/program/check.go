package program

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"redis-vip/checks"
	"redis-vip/checks/survey"
	"redis-vip/cmd/internal/history"
	"redis-vip/cmd/internal/journal"
	"redis-vip/hooks"

	"github.com/rs/zerolog"
	"github.com/urfave/cli/v2"
)

func checkApp() *cli.App {
	return &cli.App{
		Usage: "is this node fit to hold the VIP?",
		UsageText: "redis-check [--heal] [--expect master|replica|any]\n" +
			"redis-check PROXY-ADDRESS PROXY-PORT SERVER-ADDRESS SERVER-PORT\n\n" +
			"Made to be the script of a keepalived vrrp_script, and HAProxy's external-check command.\n" +
			"Exit 0: fit; 1: unfit; 2: cannot be run like this.",
		Flags: common(
			&cli.StringFlag{Name: "expect", Value: "any", EnvVars: []string{"REDIS_VIP_EXPECT"}, Usage: "fit only in this `ROLE`: master, replica or any"},
			&cli.BoolFlag{Name: "heal", EnvVars: []string{"REDIS_VIP_HEAL"}, Usage: "where the role is not what the VIP asks for, start the hook that was missed"},
			textfileFlag(),
			&cli.BoolFlag{Name: "settle", Hidden: true},     // what --heal starts
			&cli.BoolFlag{Name: "guard", Hidden: true},      // see hooks.Guard
			&cli.StringFlag{Name: "remember", Hidden: true}, // see rememberDetached
			&cli.StringFlag{Name: "bulletin", Hidden: true}, // see bulletinDetached
		),
		Action: func(c *cli.Context) error {
			var expect checks.Expectation
			if err := expect.UnmarshalText([]byte(c.String("expect"))); err != nil {
				return usage("--expect or REDIS_VIP_EXPECT: %w", err)
			}
			log := journal.Open(string(RedisCheck), journal.Options{})
			switch c.NArg() {
			case 0:
			case haproxyArguments:
				return checkForHAProxy(c, log, expect)
			default:
				return usage("%q: redis-check takes no arguments, or the four that HAProxy gives it", c.Args().First())
			}
			seat, err := sit(overrides(c), true)
			if err != nil {
				// stderr is /dev/null under keepalived: the journal has to know.
				return refused(log, err)
			}
			if text := c.String("remember"); text != "" {
				return seat.remember(c.Context, text)
			}
			if text := c.String("bulletin"); text != "" {
				return seat.publish(log, c.String("textfile"), text)
			}
			if c.Bool("guard") {
				return seat.guard(c.Context, log)
			}
			if c.Bool("settle") {
				return notify(c.Context, log, seat, seat.settle(log, "redis-check --heal", checks.NoGoal))
			}
			policy := seat.policy()
			policy.Expect = expect
			view := seat.serving()
			view.Where = seat.whereAtFirst
			return Check{
				Inspection: hooks.Inspection{
					Survey:   seat.electing(view, policy).Brief,
					Policy:   policy,
					Remember: func(m checks.Memory, base time.Time) error { return rememberDetached(c, m, base) },
					Heal: func() error {
						if !c.Bool("heal") {
							return nil
						}
						return detach(c, RedisCheck, "--settle")
					},
					Fenced: seat.fenced(),
					Guard:  func() error { return detach(c, RedisCheck, "--guard") },
				},
				Publish: func(entry *history.Entry, f checks.Facts, v checks.Verdict) error {
					return seat.bulletinDetached(c, entry, f, v)
				},
				Node:     seat.self.String(),
				Last:     seat.file(".verdict"),
				Warnings: seat.warnings,
				Log:      log.With().Str("group", seat.Name).Logger(),
				Timeout:  seat.Timeout,
			}.Run(c.Context)
		},
	}
}

// refused logs why a program cannot be run at all, and hands the error on.
func refused(log zerolog.Logger, err error) error {
	log.Error().Err(err).Msg("cannot run")
	return err
}

// Check is one run of redis-check.
type Check struct {
	Inspection hooks.Inspection
	Publish    func(*history.Entry, checks.Facts, checks.Verdict) error // tells others, and does not wait; nil: nothing has changed
	Node       string                                                   // which one it is about
	Last       string                                                   // file that holds the last verdict: only a change is logged
	Warnings   []error                                                  // about the configuration; logged when they change
	Log        zerolog.Logger
	Timeout    time.Duration // of the whole run
}

// Run is nil if the node is fit. It opens no log unless something has changed.
func (c Check) Run(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()

	facts, verdict, problems := c.Inspection.Run(ctx)
	c.Warnings = append(c.Warnings, problems...)
	entry := c.tell(facts, verdict)
	if err := c.Publish(entry, facts, verdict); err != nil {
		c.Log.Warn().Err(err).Msg("what was seen cannot be written down for others")
	}
	if !verdict.Fit {
		return errUnfit
	}
	return nil
}

// tell logs a verdict that differs from the last one, and remembers it. It is an entry
// of the history if it differs not only in the warnings.
func (c Check) tell(facts checks.Facts, verdict checks.Verdict) (entry *history.Entry) {
	now := state(verdict)
	if len(c.Warnings) > 0 {
		now += "\n" + oneLine(c.Warnings)
	}
	before, err := survey.Read(c.Last)
	if err == nil && string(before) == now {
		return nil
	}
	if last, _, _ := strings.Cut(string(before), "\n"); err == nil && last != state(verdict) || errors.Is(err, fs.ErrNotExist) {
		entry = turned(last, facts, verdict, time.Now())
	}
	if werr := survey.Replace(c.Last, []byte(now), false); werr != nil {
		err = werr
	}

	level := zerolog.InfoLevel
	switch {
	case verdict.Reason == checks.NotMaster, verdict.Reason == checks.NotReplica: // no fault: an answer
	case !verdict.Fit:
		level = zerolog.ErrorLevel
	case verdict.Reason.Loud(), verdict.Drift, len(c.Warnings) > 0:
		level = zerolog.WarnLevel
	}
	event := c.Log.WithLevel(level).Bool("fit", verdict.Fit).Stringer("reason", verdict.Reason).Bool("drift", verdict.Drift).
		Str("node", c.Node).Stringer("class", facts.Class).Stringer("role", facts.Role).Stringer("vip", facts.VIP).
		Float64("ms", float64(facts.Took.Microseconds())/1000)
	for _, peer := range facts.Peers {
		event.Str("peer_"+peer.Addr.String(), hooks.Describe(peer.Facts))
	}
	if facts.Election != checks.NoElection {
		event.Stringer("election", facts.Election)
	}
	if facts.Named.IsValid() {
		event.Stringer("named", facts.Named)
	}
	if facts.Problem != "" {
		event.Str("problem", facts.Problem)
	}
	if len(c.Warnings) > 0 {
		event.Str("warning", oneLine(c.Warnings))
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		event.Str("memory", fmt.Sprintf("cannot keep the last verdict, so every run is logged: %v", err))
	}
	event.Msg(verdict.Reason.Sentence())
	return entry
}
