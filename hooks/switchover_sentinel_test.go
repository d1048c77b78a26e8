package hooks_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"redis-vip/checks"
	"redis-vip/hooks"
)

// A switchover right after a failover is one that a Sentinel may undo.
func TestSentinelSwitchoverCalm(t *testing.T) {
	second := func(n int) time.Duration { return time.Duration(n) * time.Second }
	for name, test := range map[string]struct {
		answers []checks.Answer
		least   time.Duration // it waits
	}{
		"long ago":                  {[]checks.Answer{{Epoch: 3, Named: second(100)}, {Epoch: 3, Named: second(12)}}, 0},
		"one has just switched":     {[]checks.Answer{{Epoch: 3, Named: second(100)}, {Epoch: 3, Named: second(4)}}, second(8)},
		"never":                     {[]checks.Answer{{Named: second(4)}}, 0},
		"one that does not say":     {[]checks.Answer{{Epoch: 3}}, 0},
		"one that does not answer":  {[]checks.Answer{{Err: context.DeadlineExceeded}, {Epoch: 3, Named: second(9)}}, second(3)},
		"all have, at other times":  {[]checks.Answer{{Epoch: 1, Named: second(5)}, {Epoch: 1, Named: second(6)}, {Epoch: 1, Named: second(2)}}, second(10)},
		"less than a millisecond":   {[]checks.Answer{{Epoch: 1, Named: time.Millisecond}}, second(11)},
		"nobody is left to look at": {nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began, said := time.Now(), ""
				s := hooks.SentinelSwitchover{Retry: 100 * time.Millisecond}
				s.Convene = func(context.Context) (now []checks.Answer) {
					for _, a := range test.answers {
						if a.Named > 0 {
							a.Named += time.Since(began)
						}
						now = append(now, a)
					}
					return now
				}
				s.Say = func(format string, args ...any) { said += fmt.Sprintf(format, args...) }
				err := s.Calm(t.Context())
				took := time.Since(began)
				if err != nil || took < test.least || took > test.least+time.Second || (said != "") != (test.least > 0) {
					t.Errorf("after %v: %v, said %q, want it after %v", took, err, said, test.least)
				}
			})
		})
	}
}

// It does not wait for ever, as where the Sentinels switch again and again.
func TestSentinelSwitchoverNeverCalm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		s := hooks.SentinelSwitchover{
			Retry:   100 * time.Millisecond,
			Convene: func(context.Context) []checks.Answer { return []checks.Answer{{Epoch: 9, Named: time.Second}} },
			Say:     func(string, ...any) {},
		}
		if err := s.Calm(t.Context()); err == nil || time.Since(began) > 30*time.Second {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
	})
}
