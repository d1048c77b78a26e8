package world

import (
	"context"
	"fmt"
	"slices"

	"redis-vip/checks"
	"redis-vip/hooks"
)

// lock is the file that serialises the hooks of one host: what
// [redis-vip/hooks.Lock] does with three bytes of it.
type lock struct {
	atWork  *process
	goal    checks.Goal // what that one works for
	said    bool        // it has said so
	next    *process    // next in line
	waiters []*thread
}

// locker is the lock as one process sees it.
type locker struct {
	*process
	*lock
}

// Acquire takes the lock; see [redis-vip/hooks.Locker].
func (l locker) Acquire(ctx context.Context, goal func() checks.Goal) (hooks.Claim, error) {
	d, k := own(ctx), l.lock
	for {
		switch {
		case k.atWork == nil:
			k.atWork, k.said = l.process, false
			if k.next == l.process {
				k.next = nil
			}
			return claim(l), nil
		case k.said && k.goal == goal():
			k.leave(l.process)
			return nil, fmt.Errorf("lock: %w", hooks.ErrInHand)
		case k.next != nil && k.next != l.process:
			return nil, fmt.Errorf("lock: %w", hooks.ErrInHand)
		}
		k.next = l.process
		k.waiters = append(k.waiters, l.cur)
		l.wait(never, d)
		if d != nil && d.Err() != nil {
			k.leave(l.process)
			return nil, fmt.Errorf("another run does not end: %w", d.Err())
		}
	}
}

func (k *lock) leave(p *process) {
	if k.next == p {
		k.next = nil
		k.changed()
	}
}

// changed has those who wait look again.
func (k *lock) changed() {
	waiters := k.waiters
	k.waiters = nil
	for _, t := range waiters {
		t.process.wake(t)
	}
}

// drop frees what a process had: the kernel forgets the locks with it.
func (k *lock) drop(p *process) {
	k.waiters = slices.DeleteFunc(k.waiters, func(t *thread) bool { return t.process == p })
	if k.next == p {
		k.next = nil
	}
	if k.atWork == p {
		k.atWork = nil
		k.changed()
	}
}

// claim is the lock that was taken.
type claim locker

func (c claim) Publish(goal checks.Goal) {
	c.goal, c.said = goal, true
	c.changed()
}

func (c claim) Release() { c.lock.drop(c.process) }
