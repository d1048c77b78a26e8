package program

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"redis-vip/cmd/internal/config"
	"redis-vip/cmd/internal/history"
	"redis-vip/cmd/internal/screen"

	"github.com/urfave/cli/v2"
)

func historyCommand() *cli.Command {
	return &cli.Command{
		Name:      "history",
		Usage:     "the last transitions of this host, the newest last: what changed, and why",
		ArgsUsage: "[GROUP]",
		Flags: common(
			&cli.IntFlag{Name: "n", Value: 20, Usage: "show the last `NUMBER`; 0: all that are kept"},
			&cli.BoolFlag{Name: "json", Usage: "for programs"},
		),
		Action: func(c *cli.Context) error {
			switch {
			case c.NArg() > 1:
				return usage("history: name one group, after the flags")
			case c.Int("n") < 0:
				return usage("history: -n %d: write how many, or 0 for all", c.Int("n"))
			}
			o := overrides(c)
			if c.NArg() == 1 {
				o.Group = c.Args().First()
			}
			group, _, err := config.Load(o, config.Options{Fallback: true})
			if err != nil {
				return usageError{err}
			}
			entries, err := past(group).Read()
			if errors.Is(err, fs.ErrPermission) {
				err = fmt.Errorf("%w: run it as root", err)
			}
			if err != nil {
				return err
			}
			if n := c.Int("n"); n > 0 && n < len(entries) {
				entries = entries[len(entries)-n:]
			}
			if c.Bool("json") {
				return printJSON(c.App.Writer, append([]history.Entry{}, entries...)) // [], not null
			}
			if len(entries) == 0 {
				_, err := fmt.Fprintf(c.App.Writer, "nothing has happened to %s on this host since %s was made\n", group.Name, group.StateDir)
				return err
			}
			return printHistory(screen.New(c.App.Writer), entries)
		},
	}
}

func printHistory(s *screen.Screen, entries []history.Entry) error {
	table := screen.Table{Head: []string{"WHEN", "PROGRAM", "FROM → TO", "REASON", "TOOK"}}
	day := ""
	for _, e := range entries {
		at := e.At.Local()
		if today := at.Format("2006-01-02"); today != day { // a day is said once
			day = today
			table.Row(screen.Cell{Text: day, Colour: screen.Bold})
		}
		change, colour := e.To, screen.Plain
		if e.From != "" && e.From != e.To {
			change = e.From + " → " + e.To
		}
		switch {
		case e.Outcome == "failed", strings.HasPrefix(e.To, "unfit"):
			colour = screen.Red
		case strings.HasPrefix(e.To, "fit"), e.Outcome == "done":
			colour = screen.Green
		}
		took := "-"
		if e.MS > 0 {
			took = fmt.Sprintf("%.0f ms", e.MS)
		}
		if e.MS >= 1000 {
			took = fmt.Sprintf("%.1f s", e.MS/1000)
		}
		table.Row(screen.Cell{Text: at.Format("15:04:05.000")}, screen.Cell{Text: e.Program},
			screen.Cell{Text: change, Colour: colour}, screen.Cell{Text: e.Reason}, screen.Cell{Text: took})
		for _, line := range details(e) {
			table.Detail(screen.Cell{Text: line, Colour: screen.Dim})
		}
	}
	table.Print(s)
	return s.Err
}

// details are what else is known of a transition, one a line.
func details(e history.Entry) (lines []string) {
	var first []string
	if e.Event != "" {
		first = append(first, e.Event)
	}
	if e.VIP != "" {
		first = append(first, "the VIP is "+e.VIP)
	}
	if e.Outcome == "failed" {
		first = append(first, "FAILED")
	}
	if e.Note != "" {
		first = append(first, e.Note)
	}
	if len(first) > 0 {
		lines = append(lines, strings.Join(first, "; "))
	}
	return append(lines, e.Preserved...)
}
