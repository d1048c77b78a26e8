package program

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"path/filepath"
	"slices"
	"text/tabwriter"

	"redis-vip/checks/node"
	"redis-vip/cmd/internal/config"
	"redis-vip/hooks/preserve"

	"github.com/urfave/cli/v2"
)

func preservedCommand() *cli.Command {
	asJSON := &cli.BoolFlag{Name: "json", Usage: "for programs"}
	return &cli.Command{
		Name:  "preserved",
		Usage: "what a deposed master had taken, and the new one lacks",
		Subcommands: []*cli.Command{
			{
				Name: "list", Usage: "the files of a group on this host", ArgsUsage: "[GROUP]",
				Flags: common(asJSON), Action: listPreserved,
			},
			{
				Name: "show", Usage: "the writes in a file, and to which keys", ArgsUsage: "FILE",
				Flags: common(asJSON, &cli.BoolFlag{Name: "keys", Usage: "only sum up"}), Action: showPreserved,
			},
			{
				Name: "replay", Usage: "apply a file to the current master; keys that changed there since are left out", ArgsUsage: "FILE",
				Flags: common(asJSON,
					&cli.StringFlag{Name: "to", Usage: "the master, as `ADDRESS[:PORT]`; else found among the nodes"},
					&cli.BoolFlag{Name: "dry-run", Usage: "find the conflicts, and change nothing"},
					&cli.BoolFlag{Name: "force", Usage: "apply conflicts too, over what is there; after a replay, only those it left out"},
					&cli.BoolFlag{Name: "source", Usage: "also onto the node that the file came from"},
				), Action: replayPreserved,
			},
		},
	}
}

func listPreserved(c *cli.Context) error {
	o := overrides(c)
	if c.NArg() > 1 {
		return usage("preserved list: name one group")
	}
	if c.NArg() == 1 {
		o.Group = c.Args().First()
	}
	group, _, err := config.Load(o, config.Options{Fallback: true})
	if err != nil {
		return usageError{err}
	}
	files, err := store(group).List()
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return printJSON(c.App.Writer, files)
	}
	if len(files) == 0 {
		fmt.Fprintf(c.App.Writer, "nothing was preserved for %s on this host\n", group.Name)
		return nil
	}
	table := tabwriter.NewWriter(c.App.Writer, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "WHEN (UTC)\tOF\tLACKED BY\tWRITES\tKIND\tREPLAYED\tFILE")
	for _, f := range files {
		writes := "all data"
		if f.Kind == preserve.Suffix {
			writes = fmt.Sprint(f.Writes)
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n",
			f.When.Format("2006-01-02 15:04:05"), f.Node.Addr, f.Winner.Addr, writes, f.Kind, replayed(f.Replayed), f.Path)
	}
	return table.Flush()
}

// waiting counts the files that were not replayed to their end.
func waiting(files []preserve.File) (n int) {
	for _, f := range files {
		if f.Replayed == nil || !f.Replayed.Done {
			n++
		}
	}
	return n
}

func replayed(r *preserve.Replayed) string {
	switch {
	case r == nil:
		return "no"
	case !r.Done:
		return "in part"
	default:
		return r.Ended.Format("2006-01-02 15:04:05")
	}
}

func store(g config.Group) preserve.Store {
	return preserve.Store{Dir: g.StateDir, Group: g.Name, Keep: g.Keep}
}

// preservedFile finds a file by its path, or by its name among those of the group.
func preservedFile(c *cli.Context) (preserve.File, config.Group, error) {
	if c.NArg() != 1 {
		return preserve.File{}, config.Group{}, usage("preserved %s: name one file: see redis-vip preserved list", c.Command.Name)
	}
	group, _, err := config.Load(overrides(c), config.Options{Fallback: true})
	if err != nil {
		return preserve.File{}, group, usageError{err}
	}
	name := c.Args().First()
	var f preserve.File
	if filepath.Base(name) == name {
		f, err = store(group).Find(name)
	} else {
		f, err = preserve.Open(name)
	}
	return f, group, err
}

func showPreserved(c *cli.Context) error {
	f, group, err := preservedFile(c)
	if err != nil {
		return err
	}
	out := c.App.Writer
	visit := func(l preserve.Line) error {
		_, err := fmt.Fprintf(out, "%6d  db%d  %s\n", l.Number, l.DB, l.Command)
		return err
	}
	if c.Bool("json") || c.Bool("keys") {
		visit = nil
	}
	// Which words of a command are keys, a server knows best.
	var keyer *preserve.Keyer
	if master, found := currentMaster(c, group); found {
		keyer = preserve.NewKeyer(endpoint(group, master), group.Timeout)
		defer keyer.Close()
	}
	summary, err := f.Show(c.Context, keyer, visit)
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return printJSON(out, struct {
			File    preserve.File    `json:"file"`
			Summary preserve.Summary `json:"summary"`
		}{f, summary})
	}
	fmt.Fprintf(out, "\n%s\n", f)
	fmt.Fprintf(out, "saved %s UTC from %s, when %s was the master (%s)\n", f.When.Format("2006-01-02 15:04:05"), f.Node.Addr, f.Winner.Addr, f.Reason)
	if summary.RDB != nil {
		fmt.Fprintf(out, "an RDB file: replay copies the keys that the master does not have\n")
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(summary.Commands)) {
		fmt.Fprintf(out, "%8d × %s\n", summary.Commands[name], name)
	}
	fmt.Fprintf(out, "%8d keys\n", len(summary.Keys))
	if c.Bool("keys") {
		for _, k := range summary.Keys {
			fmt.Fprintf(out, "  db%d  %s  %d writes\n", k.DB, k.Shown(), k.Writes)
		}
	}
	return nil
}

func replayPreserved(c *cli.Context) error {
	f, group, err := preservedFile(c)
	if err != nil {
		return err
	}
	master, found := currentMaster(c, group)
	if to := c.String("to"); to != "" {
		if master, err = netip.ParseAddrPort(to); err != nil {
			addr, err := netip.ParseAddr(to)
			if err != nil {
				return usage("--to: %q is no address: write it as 192.168.0.1:6379", to)
			}
			master = netip.AddrPortFrom(addr, config.DefaultNodePort)
		}
	} else if !found {
		return errors.New("no node is a master now: mend that first, or name one with --to")
	}
	report, err := f.Replay(c.Context, preserve.Replay{
		Target: endpoint(group, master), Name: master.String(),
		DryRun: c.Bool("dry-run"), Force: c.Bool("force"), Source: c.Bool("source"),
		Progress: func(applied int64) { fmt.Fprintf(c.App.ErrWriter, "\r%d applied", applied) },
	})
	fmt.Fprintln(c.App.ErrWriter)
	if c.Bool("json") {
		return errors.Join(err, printJSON(c.App.Writer, report))
	}
	if report.Target != "" && (err == nil || report.Applied > 0) {
		printReplay(c.App.Writer, report)
	}
	return err
}

func printReplay(out io.Writer, r preserve.Report) {
	verb := "applied"
	if r.DryRun {
		verb = "would be applied"
	}
	fmt.Fprintf(out, "onto %s: %d %s, %d left out\n", r.Target, r.Applied, verb, r.LeftOut)
	if !r.Exact {
		fmt.Fprintf(out, "conflicts are presumed, not known: %s\n", r.Inexact)
	}
	for i, conflict := range r.Conflict {
		if i == 20 {
			fmt.Fprintf(out, "  and %d more: --json shows all\n", len(r.Conflict)-i)
			break
		}
		fmt.Fprintf(out, "  conflict: db%d %s: %s\n", conflict.DB, conflict.Shown(), conflict.Cause)
	}
	for _, failed := range r.Failed {
		fmt.Fprintf(out, "  failed: %s\n", failed)
	}
	for _, note := range r.Notes {
		fmt.Fprintf(out, "%s\n", note)
	}
}

// currentMaster is the node of the group that is a master, if there is just one.
func currentMaster(c *cli.Context, g config.Group) (master netip.AddrPort, found bool) {
	for _, addr := range g.Nodes {
		ctx, cancel := context.WithTimeout(c.Context, g.Timeout)
		f := endpoint(g, addr).Look(ctx)
		cancel()
		if f.Role == node.Master {
			if found {
				return netip.AddrPort{}, false
			}
			master, found = addr, true
		}
	}
	return master, found
}

func printJSON(out io.Writer, v any) error {
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	return encoder.Encode(v)
}
