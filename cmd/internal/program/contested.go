package program

import (
	"context"
	"time"

	"redis-vip/checks"
	"redis-vip/checks/node"
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
			view := seat.survey()
			return Contested{
				Mark:    func() error { return survey.Mark(view.Contested) },
				Survey:  view.Full,
				Local:   seat.local(),
				Log:     log.With().Str("group", seat.Name).Logger(),
				Timeout: seat.Timeout,
			}.Run(c.Context)
		},
	}
}

// Contested is one call of keepalived's notify_master_rx_lower_pri. keepalived makes
// it every second for as long as it is MASTER and hears a node of lower priority
// that is MASTER too.
//
// Where the other node can be talked to, the two will agree, and this is nothing.
// Where it cannot, what this node sends gets lost: the other one serves, and this
// one must not. redis-check sees the mark and gives the VIP up; until then writers
// wait.
type Contested struct {
	Mark    func() error
	Survey  func(context.Context) checks.Facts
	Local   hooks.Server
	Log     zerolog.Logger
	Timeout time.Duration
}

// contestedPause outlasts the time to the next call.
const contestedPause = 4 * time.Second

// Run marks the VIP as contested and, where the other node is silent, pauses writes.
func (c Contested) Run(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	if err := c.Mark(); err != nil {
		c.Log.Error().Err(err).Msg("cannot mark the VIP as contested")
	}
	facts := c.Survey(ctx)
	facts.Contested = true
	verdict := checks.Judge(facts, checks.Policy{})
	if verdict.Reason != checks.Contested || facts.Role != node.Master {
		return nil
	}
	err := c.Local.Pause(ctx, contestedPause)
	c.Log.Warn().AnErr("pause", err).Stringer("reason", verdict.Reason).Msg(verdict.Reason.Sentence() + " Writers wait.")
	return err
}
