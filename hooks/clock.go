package hooks

import (
	"context"
	"time"
)

// Clock is the time that a hook lives in: the machine's, or that of a simulator, in
// which an hour takes a millisecond. All waiting of the decisions goes through it.
type Clock interface {
	Now() time.Time
	// Sleep returns when d has passed, or when the context has ended.
	Sleep(ctx context.Context, d time.Duration)
	WithTimeout(parent context.Context, d time.Duration) (context.Context, context.CancelFunc)
	WithCancel(parent context.Context) (context.Context, context.CancelFunc)
	// Go runs f beside the caller; wait returns when f has.
	Go(f func()) (wait func())
}

// WallClock is the machine's time.
type WallClock struct{}

// Now is the time of day, with the monotonic clock beside it.
func (WallClock) Now() time.Time { return time.Now() }

// Sleep waits for d, or less if the context ends.
func (WallClock) Sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// WithTimeout is [context.WithTimeout].
func (WallClock) WithTimeout(parent context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(parent, d)
}

// WithCancel is [context.WithCancel].
func (WallClock) WithCancel(parent context.Context) (context.Context, context.CancelFunc) {
	return context.WithCancel(parent)
}

// Go starts a goroutine.
func (WallClock) Go(f func()) (wait func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	return func() { <-done }
}

// since is [time.Since] on a clock.
func since(c Clock, start time.Time) time.Duration { return c.Now().Sub(start) }
