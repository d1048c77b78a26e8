package world

import (
	"slices"
	"time"
)

// process is a run of one of our programs.
type process struct {
	*engine
	host    *host
	name    string
	threads []*thread
	main    *thread
	root    *deadline // cancelled by SIGTERM
	clock   clock
	dead    bool
	err     error
	exit    func(error) // told how it ended; not where it was killed
}

// spawn starts a process after some time, unless the host has gone down by then.
func (h *host) spawn(delay time.Duration, name string, run func(*process) error, exit func(error)) *process {
	p := &process{engine: &h.world.engine, host: h, name: name, exit: exit}
	p.root = &deadline{engine: p.engine, end: never}
	p.clock = clock{p, h.skew}
	h.processes = append(h.processes, p)
	p.main = p.start(delay, func() {
		p.clock.skew = h.skew
		p.err = run(p)
	})
	return p
}

func (p *process) start(delay time.Duration, f func()) *thread {
	t := &thread{process: p, job: f}
	p.threads = append(p.threads, t)
	p.engine.push(event{at: p.engine.now + delay, thread: t})
	return t
}

// alive unwinds the thread of a dead process: it must not act any more, not even by
// what it has deferred.
func (p *process) alive() {
	if p.dead {
		panic(gone{})
	}
}

// resume lets a thread go on, unless its host is frozen: then it does when the host
// thaws.
func (p *process) resume(t *thread) {
	if p.host.frozen {
		p.host.late = append(p.host.late, event{thread: t, wait: t.waits})
		return
	}
	p.engine.step(t)
}

// ended is called when a thread has.
func (p *process) ended(t *thread) {
	p.engine.wake(t.joiner)
	if i := slices.Index(p.threads, t); i >= 0 {
		p.threads = slices.Delete(p.threads, i, i+1)
	}
	if t != p.main || p.dead {
		return
	}
	p.kill() // its other threads end with it
	if p.exit != nil {
		p.exit(p.err)
	}
}

// kill ends the process at once: nothing that it had in hand is finished.
func (p *process) kill() {
	if p.dead {
		return
	}
	p.dead = true
	for len(p.threads) > 0 {
		p.engine.step(p.threads[0])
	}
	p.host.reap(p)
}

// terminate is SIGTERM to a program that ends itself between two steps.
func (p *process) terminate() {
	p.root.ended = true
	p.wakeCancelled()
}

// wakeCancelled wakes the threads whose context has ended.
func (p *process) wakeCancelled() {
	for _, t := range p.threads {
		if t.waiting && t.ctx.cancelled() {
			p.engine.wake(t)
		}
	}
}
