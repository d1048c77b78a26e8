package program

import (
	"os/exec"
	"slices"
	"syscall"

	"github.com/urfave/cli/v2"
)

// detach starts this program again, as name, with the flags of all programs that it
// was given and some arguments, in a session of its own: keepalived ends a check's process group with
// the check, and Sentinel runs 16 scripts at the most (sentinel.c:62).
func detach(c *cli.Context, name Name, arguments ...string) error {
	var flags []string
	for _, flag := range common() { // one of another program's would be a usage error
		if name := flag.Names()[0]; slices.Contains(c.FlagNames(), name) {
			flags = append(flags, "--"+name+"="+c.String(name))
		}
	}
	command := exec.Command("/proc/self/exe", append(flags, arguments...)...)
	command.Args[0] = string(name)
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := command.Start(); err != nil {
		return err
	}
	return command.Process.Release()
}
