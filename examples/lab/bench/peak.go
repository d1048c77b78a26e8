package bench

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// peak runs the program once and returns the resident memory that the largest of its
// processes had at most, in bytes.
//
// ru_maxrss would be the launcher's, if that is larger: it is inherited by fork and
// survives exec (getrusage(2)). VmHWM belongs to the program's own memory, and goes with
// it, so every process is held at its end to read it.
func (p Program) peak(null *os.File) (most int64, err error) {
	runtime.LockOSThread() // the tracer is a thread
	defer runtime.UnlockOSThread()
	attributes, err := p.prepare(null)
	if err != nil {
		return 0, err
	}
	attributes.Sys.Ptrace = true
	pid, err := syscall.ForkExec(p.Args[0], p.Args, attributes)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", p.Args[0], err)
	}
	var status syscall.WaitStatus
	if _, err := syscall.Wait4(pid, &status, 0, nil); err != nil {
		return 0, err
	}
	const all = unix.PTRACE_O_TRACEEXIT | unix.PTRACE_O_TRACEFORK | unix.PTRACE_O_TRACEVFORK | unix.PTRACE_O_TRACECLONE | unix.PTRACE_O_EXITKILL
	if err := errors.Join(syscall.PtraceSetOptions(pid, all), syscall.PtraceCont(pid, 0)); err != nil {
		return 0, err
	}
	for {
		stopped, err := syscall.Wait4(-1, &status, unix.WALL, nil)
		switch {
		case err == syscall.EINTR:
		case err == syscall.ECHILD:
			return most, nil
		case err != nil:
			return most, err
		case stopped == pid && !status.Stopped():
			if err := p.ended(status); err != nil {
				return most, err
			}
		case status.Stopped():
			if status.TrapCause() == unix.PTRACE_EVENT_EXIT {
				most = max(most, highWater(stopped))
			}
			signal := 0
			if s := status.StopSignal(); s != syscall.SIGTRAP && s != syscall.SIGSTOP {
				signal = int(s)
			}
			syscall.PtraceCont(stopped, signal) // fails where it has just been killed
		}
	}
}

// highWater is VmHWM of a thread's process, which /proc has in kB.
func highWater(tid int) int64 {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", tid))
	_, rest, _ := bytes.Cut(text, []byte("VmHWM:"))
	fields := bytes.Fields(rest)
	if len(fields) == 0 {
		return 0
	}
	kb, _ := strconv.ParseInt(string(fields[0]), 10, 64)
	return kb << 10
}
