// Package clock is the time that checks and hooks live in.
package clock

import (
	"context"
	"time"

	"golang.org/x/sys/unix"
)

// Clock is the machine's time, or that of a simulator, in which an hour takes a
// millisecond. All waiting that a decision rests on goes through it.
type Clock interface {
	Now() time.Time
	// Boot is the time since the machine started, which nobody sets, and which goes
	// on while it is suspended.
	Boot() time.Duration
	// Sleep returns when d has passed, or when the context has ended.
	Sleep(ctx context.Context, d time.Duration)
	WithTimeout(parent context.Context, d time.Duration) (context.Context, context.CancelFunc)
	WithCancel(parent context.Context) (context.Context, context.CancelFunc)
	// Go runs f beside the caller; wait returns when f has.
	Go(f func()) (wait func())
}

// Wall is the machine's time.
type Wall struct{}

// Now is the time of day, with the monotonic clock beside it.
func (Wall) Now() time.Time { return time.Now() }

// Boot is CLOCK_BOOTTIME.
func (Wall) Boot() time.Duration {
	var t unix.Timespec
	unix.ClockGettime(unix.CLOCK_BOOTTIME, &t)
	return time.Duration(t.Nano())
}

// Sleep waits for d, or less if the context ends.
func (Wall) Sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// WithTimeout is [context.WithTimeout].
func (Wall) WithTimeout(parent context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(parent, d)
}

// WithCancel is [context.WithCancel].
func (Wall) WithCancel(parent context.Context) (context.Context, context.CancelFunc) {
	return context.WithCancel(parent)
}

// Go starts a goroutine.
func (Wall) Go(f func()) (wait func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	return func() { <-done }
}

// Since is [time.Since] on a clock.
func Since(c Clock, start time.Time) time.Duration { return c.Now().Sub(start) }
