package site

import (
	"context"
	"fmt"
	"sync"
	"syscall"
	"time"

	"redis-vip/examples/lab/netlab"
)

// Service is a daemon on a host, started as the distribution's unit starts it.
type Service struct {
	// RestartAfter brings a daemon back that ended by itself, as Restart=always
	// does. Debian's Redis units have it, with systemd's default of 100 ms.
	// Here 0, never, is the default: a test decides what comes back. To be set
	// before the daemon ends.
	RestartAfter time.Duration

	host    *netlab.Host
	name    string
	command netlab.Command

	// ExecStartPost= and ExecStopPost= of a drop-in, and what systemd waits for before
	// the first of them: READY=1.
	startPost, stopPost []netlab.Command
	ready               func(context.Context) error

	mu      sync.Mutex
	process *netlab.Process
	stopped bool // on purpose
}

const (
	stopTime  = 10 * time.Second // how long a daemon has to end before it is killed
	readyTime = 90 * time.Second // and how long to be up: systemd's DefaultTimeoutStartSec=
)

// Start starts the daemon if it does not run. It does not wait until the
// daemon can serve.
func (s *Service) Start(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process != nil && s.process.Running() {
		return nil
	}
	s.host.Note("start %s", s.name)
	p, err := s.host.Start(ctx, s.command)
	if err != nil {
		return fmt.Errorf("start %s: %w", s.name, err)
	}
	s.process, s.stopped = p, false
	go s.watch(p)
	if len(s.startPost) > 0 {
		go s.announce()
	}
	return nil
}

// announce runs what comes after the daemon's start, as soon as it is up.
func (s *Service) announce() {
	ctx, cancel := context.WithTimeout(context.Background(), readyTime)
	defer cancel()
	if s.ready(ctx) == nil {
		s.run(ctx, s.startPost)
	}
}

// run runs commands to their end. That the lab is closing is the only way for one to fail.
func (s *Service) run(ctx context.Context, commands []netlab.Command) {
	for _, c := range commands {
		s.host.Run(ctx, c)
	}
}

// watch notes the daemon's end, and starts it again if it is to be.
func (s *Service) watch(p *netlab.Process) {
	status, err := p.Wait(context.Background())
	if err != nil {
		return // the lab is closing
	}
	s.host.Note("%s ended: %v", s.name, status)
	ctx, cancel := context.WithTimeout(context.Background(), stopTime)
	defer cancel()
	s.run(ctx, s.stopPost)
	s.mu.Lock()
	again := s.RestartAfter
	stopped := s.stopped
	s.mu.Unlock()
	if again == 0 || stopped {
		return
	}
	time.Sleep(again)
	s.Start(ctx) // fails only when the lab is closing
}

// Stop ends the daemon and what it started, as systemctl stop does: SIGTERM to
// all, once more to those that are left when the daemon has ended, and at last
// SIGKILL.
func (s *Service) Stop(ctx context.Context) error {
	p := s.retire()
	if p == nil {
		return nil
	}
	s.host.Note("stop %s", s.name)
	limited, cancel := context.WithTimeout(ctx, stopTime)
	defer cancel()
	if err := p.SignalAll(syscall.SIGTERM); err != nil {
		return err
	}
	if _, err := p.Wait(limited); err == nil {
		if err := p.SignalAll(syscall.SIGTERM); err != nil {
			return err
		}
		if err := netlab.Until(limited, empty(p)); err == nil {
			return nil
		}
	}
	if err := p.SignalAll(syscall.SIGKILL); err != nil {
		return err
	}
	_, err := p.Wait(ctx)
	return err
}

// empty returns a condition: that nothing is left of a process's group.
func empty(p *netlab.Process) func(context.Context) error {
	return func(ctx context.Context) error {
		pids, err := p.Group(ctx)
		if err == nil && len(pids) > 0 {
			err = fmt.Errorf("processes %v are left", pids)
		}
		return err
	}
}

// retire marks the daemon as stopped on purpose. It returns nil if it has not
// been started.
func (s *Service) retire() *netlab.Process {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopped = true
	return s.process
}

// Restart stops and starts the daemon.
func (s *Service) Restart(ctx context.Context) error {
	if err := s.Stop(ctx); err != nil {
		return err
	}
	return s.Start(ctx)
}

// Kill kills the main process and waits until it is gone. What it started
// stays, and RestartAfter applies: this is a crash.
func (s *Service) Kill(ctx context.Context) error {
	return s.crash(ctx, "kill -9", (*netlab.Process).Signal)
}

// KillAll kills the main process and all it has started, at once.
func (s *Service) KillAll(ctx context.Context) error {
	return s.crash(ctx, "kill -9 all of", (*netlab.Process).SignalAll)
}

func (s *Service) crash(ctx context.Context, how string, signal func(*netlab.Process, syscall.Signal) error) error {
	p := s.Main()
	if p == nil {
		return fmt.Errorf("%s was never started", s.name)
	}
	s.host.Note("%s %s", how, s.name)
	if err := signal(p, syscall.SIGKILL); err != nil {
		return err
	}
	_, err := p.Wait(ctx)
	return err
}

// Hang stops the daemon's processes where they are (SIGSTOP): its port stays
// open, its links stay up, and nothing answers.
func (s *Service) Hang() error { return s.signalAll("hang", syscall.SIGSTOP) }

// Wake ends a Hang.
func (s *Service) Wake() error { return s.signalAll("wake", syscall.SIGCONT) }

// Reload sends SIGHUP to the main process.
func (s *Service) Reload() error {
	s.host.Note("reload %s", s.name)
	if p := s.Main(); p != nil {
		return p.Signal(syscall.SIGHUP)
	}
	return fmt.Errorf("%s was never started", s.name)
}

func (s *Service) signalAll(how string, signal syscall.Signal) error {
	p := s.Main()
	if p == nil {
		return fmt.Errorf("%s was never started", s.name)
	}
	s.host.Note("%s %s", how, s.name)
	return p.SignalAll(signal)
}

// Main returns the main process of the last start, or nil.
func (s *Service) Main() *netlab.Process {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.process
}

// Running tells whether the daemon runs. A hung one does.
func (s *Service) Running() bool {
	p := s.Main()
	return p != nil && p.Running()
}
