package world

import (
	"context"
	"time"
)

// epoch is the time of day at which every run begins.
var epoch = time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)

// clock is the [redis-vip/checks/clock.Clock] of one process. As in a Go program, it
// reads the time of day when it starts and then counts on: somebody who sets the
// host's clock changes what the next process reads.
type clock struct {
	*process
	skew time.Duration
}

func (c clock) Now() time.Time { return epoch.Add(c.engine.now + c.skew) }

// Boot is the time since the host booted.
func (c clock) Boot() time.Duration { return c.engine.now - c.host.booted }

func (c clock) Sleep(ctx context.Context, d time.Duration) { c.engine.wait(c.engine.now+d, own(ctx)) }

func (c clock) WithTimeout(parent context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	return c.child(parent, c.engine.now+d)
}

func (c clock) WithCancel(parent context.Context) (context.Context, context.CancelFunc) {
	return c.child(parent, never)
}

func (c clock) child(parent context.Context, end time.Duration) (context.Context, context.CancelFunc) {
	d := &deadline{engine: c.engine, parent: own(parent), end: end}
	if d.parent != nil {
		d.end = min(d.end, d.parent.end)
	}
	return d, func() {
		if !d.ended {
			d.ended = true
			c.wakeCancelled()
		}
	}
}

// Go starts a thread of the process.
func (c clock) Go(f func()) (wait func()) {
	t := c.start(0, f)
	return func() {
		for !t.done {
			t.joiner = c.cur
			c.engine.wait(never, nil)
		}
	}
}

// deadline is a context of virtual time.
type deadline struct {
	engine *engine
	parent *deadline
	end    time.Duration
	ended  bool // by cancel
}

// own is the part of a context that is ours. What was made of one by
// [context.WithoutCancel] does not end.
func own(ctx context.Context) *deadline {
	d, _ := ctx.(*deadline)
	return d
}

// cancelled says whether it or a parent was cancelled. nil is a background.
func (d *deadline) cancelled() bool {
	for ; d != nil; d = d.parent {
		if d.ended {
			return true
		}
	}
	return false
}

// Err says whether the context has ended, and how.
func (d *deadline) Err() error {
	switch {
	case d.engine.now >= d.end:
		return context.DeadlineExceeded
	case d.cancelled():
		return context.Canceled
	}
	return nil
}

// Deadline is what the context's clock will say when it ends.
func (d *deadline) Deadline() (time.Time, bool) { return epoch.Add(d.end), d.end < never }

// Done is nil: nothing here selects.
func (d *deadline) Done() <-chan struct{} { return nil }

// Value is nil.
func (d *deadline) Value(any) any { return nil }
