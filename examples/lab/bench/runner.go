package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"time"

	"redis-vip/examples/lab/netlab"
)

// variable makes this executable the runner, and holds its plan.
const variable = "REDIS_VIP_BENCH_PLAN"

// plan is what a runner does: each program once a round, and then once more to see
// how much memory it takes.
type plan struct {
	Rounds   int
	Programs []Program
}

// cost is what a program was seen to cost.
type cost struct {
	Samples []Sample
	Peak    int64 // bytes
}

// Init must be called first thing in main: a bench starts its own executable on the
// lab's hosts, and there Init does not return.
func Init() {
	text := os.Getenv(variable)
	if text == "" {
		return
	}
	var p plan
	err := json.Unmarshal([]byte(text), &p)
	if err == nil {
		err = p.run()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func (p plan) run() error {
	null, err := os.OpenFile("/dev/null", os.O_RDWR, 0)
	if err != nil {
		return err
	}
	costs := make([]cost, len(p.Programs))
	for round := range p.Rounds + 1 { // the first only warms up
		for i := range p.Programs {
			i = (i + round) % len(p.Programs) // nobody always comes after the same one
			sample, err := p.Programs[i].run(null)
			if err != nil {
				return err
			}
			if round > 0 {
				costs[i].Samples = append(costs[i].Samples, sample)
			}
		}
	}
	for i, program := range p.Programs {
		if costs[i].Peak, err = program.peak(null); err != nil {
			return err
		}
	}
	return json.NewEncoder(os.Stdout).Encode(costs)
}

// measure has programs run on a host in turns.
func (b *Bench) measure(ctx context.Context, host *netlab.Host, rounds int, programs ...Program) ([]cost, error) {
	text, err := json.Marshal(plan{rounds, programs})
	if err != nil {
		return nil, err
	}
	status, err := host.Run(ctx, netlab.Command{Args: []string{b.path("runner")}, Env: []string{variable + "=" + string(text)}})
	if err == nil && status.Code != 0 {
		err = fmt.Errorf("%s: %v: %s", host.Name, status, status.Stderr)
	}
	if err != nil {
		return nil, err
	}
	var costs []cost
	return costs, json.Unmarshal(status.Stdout, &costs)
}

func (c cost) wall() time.Duration { return c.median(func(s Sample) time.Duration { return s.Wall }) }

func (c cost) cpu() time.Duration { return c.median(func(s Sample) time.Duration { return s.CPU }) }

func (c cost) median(of func(Sample) time.Duration) time.Duration {
	var list []time.Duration
	for _, s := range c.Samples {
		list = append(list, of(s))
	}
	slices.Sort(list)
	return list[len(list)/2]
}
