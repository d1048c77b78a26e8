package program

import (
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"time"

	"redis-vip/checks"
	"redis-vip/checks/survey"
	"redis-vip/hooks"

	"github.com/urfave/cli/v2"
)

// rememberDetached has another process write down what this node is. It waits for
// the disk, which Redis may keep busy for seconds just when it saves; a health check
// must not.
func rememberDetached(c *cli.Context, m checks.Memory, base time.Time) error {
	text, err := json.Marshal(note{m, base})
	if err != nil {
		return err
	}
	return detach(c, RedisCheck, "--remember", string(text))
}

// note is a memory, and when the one was written that it was made out of.
type note struct {
	Memory checks.Memory `json:"memory"`
	Base   time.Time     `json:"base"`
}

// remember is that process. Where the one before it still waits for the disk,
// there is no need for another: the next check will see to it.
func (s seat) remember(ctx context.Context, text string) error {
	var n note
	if err := json.Unmarshal([]byte(text), &n); err != nil {
		return usage("--remember: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
	defer cancel()
	lock, err := hooks.Lock{Path: filepath.Join(s.RunDir, s.Name+".memory.lock")}.
		Acquire(ctx, func() checks.Goal { return checks.NoGoal })
	if errors.Is(err, hooks.ErrInHand) || ctx.Err() != nil {
		return nil
	}
	defer lock.Release()
	return survey.Update(s.memory(), n.Memory, n.Base)
}
