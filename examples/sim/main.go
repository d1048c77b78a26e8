// Command sim runs redis-vip's own decision code in a world of virtual time, with
// random faults, and says which of its promises did not hold.
//
//	go run ./examples/sim --seed 42 --timeline
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"redis-vip/examples/sim/world"
)

func main() {
	seed := flag.Uint64("seed", 0, "run this one")
	from := flag.Uint64("from", 1, "the first of many")
	count := flag.Uint64("count", 0, "how many")
	timeline := flag.Bool("timeline", false, "print what happens")
	keep := flag.Int("keep", 5, "stop after so many failures")
	shrink := flag.Bool("shrink", false, "")
	var arch world.Architecture
	flag.TextVar(&arch, "architecture", world.Pair, "pair")
	flag.Parse()
	if *count == 0 {
		r := world.Runner{}
		s := world.Draw(arch, *seed)
		if *shrink {
			s = world.Shrink(s)
		}
		if *timeline {
			r.Timeline = func(s string) { fmt.Println(s) }
		}
		fmt.Print(s)
		fmt.Printf("%+v\n", r.Run(s))
		return
	}
	start := time.Now()
	var next, failed atomic.Uint64
	next.Store(*from)
	var wg sync.WaitGroup
	var mu sync.Mutex
	var virtual time.Duration
	var total world.Result
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			r := world.Runner{}
			defer r.Close()
			for {
				n := next.Add(1) - 1
				if n >= *from+*count || int(failed.Load()) >= *keep {
					return
				}
				s := world.Draw(arch, n)
				res := r.Run(s)
				mu.Lock()
				virtual += res.Took
				total.Acked += res.Acked
				total.Exempt += res.Exempt
				total.Unwatched += res.Unwatched
				total.Saved += res.Saved
				if res.Violated != world.None {
					failed.Add(1)
					fmt.Printf("seed %d: %s at %v: %s\n", n, res.Violated, res.At, res.What)
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	took := time.Since(start)
	n := next.Load() - *from
	fmt.Printf("%d runs in %v: %.0f/s, %.0f s of virtual time each; acked %d, exempt %d, unwatched %d, saved %d; %d failed\n", n, took.Round(time.Millisecond), float64(n)/took.Seconds(), virtual.Seconds()/float64(n), total.Acked, total.Exempt, total.Unwatched, total.Saved, failed.Load())
	if failed.Load() > 0 {
		os.Exit(1)
	}
}
