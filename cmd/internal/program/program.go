// Package program is the command line of redis-vip: one file for each command,
// whose flags become a struct with a Run method. What a command's error means as
// an exit code stands in exit.go, and nowhere else.
package program

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// Version is set by the linker.
var Version = "unreleased"

// Name is what a program is called by.
type Name string

// The programs. RedisVIP is the person's command, and answers to the other four.
const (
	RedisCheck       Name = "redis-check"
	NotifyMaster     Name = "notify-master"
	NotifyBackup     Name = "notify-backup"
	SentinelReconfig Name = "sentinel-reconfig"
	RedisVIP         Name = "redis-vip"
)

func (n Name) String() string { return string(n) }

var names = []Name{RedisCheck, NotifyMaster, NotifyBackup, SentinelReconfig, RedisVIP}

// Streams are where a command writes for a person. Logs go elsewhere.
type Streams struct{ Out, Err io.Writer }

// Named runs the program that args[0] names, as a link or a copy of the one binary
// does. The person's command also takes the name as its first argument. A name
// that is none of ours is an error: a guess might promote where it should demote.
func Named(args []string, streams Streams) int {
	if len(args) == 0 {
		args = []string{string(RedisVIP)}
	}
	name := Name(filepath.Base(args[0]))
	if name == RedisVIP && len(args) > 1 && slices.Contains(names[:4], Name(args[1])) {
		name, args = Name(args[1]), args[1:]
	}
	if !slices.Contains(names, name) {
		fmt.Fprintf(streams.Err, "%s: no program of redis-vip has this name: it answers to %s\n", name, list(names))
		return exitUsage
	}
	return Run(name, args, streams)
}

func list(names []Name) string {
	words := texts(names)
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}

// Run runs one program and returns its exit code. args[0] is not looked at.
func Run(name Name, args []string, streams Streams) int {
	var app *cli.App
	switch name {
	case RedisCheck:
		app = checkApp()
	case NotifyMaster, NotifyBackup:
		app = notifyApp(name)
	case SentinelReconfig:
		app = reconfigApp()
	default:
		app = personApp()
	}
	return run(name, app, args, streams)
}

// RunCheck is Run for redis-check. A main that calls it is linked without the other
// programs, and maps fewer pages at each start.
func RunCheck(args []string, streams Streams) int {
	return run(RedisCheck, checkApp(), args, streams)
}

func run(name Name, app *cli.App, args []string, streams Streams) int {
	app.Name = string(name)
	app.HelpName = string(name)
	app.Version = Version
	app.HideHelpCommand = true // or a Sentinel master named "help" would print it
	app.Writer, app.ErrWriter = streams.Out, streams.Err
	app.ExitErrHandler = func(*cli.Context, error) {} // exit.go decides
	app.OnUsageError = func(_ *cli.Context, err error, _ bool) error { return usage("%w", err) }

	err := app.RunContext(context.Background(), args)
	if speaks(err) {
		fmt.Fprintf(streams.Err, "%s: %v\n", name, err)
	}
	return exitCode(name, err)
}
