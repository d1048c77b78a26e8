package program

import (
	"os/exec"
	"syscall"

	"github.com/urfave/cli/v2"
)

// detach starts this program again, as name, with the flags of all programs that it was
// given and some arguments, in a session of its own: keepalived ends a check's process
// group with the check, and Sentinel runs 16 scripts at the most (sentinel.c:62).
func detach(c *cli.Context, name Name, arguments ...string) error {
	command := exec.Command("/proc/self/exe", append(shared(c), arguments...)...)
	command.Args[0] = string(name)
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := command.Start(); err != nil {
		return err
	}
	return command.Process.Release()
}

// shared are the flags that were given and that every program has.
func shared(c *cli.Context) (flags []string) {
	for _, flag := range common() {
		if name := flag.Names()[0]; c.IsSet(name) {
			flags = append(flags, "--"+name+"="+c.String(name))
		}
	}
	return flags
}
