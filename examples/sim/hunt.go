package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"redis-vip/examples/sim/world"
)

// hunt runs the schedules of many seeds, on all cores.
type hunt struct {
	Architectures []world.Architecture
	Only          []world.Kind // of faults; none: all
	Few           bool         // each seed has one to three kinds
	Name          string
	First, Runs   uint64
	Brief         bool // the first failure is enough
}

// most is after how many failures a hunt ends.
const most = 5

// found is a schedule that failed.
type found struct {
	schedule world.Schedule
	result   world.Result
}

// Run says how many were run, and how fast. Each failure is shrunk and shown.
func (h hunt) Run(ctx context.Context) error {
	if h.Runs == 0 {
		return nil
	}
	start := time.Now()
	var next, runs atomic.Uint64
	var mu sync.Mutex
	var failures []found
	var total world.Result
	var busy sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		busy.Go(func() {
			var r world.Runner
			defer r.Close()
			var sum world.Result
			for ctx.Err() == nil {
				n := next.Add(1) - 1
				if n >= h.Runs {
					break
				}
				s := draw(h.Architectures[n%uint64(len(h.Architectures))], h.First+n, h.Few, h.Only)
				result := r.Run(s)
				runs.Add(1)
				sum.Add(result)
				if result.Err() != nil {
					mu.Lock()
					failures = append(failures, found{s, result})
					if len(failures) >= most || h.Brief {
						next.Store(h.Runs)
					}
					mu.Unlock()
				}
			}
			mu.Lock()
			defer mu.Unlock()
			total.Add(sum)
		})
	}
	busy.Wait()
	took := time.Since(start)
	fmt.Printf("%s seeds from %d on: %d schedules in %.1f s, %.0f a second; %.0f hours of their time\n"+
		"  of %d acknowledged writes %d are only in files, and %d died with the last process that had them;\n"+
		"  where no program of ours could be faster, Redis threw %d away, and Sentinel %d\n",
		h.Name, h.First, runs.Load(), took.Seconds(), float64(runs.Load())/took.Seconds(), total.Took.Hours(), total.Acked, total.Saved, total.Exempt, total.Unwatched, total.Discarded)
	var failed error
	for _, f := range failures {
		failed = errors.Join(failed, fmt.Errorf("%s, seed %d: %w", f.schedule.Architecture, f.schedule.Seed, f.result.Err()))
	}
	if len(failures) > 0 && !h.Brief {
		show(failures[0])
	}
	return errors.Join(failed, ctx.Err())
}

// draw makes the schedule of a seed, with the kinds of faults that the flags ask for.
func draw(a world.Architecture, seed uint64, few bool, only []world.Kind) world.Schedule {
	if few {
		only = world.Few(a, seed)
	}
	return world.Draw(a, seed, only...)
}

// show prints the least that fails, as a person reads it and as regressions.go has it.
func show(f found) {
	least := world.Shrink(f.schedule)
	one(least, true, false)
	fmt.Printf("\nA regression test, once it is understood:\n%s\n\n", least.Literal())
}
