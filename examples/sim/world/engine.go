// Package world is a deterministic model of the hosts, the network, Redis, keepalived
// and Sentinel that redis-vip's own decision code runs in. Time is virtual, everything
// happens in one thread, and one seed makes one run: the same every time.
package world

import "time"

// engine runs what happens, in the order of virtual time, and of arrival where the
// times are equal.
type engine struct {
	now    time.Duration // since the beginning of the run
	seq    uint64
	events []event // a heap
	cur    *thread
	spare  *workers
	ended  bool
}

// event is a function to call, or a thread to go on with.
type event struct {
	at     time.Duration
	seq    uint64
	do     func()
	thread *thread
	wait   uint64 // which wait of the thread this ends; one that was woken otherwise is past it
}

func (e *engine) at(t time.Duration, do func()) { e.push(event{at: t, do: do}) }

func (e *engine) after(d time.Duration, do func()) { e.push(event{at: e.now + d, do: do}) }

func (e *engine) push(v event) {
	e.seq++
	v.seq, v.at = e.seq, max(v.at, e.now)
	e.events = append(e.events, v)
	i := len(e.events) - 1
	for i > 0 {
		parent := (i - 1) / 2
		if !before(&v, &e.events[parent]) {
			break
		}
		e.events[i] = e.events[parent]
		i = parent
	}
	e.events[i] = v
}

func (e *engine) pop() event {
	first := e.events[0]
	n := len(e.events) - 1
	last := e.events[n]
	e.events[n] = event{}
	e.events = e.events[:n]
	if n == 0 {
		return first
	}
	i := 0
	for {
		child := 2*i + 1
		if child >= n {
			break
		}
		if child+1 < n && before(&e.events[child+1], &e.events[child]) {
			child++
		}
		if !before(&e.events[child], &last) {
			break
		}
		e.events[i] = e.events[child]
		i = child
	}
	e.events[i] = last
	return first
}

func before(a, b *event) bool { return a.at < b.at || a.at == b.at && a.seq < b.seq }

// run goes on until somebody has called end.
func (e *engine) run() {
	for !e.ended && len(e.events) > 0 {
		v := e.pop()
		e.now = v.at
		switch {
		case v.thread == nil:
			v.do()
		case v.thread.waits == v.wait:
			v.thread.process.resume(v.thread)
		}
	}
}

// never is a time that does not come.
const never = time.Duration(1<<63 - 1)
