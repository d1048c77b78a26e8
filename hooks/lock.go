package hooks

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"redis-vip/checks"

	"golang.org/x/sys/unix"
)

// Locker serialises the hooks of one group on this host. keepalived starts them
// without waiting for each other, and in no order (keepalived#1055).
type Locker interface {
	// Acquire takes the lock. While another run has it, it waits, or gives up with
	// [ErrInHand] as soon as the matter turns out to be in hand; goal says what this
	// run would work for now. The context bounds the wait.
	Acquire(ctx context.Context, goal func() checks.Goal) (Claim, error)
}

// Claim is a lock that was taken.
type Claim interface {
	// Publish says what the holder works for, in place of what it said before.
	Publish(checks.Goal)
	Release()
}

// Lock is the [Locker] of real hosts: a file of which the run at work locks
// one byte, and another to say what it works for, and the run that is next in line a third. Nothing is ever written to
// it: the kernel forgets the locks with the process, so a killed run leaves no
// stale claim behind.
type Lock struct{ Path string }

// The bytes of the file, and what it means to have one locked.
const (
	atWork int64 = iota
	nextInLine
	worksFor // + goal
)

// ErrInHand says that a run need not wait: one that is at work has the same goal,
// or one that has not begun yet will read everything that it would read.
var ErrInHand = errors.New("already running")

const lockPoll = 5 * time.Millisecond

type held struct{ file *os.File }

// Acquire takes the lock; see [Locker].
func (l Lock) Acquire(ctx context.Context, goal func() checks.Goal) (Claim, error) {
	file, err := open(l.Path)
	if err != nil {
		return nil, err
	}
	if err := wait(ctx, file, goal); err != nil {
		file.Close()
		return nil, fmt.Errorf("%s: %w", l.Path, err)
	}
	return held{file}, nil
}

func wait(ctx context.Context, file *os.File, goal func() checks.Goal) error {
	queued := false
	for {
		switch free, err := tryLock(file, atWork); {
		case err != nil:
			return err
		case free:
			unlock(file, nextInLine)
			return nil
		case locked(file, worksFor+int64(goal())):
			return ErrInHand
		}
		if !queued {
			first, err := tryLock(file, nextInLine)
			if err != nil {
				return err
			}
			if !first {
				return ErrInHand
			}
			queued = true
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("another run does not end: %w", ctx.Err())
		case <-time.After(lockPoll):
		}
	}
}

func (h held) Publish(goal checks.Goal) {
	for _, g := range []checks.Goal{checks.NoGoal, checks.BeMaster, checks.BeReplica} {
		if g != goal {
			unlock(h.file, worksFor+int64(g))
		}
	}
	tryLock(h.file, worksFor+int64(goal)) // nobody else ever locks it without atWork
}

func (h held) Release() {
	h.file.Close() // closing the only descriptor drops its locks (fcntl(2), open file description locks)
}

// open opens or creates the file so that root and keepalived's script user can
// both lock it: keepalived runs with umask 0177, and a file that root made belongs
// to whoever the folder belongs to.
func open(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o660)
	if err != nil {
		return nil, fmt.Errorf("cannot open the lock: %w", errors.Join(err, remedyFolder(path)))
	}
	file.Chmod(0o660) // fails where another user made it, and did this
	var folder unix.Stat_t
	if os.Geteuid() == 0 && unix.Stat(filepath.Dir(path), &folder) == nil {
		file.Chown(int(folder.Uid), int(folder.Gid))
	}
	return file, nil
}

func remedyFolder(path string) error {
	folder := filepath.Dir(path)
	if _, err := os.Stat(folder); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("make the folder: install -d -o redis-vip -g redis -m 0771 %s", folder)
	}
	return nil
}

// tryLock locks one byte if nobody else has. Open file description locks belong to
// the descriptor, and end with it.
func tryLock(file *os.File, at int64) (bool, error) {
	err := unix.FcntlFlock(file.Fd(), unix.F_OFD_SETLK, &unix.Flock_t{Type: unix.F_WRLCK, Start: at, Len: 1})
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EACCES):
		return false, nil
	default:
		return false, fmt.Errorf("cannot lock: %w", err)
	}
}

func unlock(file *os.File, at int64) {
	unix.FcntlFlock(file.Fd(), unix.F_OFD_SETLK, &unix.Flock_t{Type: unix.F_UNLCK, Start: at, Len: 1})
}

// locked says whether another descriptor has the byte.
func locked(file *os.File, at int64) bool {
	probe := unix.Flock_t{Type: unix.F_WRLCK, Start: at, Len: 1}
	return unix.FcntlFlock(file.Fd(), unix.F_OFD_GETLK, &probe) == nil && probe.Type != unix.F_UNLCK
}
