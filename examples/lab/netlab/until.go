package netlab

import (
	"context"
	"fmt"
	"time"
)

// pollInterval is short against anything a test measures.
const pollInterval = 10 * time.Millisecond

// Until waits for a state that gives no event: it asks again and again until
// condition returns nil. When ctx ends first, the error says what was still
// wrong.
func Until(ctx context.Context, condition func(context.Context) error) error {
	var wrong error
	for {
		err := condition(ctx)
		if err == nil {
			return nil
		}
		if wrong == nil || ctx.Err() == nil { // else it may say no more than that
			wrong = err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", context.Cause(ctx), wrong)
		case <-time.After(pollInterval):
		}
	}
}
