package node_test

import (
	"math"
	"testing"
	"time"

	"redis-vip/checks/node"
)

// Redis counts by the time of day. After the clock was set back, -1 is still never, and
// nothing else is.
func TestClockSetBack(t *testing.T) {
	for seconds, want := range map[int64]time.Duration{7: 7 * time.Second, 0: 0, -1: -time.Second, -2: 0, -3600: 0} {
		if got := node.Since(seconds); got != want {
			t.Errorf("since %d: %v, want %v", seconds, got, want)
		}
	}
	for seconds, want := range map[int64]time.Duration{3: 3 * time.Second, -1: math.MaxInt64, -3600: math.MaxInt64} {
		if got := node.Lag(seconds); got != want {
			t.Errorf("lag %d: %v, want %v", seconds, got, want)
		}
	}
}
