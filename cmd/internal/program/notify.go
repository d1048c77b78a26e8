package program

import (
	"context"
	"fmt"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"redis-vip/checks"
	"redis-vip/cmd/internal/history"
	"redis-vip/cmd/internal/journal"
	"redis-vip/hooks"

	"github.com/rs/zerolog"
	"github.com/urfave/cli/v2"
)

func notifyApp(name Name) *cli.App {
	hint, text := checks.BeMaster, "make the local Redis the master, if the VIP is here"
	if name == NotifyBackup {
		hint, text = checks.BeReplica, "make the local Redis a replica of the master, if the VIP is not here"
	}
	return &cli.App{
		Usage: text,
		UsageText: string(name) + " [INSTANCE|GROUP NAME STATE PRIORITY]\n\n" +
			"Made for keepalived's notify lines. Where the VIP is decides, not which of the two\n" +
			"programs was called; the arguments that a generic `notify` appends go into the log.\n" +
			"Exit 0: done, or in hand already; 1: tried and failed; 2: cannot be run like this.",
		Flags: common(&cli.BoolFlag{Name: "force", Usage: "promote also what would be refused: half a copy, or older data"}),
		Action: func(c *cli.Context) error {
			log := journal.Open(string(name), journal.Options{})
			if c.NArg() > 4 {
				return refused(log, usage("%d arguments: keepalived's notify appends four at the most", c.NArg()))
			}
			seat, err := sit(overrides(c), true)
			if err != nil {
				return refused(log, err)
			}
			event := strings.Join(append([]string{string(name)}, c.Args().Slice()...), " ")
			settle := seat.settle(log, event, hint)
			settle.Force = c.Bool("force")
			return notify(c.Context, log, seat, settle)
		},
	}
}

func notify(ctx context.Context, log zerolog.Logger, seat seat, settle hooks.Settle) error {
	return Notify{
		Settle:   settle,
		Enter:    seat.enter(log),
		Warnings: seat.warnings,
		Log:      log.With().Str("group", seat.Name).Logger(),
	}.Run(ctx)
}

// Notify is one run of notify-master or notify-backup.
type Notify struct {
	Settle   hooks.Settle
	Enter    func(history.Entry) // into the history
	Warnings []error             // about the configuration
	Log      zerolog.Logger
}

// Run is nil if the local Redis is what the VIP asks for. A SIGTERM, which
// keepalived sends when it stops, ends it between two steps, with a record; but what
// is being preserved is preserved to its end.
func (n Notify) Run(ctx context.Context) error {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	record := n.Settle.Run(ctx)
	record.Warnings = append(record.Warnings, n.Warnings...)
	return write(n.Log, n.Enter, record)
}

// write logs the record of a hook: the one line it leaves behind. A run that did
// something is also an entry of the history.
func write(log zerolog.Logger, enter func(history.Entry), record *hooks.Record) error {
	log.WithLevel(record.Level()).EmbedObject(record).Msg(record.Message())
	if record.Outcome != hooks.AlreadyRunning {
		enter(done(record, time.Now()))
	}
	if record.Outcome == hooks.Failed {
		return errFailed
	}
	return nil
}

func texts[T fmt.Stringer](list []T) []string {
	words := make([]string, len(list))
	for i, v := range list {
		words[i] = v.String()
	}
	return words
}
