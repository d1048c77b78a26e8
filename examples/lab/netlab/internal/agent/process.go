package agent

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Command is a program to start, in the terms of a systemd unit.
type Command struct {
	Args       []string  // the program, looked up in the host's PATH, and its arguments
	Env        []string  // added to the environment that systemd gives a service
	Dir        string    // "/" if empty
	User       string    // root if empty
	Group      string    // the user's own if empty
	Umask      int       // 022 if 0
	Ambient    []uintptr // capabilities for a user other than root
	Identifier string    // its name in the journal; the program's base name if empty

	// Capture keeps standard output and error for the Status. Otherwise both
	// go to the journal, line by line.
	Capture bool
}

// Status tells how a process ended.
type Status struct {
	Code           int            // exit code, or -1 if a signal ended it
	Signal         syscall.Signal // the signal that ended it, or 0
	Stdout, Stderr []byte
}

func (s Status) String() string {
	if s.Signal != 0 {
		return "ended by " + unix.SignalName(s.Signal)
	}
	return "exit code " + strconv.Itoa(s.Code)
}

// process is a process that the lab asked for.
type process struct {
	invocation     string // INVOCATION_ID
	captured       bool
	stdout, stderr *os.File      // open only until the start, unless captured
	ended          chan struct{} // closed when status is set
	status         Status
}

const path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// Start starts a process in a session of its own and returns its PID.
func (a *Agent) Start(c Command, pid *int) error {
	program, err := lookPath(c.Args)
	if err != nil {
		return err
	}
	p := &process{captured: c.Capture, ended: make(chan struct{})}
	id := make([]byte, 16)
	rand.Read(id) // never fails
	p.invocation = hex.EncodeToString(id)

	credential, account, err := credentials(c.User, c.Group)
	if err != nil {
		return err
	}
	env := append([]string{
		"PATH=" + path, "LANG=C.UTF-8", "INVOCATION_ID=" + p.invocation,
		"USER=" + account.Username, "LOGNAME=" + account.Username, "HOME=" + account.HomeDir,
	}, c.Env...)

	null, err := os.OpenFile("/dev/null", os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer null.Close()
	if err := p.openOutput(c, program); err != nil {
		return err
	}
	started := false
	defer func() {
		if !started || !p.captured {
			p.stdout.Close()
			p.stderr.Close() // may be the same, and then says so
		}
	}()

	dir := c.Dir
	if dir == "" {
		dir = "/"
	}
	umask := c.Umask
	if umask == 0 {
		umask = 0o022
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	syscall.Umask(umask) // the agent's own files get their modes by chmod
	*pid, err = syscall.ForkExec(program, c.Args, &syscall.ProcAttr{
		Dir:   dir,
		Env:   env,
		Files: []uintptr{null.Fd(), p.stdout.Fd(), p.stderr.Fd()},
		Sys:   &syscall.SysProcAttr{Setsid: true, Credential: credential, AmbientCaps: c.Ambient},
	})
	if err != nil {
		return fmt.Errorf("start %s: %w", program, err)
	}
	a.processes[*pid] = p
	started = true
	return nil
}

// openOutput makes the files that take the process's output.
//
// What is captured goes to memory files, not pipes: a daemon that the process
// leaves behind may keep them open, and nobody has to wait for it.
func (p *process) openOutput(c Command, program string) (err error) {
	if !c.Capture {
		identifier := c.Identifier
		if identifier == "" {
			identifier = filepath.Base(program)
		}
		p.stdout, err = journalStream(identifier)
		p.stderr = p.stdout
		return err
	}
	for _, f := range []**os.File{&p.stdout, &p.stderr} {
		fd, err := unix.MemfdCreate("output", unix.MFD_CLOEXEC)
		if err != nil {
			return fmt.Errorf("memfd: %w", err)
		}
		*f = os.NewFile(uintptr(fd), "output")
	}
	return nil
}

// journalStream opens a stream whose lines become journal entries, the way
// systemd opens one for the standard output of a service.
func journalStream(identifier string) (*os.File, error) {
	conn, err := net.Dial("unix", "/run/systemd/journal/stdout")
	if err != nil {
		return nil, err
	}
	defer conn.Close() // the file is a copy
	// Identifier, unit, priority (info), level prefixes, then three forwards.
	if _, err := fmt.Fprintf(conn, "%s\n\n6\n0\n0\n0\n0\n", identifier); err != nil {
		return nil, err
	}
	f, err := conn.(*net.UnixConn).File()
	if err != nil {
		return nil, err
	}
	// Fd() also makes it blocking, which programs expect of their output.
	f.Fd()
	return f, nil
}

func lookPath(args []string) (string, error) {
	if len(args) == 0 {
		return "", fmt.Errorf("no program given")
	}
	if strings.Contains(args[0], "/") {
		return args[0], nil
	}
	for _, dir := range filepath.SplitList(path) {
		candidate := filepath.Join(dir, args[0])
		if unix.Access(candidate, unix.X_OK) == nil {
			return candidate, nil
		}
	}
	return "", &exec.Error{Name: args[0], Err: exec.ErrNotFound}
}

// credentials are nil for root: the agent's own.
func credentials(name, group string) (*syscall.Credential, *user.User, error) {
	if name == "" {
		name = "root"
	}
	account, err := user.Lookup(name)
	if err != nil {
		return nil, nil, err
	}
	if name == "root" && group == "" {
		return nil, account, nil
	}
	gid := account.Gid
	if group != "" {
		g, err := user.LookupGroup(group)
		if err != nil {
			return nil, nil, err
		}
		gid = g.Gid
	}
	ids, err := account.GroupIds()
	if err != nil {
		return nil, nil, err
	}
	c := &syscall.Credential{Uid: number(account.Uid), Gid: number(gid)}
	for _, id := range ids {
		c.Groups = append(c.Groups, number(id))
	}
	return c, account, nil
}

func number(id string) uint32 {
	n, _ := strconv.ParseUint(id, 10, 32) // os/user gives decimal numbers on Unix
	return uint32(n)
}

// Wait returns when the process has ended. A captured process is forgotten
// then.
func (a *Agent) Wait(pid int, status *Status) error {
	a.mu.Lock()
	p := a.processes[pid]
	a.mu.Unlock()
	if p == nil {
		return fmt.Errorf("process %d was not started by the lab", pid)
	}
	<-p.ended
	*status = p.status

	a.mu.Lock()
	defer a.mu.Unlock()
	if p.captured && a.processes[pid] == p {
		delete(a.processes, pid)
	}
	return nil
}

// reap collects every process that ends, ours and orphans alike: the agent is
// PID 1 of its host.
func (a *Agent) reap(ended <-chan os.Signal) {
	for range ended {
		for {
			var ws syscall.WaitStatus
			pid, err := syscall.Wait4(-1, &ws, syscall.WNOHANG, nil)
			if err == syscall.EINTR {
				continue
			}
			if err != nil || pid <= 0 {
				break
			}
			a.record(pid, ws)
		}
	}
}

func (a *Agent) record(pid int, ws syscall.WaitStatus) {
	a.mu.Lock()
	defer a.mu.Unlock()
	p := a.processes[pid]
	if p == nil {
		return
	}
	select {
	case <-p.ended: // an orphan that got the number of one that ended before
		return
	default:
	}
	p.status = Status{Code: ws.ExitStatus()}
	if ws.Signaled() {
		p.status.Signal = ws.Signal()
	}
	if p.captured {
		p.status.Stdout = content(p.stdout)
		p.status.Stderr = content(p.stderr)
	}
	close(p.ended)
}

func content(f *os.File) []byte {
	defer f.Close()
	var b bytes.Buffer
	if _, err := f.Seek(0, 0); err == nil {
		b.ReadFrom(f)
	}
	return b.Bytes()
}

// Signal names a signal and who gets it.
type Signal struct {
	PID    int
	Signal syscall.Signal

	// All sends it to the whole control group: the process, its descendants,
	// and what they left behind. SIGKILL returns when they are gone.
	All bool
}

// Signal signals a process that the lab started. One that has ended is not an
// error.
func (a *Agent) Signal(s Signal, _ *Nothing) error {
	a.mu.Lock()
	p := a.processes[s.PID]
	a.mu.Unlock()
	if p == nil {
		return fmt.Errorf("process %d was not started by the lab", s.PID)
	}
	if !s.All {
		return p.signalMain(s)
	}
	var signalled []int
	for deadline := time.Now().Add(killTime); ; time.Sleep(time.Millisecond) {
		members, err := group(s.PID, p.invocation)
		if err != nil {
			return err
		}
		if err := p.signalMain(s); err != nil {
			return err
		}
		for _, pid := range members {
			if err := kill(pid, s.Signal); err != nil {
				return err
			}
		}
		// Only SIGKILL has an end that can be waited for. Doing it again also
		// catches what a member started in between.
		signalled = slices.DeleteFunc(append(signalled, members...), gone)
		if s.Signal != unix.SIGKILL || len(members) == 0 && len(signalled) == 0 {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("processes %v do not end", signalled)
		}
	}
}

// Group lists what is left of a process's control group, itself included.
func (a *Agent) Group(pid int, pids *[]int) (err error) {
	a.mu.Lock()
	p := a.processes[pid]
	a.mu.Unlock()
	if p == nil {
		return fmt.Errorf("process %d was not started by the lab", pid)
	}
	if *pids, err = group(pid, p.invocation); err != nil {
		return err
	}
	select {
	case <-p.ended:
	default:
		*pids = append(*pids, pid)
	}
	return nil
}

// killTime is how long the kernel may take to end killed processes.
const killTime = 5 * time.Second

// signalMain signals the process itself unless it has ended: its number may
// be another's by now.
func (p *process) signalMain(s Signal) error {
	select {
	case <-p.ended:
		return nil
	default:
		return kill(s.PID, s.Signal)
	}
}

// gone tells whether a process has ended and been reaped. One that is about to
// end has no environment any more, so group does not see it.
func gone(pid int) bool { return syscall.Kill(pid, 0) == syscall.ESRCH }

func kill(pid int, s syscall.Signal) error {
	if err := syscall.Kill(pid, s); err != nil && err != syscall.ESRCH {
		return fmt.Errorf("signal %d: %w", pid, err)
	}
	return nil
}

// group finds the processes that belong to a service beside its main one. It
// stands in for a control group: children are found by their parent, and those
// that outlived it by the INVOCATION_ID they inherited.
func group(main int, invocation string) ([]int, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	member := map[int]bool{main: true}
	var found []int
	// Ascending, so that parents come before their children. (The numbers
	// would have to wrap around for another order.)
	for pid := range pidsAscending(entries) {
		if pid == main {
			continue
		}
		env, _ := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
		if member[parent(pid)] || bytes.Contains(env, []byte("INVOCATION_ID="+invocation)) {
			member[pid] = true
			found = append(found, pid)
		}
	}
	return found, nil
}
