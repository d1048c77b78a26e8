package preserve_test

import (
	"errors"
	"testing"

	"redis-vip/checks/node/nodetest"
	"redis-vip/hooks/preserve"
)

// While all its data is saved, everybody sees that this master is about to follow.
func TestSavedIsSeen(t *testing.T) {
	t.Parallel()
	a, b := nodetest.Redis(t, "repl-diskless-sync-delay 1"), nodetest.Redis(t)
	a.Do("SET", "k", "v")
	done := make(chan error, 1)
	go func() {
		f, err := preserve.Store{Dir: t.TempDir(), Group: "group"}.Save(soon(t), preserve.Request{Node: a.Endpoint(), Master: b.Look()})
		if err == nil && f.Kind != preserve.RDB {
			err = errors.New("saved as " + string(f.Kind))
		}
		done <- err
	}()
	nodetest.Eventually(t, "the mark", func() error {
		if f := a.Look(); !f.Saved() {
			return errors.New("not seen")
		}
		return nil
	})
	if err := <-done; err != nil {
		t.Error(err)
	}
	nodetest.Eventually(t, "the end of the mark", func() error {
		if f := a.Look(); f.Saved() {
			return errors.New("still seen")
		}
		return nil
	})
}
