package program

import (
	"context"
	"time"

	"redis-vip/checks"
	"redis-vip/checks/survey"
	"redis-vip/cmd/internal/journal"
	"redis-vip/hooks"

	"github.com/rs/zerolog"
	"github.com/urfave/cli/v2"
)

func contestedCommand() *cli.Command {
	return &cli.Command{
		Name:  "contested",
		Usage: "for keepalived's notify_master_rx_lower_pri: another node announces the VIP that is here",
		Flags: common(),
		Action: func(c *cli.Context) error {
			log := journal.Open("redis-vip", journal.Options{})
			seat, err := sit(overrides(c), true)
			if err != nil {
				return refused(log, err)
			}
			return Contested{
				Contest: hooks.Contest{
					Mark:   func() error { return survey.Mark(seat.contested()) },
					Survey: seat.survey().Full,
					Local:  seat.local(),
				},
				Log:     log.With().Str("group", seat.Name).Logger(),
				Timeout: seat.Timeout,
			}.Run(c.Context)
		},
	}
}

// Contested is one call of redis-vip contested.
type Contested struct {
	Contest hooks.Contest
	Log     zerolog.Logger
	Timeout time.Duration
}

// Run logs what came of it.
func (c Contested) Run(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	verdict, mark, pause := c.Contest.Run(ctx)
	if mark != nil {
		c.Log.Error().Err(mark).Msg("cannot mark the VIP as contested")
	}
	if verdict.Reason == checks.Contested {
		c.Log.Warn().AnErr("pause", pause).Stringer("reason", verdict.Reason).Msg(verdict.Reason.Sentence() + " Writers wait.")
	}
	return pause
}
