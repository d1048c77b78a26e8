package agree

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"redis-vip/examples/lab/netlab"
	"redis-vip/examples/sim/world"
)

const (
	// runs is how often the model plays a schedule, each time with other moments for the
	// checks, the adverts and the packets: what it sees in any of them may be so.
	runs = 32

	// advert is the longest time from one advert to the next.
	advert = 1200 * ms

	// sideBySide is how many labs are up at once. They mostly wait, but they all start.
	sideBySide = 7
)

// Result is what came of a schedule in both worlds.
type Result struct {
	Case    Case
	Model   []world.Outcome
	Lab     world.Outcome
	Journal []netlab.Entry // what the lab's hosts logged
	Err     error          // it could not be played, or did not end well
}

// Run plays all schedules, and tells what came of each when it has ended; one at a time.
func Run(ctx context.Context, cases []Case, programs string, tell func(Result)) {
	var playing sync.WaitGroup
	var telling sync.Mutex
	turn := make(chan struct{}, sideBySide)
	for _, c := range cases {
		playing.Go(func() {
			turn <- struct{}{}
			r := run(ctx, c, programs)
			<-turn
			telling.Lock()
			defer telling.Unlock()
			tell(r)
		})
	}
	playing.Wait()
}

func run(ctx context.Context, c Case, programs string) (r Result) {
	r.Case = c
	if r.Model, r.Err = Model(c); r.Err != nil {
		return r
	}
	r.Lab, r.Journal, r.Err = Play(ctx, c, programs)
	return r
}

// Model plays a schedule in the simulator. There the first advert goes out at the very
// beginning, so the faults come a part of a second later each time.
func Model(c Case) (list []world.Outcome, err error) {
	var r world.Runner
	defer r.Close()
	for n := range runs {
		late := time.Duration(n) * advert / runs
		schedule := c.Schedule
		schedule.Seed = uint64(n)
		schedule.Faults = slices.Clone(c.Faults)
		for i := range schedule.Faults {
			schedule.Faults[i].At += late
		}
		result, saw := r.Observe(schedule)
		if err := result.Err(); err != nil {
			return nil, fmt.Errorf("%s, seed %d: %w", c.Name, n, err)
		}
		for i := range saw.Acked {
			saw.Acked[i] -= late
		}
		for i := range saw.Moves {
			saw.Moves[i].At -= late
		}
		list = append(list, saw)
	}
	return list, nil
}
