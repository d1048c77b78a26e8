package bench

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"syscall"
	"time"
)

// Program is one that is measured: a process that ends by itself.
type Program struct {
	Name   string
	Args   []string
	Env    []string // all of it, but for PATH
	User   string   // root if empty
	Group  string
	Exit   int    // the code that it is to end with
	Before string // for sh, before each run, and not measured
}

// Sample is what one run cost.
type Sample struct {
	Began time.Time
	Wall  time.Duration // from before fork until its end was seen
	CPU   time.Duration // user and system, its own and that of all it waited for
}

// run runs the program once. What it writes is discarded.
func (p Program) run(null *os.File) (Sample, error) {
	attributes, err := p.prepare(null)
	if err != nil {
		return Sample{}, err
	}
	began := time.Now()
	pid, err := syscall.ForkExec(p.Args[0], p.Args, attributes)
	if err != nil {
		return Sample{}, fmt.Errorf("%s: %w", p.Args[0], err)
	}
	var status syscall.WaitStatus
	var usage syscall.Rusage
	for {
		if _, err = syscall.Wait4(pid, &status, 0, &usage); err != syscall.EINTR {
			break
		}
	}
	took := time.Since(began)
	if err == nil {
		err = p.ended(status)
	}
	return Sample{began, took, time.Duration(usage.Utime.Nano() + usage.Stime.Nano())}, err
}

// prepare does what comes before, and says how to start the program.
func (p Program) prepare(null *os.File) (*syscall.ProcAttr, error) {
	if p.Before != "" {
		if out, err := exec.Command("/bin/sh", "-ec", p.Before).CombinedOutput(); err != nil {
			return nil, fmt.Errorf("%s: before %s: %w: %s", p.Name, p.Before, err, out)
		}
	}
	who := new(syscall.Credential)
	if p.User != "" {
		account, err := user.Lookup(p.User)
		if err != nil {
			return nil, err
		}
		group, err := user.LookupGroup(p.Group)
		if err != nil {
			return nil, err
		}
		who.Uid, who.Gid = number(account.Uid), number(group.Gid)
	}
	return &syscall.ProcAttr{
		Dir: "/", Env: append([]string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}, p.Env...),
		Files: []uintptr{null.Fd(), null.Fd(), null.Fd()},
		Sys:   &syscall.SysProcAttr{Credential: who},
	}, nil
}

func number(text string) uint32 {
	n, _ := strconv.ParseUint(text, 10, 32)
	return uint32(n)
}

// ended checks that the program did what it was called for: one that fails is fast.
func (p Program) ended(status syscall.WaitStatus) error {
	if !status.Exited() || status.ExitStatus() != p.Exit {
		return fmt.Errorf("%s: %v: exit code %d, and should be %d", p.Name, p.Args, status.ExitStatus(), p.Exit)
	}
	return nil
}
