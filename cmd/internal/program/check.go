package program

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"redis-vip/checks"
	"redis-vip/checks/node"
	"redis-vip/cmd/internal/journal"

	"github.com/rs/zerolog"
	"github.com/urfave/cli/v2"
)

func checkApp() *cli.App {
	return &cli.App{
		Usage:     "is this node fit to hold the VIP?",
		UsageText: "redis-check [--expect master|replica|any]\n\nMade to be the script of a keepalived vrrp_script. Exit 0: fit; 1: unfit; 2: cannot be run like this.",
		Flags: common(&cli.StringFlag{
			Name: "expect", Value: "any", EnvVars: []string{"REDIS_VIP_EXPECT"},
			Usage: "fit only in this `ROLE`: master, replica or any",
		}),
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return usage("%q: redis-check takes no arguments", c.Args().First())
			}
			var policy checks.Policy
			if err := policy.Expect.UnmarshalText([]byte(c.String("expect"))); err != nil {
				return usage("--expect or REDIS_VIP_EXPECT: %w", err)
			}
			log := journal.Open(string(RedisCheck), journal.Options{})
			seat, err := sit(overrides(c), true)
			if err != nil {
				// stderr is /dev/null under keepalived: the journal has to know.
				return refused(log, err)
			}
			return Check{
				Local:    seat.endpoint(seat.self),
				Policy:   policy,
				Memory:   filepath.Join(seat.RunDir, seat.Name+".verdict"),
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
	Local    node.Endpoint
	Policy   checks.Policy
	Memory   string  // file that holds the last verdict: only a change is logged
	Warnings []error // about the configuration; logged when they change
	Log      zerolog.Logger
	Timeout  time.Duration // of the whole run
}

// Run is nil if the node is fit. It opens no log unless something has changed.
func (c Check) Run(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()

	facts := checks.Facts{Self: c.Local.Look(ctx)}
	verdict := checks.Judge(facts, c.Policy)
	c.tell(facts, verdict)
	if !verdict.Fit {
		return errUnfit
	}
	return nil
}

// tell logs a verdict that differs from the last one, and remembers it.
func (c Check) tell(facts checks.Facts, verdict checks.Verdict) {
	now := verdict.Reason.String()
	if len(c.Warnings) > 0 {
		now += "\n" + oneLine(c.Warnings)
	}
	before, err := os.ReadFile(c.Memory)
	if err == nil && string(before) == now {
		return
	}
	if werr := remember(c.Memory, now); werr != nil {
		err = werr
	}

	level := zerolog.InfoLevel
	switch {
	case !verdict.Fit:
		level = zerolog.ErrorLevel
	case verdict.Reason.Loud(), len(c.Warnings) > 0:
		level = zerolog.WarnLevel
	}
	event := c.Log.WithLevel(level).Bool("fit", verdict.Fit).Stringer("reason", verdict.Reason).
		Str("node", c.Local.String()).Stringer("class", facts.Self.Class).Stringer("role", facts.Self.Role).
		Float64("ms", float64(facts.Self.Took.Microseconds())/1000)
	if facts.Self.Problem != "" {
		event.Str("problem", facts.Self.Problem)
	}
	if len(c.Warnings) > 0 {
		event.Str("warning", oneLine(c.Warnings))
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		event.Str("memory", fmt.Sprintf("cannot keep the last verdict, so every run is logged: %v", err))
	}
	event.Msg(verdict.Reason.Sentence())
}

// remember replaces the file in one step: another copy of redis-check may be at it
// (keepalived before 2.3.3 starts one while the last still runs).
func remember(path, text string) error {
	temporary, err := os.CreateTemp(filepath.Dir(path), ".verdict-*")
	if err != nil {
		return err
	}
	_, err = temporary.WriteString(text)
	err = errors.Join(err, temporary.Chmod(0o640), temporary.Close())
	if err == nil {
		err = os.Rename(temporary.Name(), path)
	}
	if err != nil {
		os.Remove(temporary.Name())
	}
	return err
}
