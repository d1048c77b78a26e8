package hooks

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"redis-vip/checks"
	"redis-vip/checks/node/nodetest"
)

func goal(g checks.Goal) func() checks.Goal { return func() checks.Goal { return g } }

func acquire(t *testing.T, l Lock, g checks.Goal, within time.Duration) (Claim, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	return l.Acquire(ctx, goal(g))
}

func TestLock(t *testing.T) {
	l := Lock{filepath.Join(t.TempDir(), "group.lock")}
	worker, err := acquire(t, l, checks.BeMaster, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	worker.Publish(checks.BeReplica)
	worker.Publish(checks.BeMaster)

	if _, err := acquire(t, l, checks.BeMaster, time.Second); !errors.Is(err, ErrInHand) {
		t.Errorf("the goal of the run at work: %v, want %v", err, ErrInHand)
	}
	if _, err := acquire(t, l, checks.BeReplica, 50*time.Millisecond); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the opposite goal: %v, want to wait", err)
	}

	next := make(chan error)
	go func() {
		held, err := acquire(t, l, checks.BeReplica, 10*time.Second)
		held.Release()
		next <- err
	}()
	probe, err := open(l.Path)
	if err != nil {
		t.Fatal(err)
	}
	defer probe.Close()
	nodetest.Eventually(t, "somebody next in line", func() error {
		if !locked(probe, nextInLine) {
			return errors.New("nobody is")
		}
		return nil
	})
	if _, err := acquire(t, l, checks.BeReplica, time.Second); !errors.Is(err, ErrInHand) {
		t.Errorf("third in line: %v, want %v", err, ErrInHand)
	}
	worker.Release()
	if err := <-next; err != nil {
		t.Errorf("next in line: %v", err)
	}
	if held, err := acquire(t, l, checks.BeMaster, time.Second); err != nil {
		t.Errorf("after all are gone: %v", err)
	} else {
		held.Release()
	}
}

func TestLockInNoFolder(t *testing.T) {
	_, err := acquire(t, Lock{filepath.Join(t.TempDir(), "none", "group.lock")}, checks.BeMaster, time.Second)
	if err == nil {
		t.Fatal("no error")
	}
	t.Log(err)
}
