package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"redis-vip/examples/lab/campaign"
	"redis-vip/examples/lab/fault"
	"redis-vip/examples/lab/netlab"
	"redis-vip/examples/sim/world"
)

func campaignCommand() *cli.Command {
	return &cli.Command{
		Name:  "campaign",
		Usage: "make random faults for hours, and look after each whether all promises hold again",
		Flags: []cli.Flag{
			programsFlag,
			&cli.IntFlag{Name: "faults", Value: 500, Usage: "end after `N`, in all labs together"},
			&cli.Uint64Flag{Name: "seed", Value: 1, Usage: "of the first lab; each other one has the next"},
			&cli.IntFlag{Name: "life", Value: 1, Usage: "begin with the `N`th life of each lab: one that a campaign has reported"},
			&cli.StringFlag{Name: "labs", Value: "pair,pair,witness,witness,sentinel,sentinel", Usage: "which `LABS` to have side by side"},
			&cli.DurationFlag{Name: "longest", Value: 30 * time.Second, Usage: "how long a fault lasts at the most"},
			&cli.StringFlag{Name: "other", Usage: "the `FOLDER` with another build of the programs, for upgrades (default: the same programs)"},
			&cli.StringFlag{Name: "clock", Usage: "clock.c as a `LIBRARY`, for clocks that jump (default: clock.so beside the programs; without it none does)"},
			&cli.BoolFlag{Name: "timelines", Usage: "of all rounds, not only of those that broke a promise"},
			&cli.StringFlag{Name: "out", Usage: "write the table to a `FILE`, and beside it the timeline of each violation"},
		},
		Action: func(c *cli.Context) error {
			programs, err := programsFolder(c)
			if err != nil {
				return err
			}
			r := rampage{Config: campaign.Config{
				Faults: c.Int("faults"), Seed: c.Uint64("seed"), Life: c.Int("life"), Longest: c.Duration("longest"), Programs: programs, Other: c.String("other"), Clock: c.String("clock"),
			}, File: c.String("out"), All: c.Bool("timelines"), Out: os.Stdout}
			if beside := filepath.Join(programs, "clock.so"); r.Config.Clock == "" && exists(beside) {
				r.Config.Clock = beside
			}
			for name := range strings.SplitSeq(c.String("labs"), ",") {
				var a world.Architecture
				if err := a.UnmarshalText([]byte(name)); err != nil {
					return fmt.Errorf("--labs: %w", err)
				}
				r.Config.Labs = append(r.Config.Labs, a)
			}
			return r.Run(c.Context)
		},
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// rampage is a campaign for a person: a line for each round, and a table in the end.
type rampage struct {
	Config campaign.Config
	File   string // for the table; empty: none
	All    bool   // timelines, not only of rounds that broke a promise
	Out    io.Writer
}

// Run makes the faults. That a promise was broken is an error, once all are made.
func (r rampage) Run(ctx context.Context) error {
	if err := needRoot("the lab"); err != nil {
		return err
	}
	faults, broken := 0, 0
	r.Config.Tell = func(one campaign.Round, journal func() []netlab.Entry) {
		faults += len(one.Faults)
		fmt.Fprintf(r.Out, "%s %4d %v\n", time.Now().Format(time.TimeOnly), faults, one)
		if len(one.Violations) > 0 {
			broken++
		} else if !r.All {
			return
		}
		if err := r.timeline(one, journal()); err != nil {
			fmt.Fprintln(r.Out, err)
		}
	}
	result, err := r.Config.Run(ctx)
	var text bytes.Buffer
	fmt.Fprintf(&text, "# A campaign of random faults\n\n%s, with %s.\n\n", result.Began.Format("2 January 2006"), takingPart(r.Config.Programs))
	result.Print(&text)
	fmt.Fprintf(r.Out, "\n%s", &text)
	if r.File != "" {
		err = errors.Join(err, os.WriteFile(r.File, text.Bytes(), 0o644))
	}
	if broken > 0 {
		err = errors.Join(err, fmt.Errorf("%d promises were broken", broken))
	}
	return err
}

// timeline writes what happened in a round into a file beside the table, or prints it.
func (r rampage) timeline(one campaign.Round, journal []netlab.Entry) error {
	if r.File == "" {
		printRound(r.Out, one, journal)
		return nil
	}
	var text bytes.Buffer
	printRound(&text, one, journal)
	name := fmt.Sprintf("%s.%s-%d-%d-%d.txt", strings.TrimSuffix(r.File, filepath.Ext(r.File)), one.On, one.Seed, one.Life, one.Turn)
	fmt.Fprintln(r.Out, "    its timeline:", name)
	return os.WriteFile(name, text.Bytes(), 0o644)
}

// printRound writes a round's timeline in plain words, and then all that its lab's hosts
// have logged.
func printRound(out io.Writer, one campaign.Round, journal []netlab.Entry) {
	fmt.Fprintf(out, "%v\n\n", one)
	t := &timeline{}
	for _, e := range journal {
		text := plain(e)
		if e.Identifier == "lab" {
			text = cmp.Or(text, e.Message)
		}
		if text != "" {
			t.add(event{e.At, e.Host, text})
		}
	}
	t.print(out, one.Began, time.Now())
	fmt.Fprintln(out, "\nThe journal of all hosts, since the lab came up:")
	fault.PrintJournal(out, journal)
}

// takingPart says which versions of what take part.
func takingPart(programs string) string {
	var list []string
	for _, command := range [][]string{
		{filepath.Join(programs, "redis-vip"), "--version"},
		{"redis-server", "--version"},
		{"keepalived", "--version"},
		{"uname", "-sr"},
	} {
		out, err := exec.Command(command[0], command[1:]...).CombinedOutput()
		if err != nil {
			out = []byte(err.Error())
		}
		line, _, _ := strings.Cut(string(out), "\n")
		if command[0] == "uname" { // behind the first hyphen stands who built it
			line, _, _ = strings.Cut(line, "-")
		}
		list = append(list, shorter.ReplaceAllString(line, ""))
	}
	return strings.Join(list, ", ")
}

// shorter matches what a version is told with and nobody needs.
var shorter = regexp.MustCompile(` version| server|\bv=| sha=.*|, git.*| \(.*`)
