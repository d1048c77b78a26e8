package main

import (
	"errors"
	"fmt"
	"time"

	"redis-vip/examples/sim/world"
)

// regression is a schedule that once broke a promise, as small as it got.
type regression struct {
	why string
	world.Schedule
}

// known runs all regressions.
func known() (failed error) {
	var r world.Runner
	defer r.Close()
	for _, k := range regressions {
		if err := r.Run(k.Schedule).Err(); err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w\n%s", k.why, err, k.Schedule))
		}
	}
	fmt.Printf("%d regressions\n", len(regressions))
	return failed
}

const ms = time.Millisecond

var regressions = []regression{}
