package world

import (
	"iter"
	"time"
)

// thread is one thread of a process: it runs until it waits for something, and then
// something else happens. Only one runs at any moment.
type thread struct {
	*worker
	process *process
	job     func()
	waits   uint64 // how often it has waited
	waiting bool
	ctx     *deadline // what it waits under
	done    bool      // the job has ended
	joiner  *thread   // waits for that
}

// worker is the coroutine that a thread runs in. It is used again: its stack has
// grown already.
type worker struct {
	next  func() (struct{}, bool)
	stop  func()
	yield func(struct{}) bool
	job   *thread
}

type workers struct{ idle []*worker }

// gone unwinds the stack of a thread whose process has died.
type gone struct{}

func (pool *workers) get() *worker {
	if n := len(pool.idle); n > 0 {
		w := pool.idle[n-1]
		pool.idle = pool.idle[:n-1]
		return w
	}
	w := new(worker)
	w.next, w.stop = iter.Pull(func(yield func(struct{}) bool) {
		w.yield = yield
		for {
			w.work()
			if !yield(struct{}{}) {
				return
			}
		}
	})
	return w
}

func (w *worker) work() {
	t := w.job
	defer func() {
		t.done = true
		if v := recover(); v != nil {
			if _, died := v.(gone); !died {
				panic(v)
			}
		}
	}()
	t.process.alive()
	t.job()
}

// drop ends the idle coroutines.
func (pool *workers) drop() {
	for _, w := range pool.idle {
		w.stop()
	}
	pool.idle = nil
}

// step lets a thread go on until it waits again, or ends.
func (e *engine) step(t *thread) {
	t.waits++
	t.waiting, t.ctx = false, nil
	before := e.cur
	e.cur = t
	if t.worker == nil {
		t.worker = e.spare.get()
		t.worker.job = t
	}
	w := t.worker
	w.next()
	e.cur = before
	if t.done {
		e.spare.idle = append(e.spare.idle, w)
		t.process.ended(t)
	}
}

// wait parks the running thread until then, or until ctx ends, or until somebody
// wakes it. Where nothing else happens until then, time passes and no more.
func (e *engine) wait(then time.Duration, ctx *deadline) {
	t := e.cur
	t.process.alive()
	if ctx != nil {
		then = min(then, ctx.end)
	}
	switch {
	case then <= e.now || ctx.cancelled():
		return
	case then < never && (len(e.events) == 0 || e.events[0].at > then):
		e.now = then
		return
	case then < never:
		e.push(event{at: then, thread: t, wait: t.waits})
	}
	t.waiting, t.ctx = true, ctx
	if !t.yield(struct{}{}) {
		panic(gone{})
	}
	t.process.alive()
}

// wake ends the wait of a thread, after what happens now.
func (e *engine) wake(t *thread) {
	if t != nil && t.waiting {
		e.push(event{at: e.now, thread: t, wait: t.waits})
	}
}
