package program

import (
	"os/exec"
	"syscall"

	"github.com/urfave/cli/v2"
)

// repeatDetached starts this program again, with the flags it was given, to repeat
// the announcements. Sentinel waits for its script, and runs 16 at the most
// (sentinel.c:62), so the five seconds that takes are spent in a process of their
// own.
func repeatDetached(c *cli.Context, group string) error {
	arguments := []string{"--announce"}
	for _, name := range c.FlagNames() {
		arguments = append(arguments, "--"+name+"="+c.String(name))
	}
	command := exec.Command("/proc/self/exe", append(arguments, group)...)
	command.Args[0] = string(SentinelReconfig)
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := command.Start(); err != nil {
		return err
	}
	return command.Process.Release()
}
