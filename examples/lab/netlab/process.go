package netlab

import (
	"context"
	"fmt"
	"strings"
	"syscall"
	"time"

	"redis-vip/examples/lab/netlab/internal/agent"
)

// Command is a program to start on a host.
type Command = agent.Command

// Status tells how a process ended.
type Status = agent.Status

// Process is a process on a host, started by the lab.
type Process struct {
	Host *Host
	PID  int // on the host

	name   string
	ended  chan struct{}
	status Status
	failed error
}

// Start starts a process that runs on its own. Its output goes to the journal
// unless c.Capture is set.
func (h *Host) Start(ctx context.Context, c Command) (*Process, error) {
	p := &Process{Host: h, name: strings.Join(c.Args, " "), ended: make(chan struct{})}
	if err := h.call(ctx, "Start", c, &p.PID); err != nil {
		return nil, err
	}
	go func() {
		p.failed = h.call(context.Background(), "Wait", p.PID, &p.status)
		close(p.ended)
	}()
	return p, nil
}

// Run runs a process to its end and returns how it ended, with its output. A
// process that outlives ctx is killed, and ctx's error returned. An exit code
// other than 0 is no error.
func (h *Host) Run(ctx context.Context, c Command) (Status, error) {
	c.Capture = true
	p, err := h.Start(ctx, c)
	if err != nil {
		return Status{}, err
	}
	status, err := p.Wait(ctx)
	if err != nil {
		p.SignalAll(syscall.SIGKILL)
	}
	return status, err
}

// Output runs a command line that must succeed, and returns its standard
// output. It is for what tests and demonstrations ask a host in passing.
func (h *Host) Output(ctx context.Context, args ...string) (string, error) {
	status, err := h.Run(ctx, Command{Args: args})
	if err == nil && (status.Code != 0 || status.Signal != 0) {
		err = fmt.Errorf("%s: %s: %v: %s", h.Name, strings.Join(args, " "), status, status.Stderr)
	}
	return string(status.Stdout), err
}

// Wait returns how the process ended, once it has.
func (p *Process) Wait(ctx context.Context) (Status, error) {
	select {
	case <-p.ended:
		return p.status, p.failed
	case <-ctx.Done():
		return Status{}, fmt.Errorf("%s: %s still runs: %w", p.Host.Name, p.name, context.Cause(ctx))
	}
}

// Ended is closed when the process has ended.
func (p *Process) Ended() <-chan struct{} { return p.ended }

// Running tells whether the process has not ended yet.
func (p *Process) Running() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// Signal signals the process alone.
func (p *Process) Signal(s syscall.Signal) error {
	return p.signal(agent.Signal{PID: p.PID, Signal: s})
}

// SignalAll signals the process and all that it has started and left behind,
// as systemd does with a unit's control group.
func (p *Process) SignalAll(s syscall.Signal) error {
	return p.signal(agent.Signal{PID: p.PID, Signal: s, All: true})
}

// Group returns the PIDs of the process and of all that it has started and
// left behind.
func (p *Process) Group(ctx context.Context) (pids []int, err error) {
	err = p.Host.call(ctx, "Group", p.PID, &pids)
	return pids, err
}

func (p *Process) signal(s agent.Signal) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return p.Host.call(ctx, "Signal", s, nil)
}
