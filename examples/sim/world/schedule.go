package world

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// Schedule is a whole run: what it begins with, and what goes wrong.
type Schedule struct {
	Setup
	Faults []Fault
}

// Draw makes the schedule of a seed.
func Draw(a Architecture, seed uint64) Schedule {
	s := Schedule{Setup: Setup{Architecture: a, Seed: seed}}
	r := s.stream(0)
	s.Persistence = Persistence(r.IntN(3))
	s.Backlog = []int64{256 << 20, 256 << 20, 16 << 10, 2 << 10}[r.IntN(4)]
	s.CopyTime = []time.Duration{20 * time.Millisecond, 20 * time.Millisecond, 300 * time.Millisecond, 4 * time.Second}[r.IntN(4)]
	s.Keys = []int64{0, 1000}[r.IntN(2)]
	if a == Witness {
		s.Witnesses = 1 + 2*r.IntN(2)
	} else {
		s.Gateway = r.IntN(2) == 0
	}
	s.Swapped = r.IntN(2) == 0
	hosts := 4 + s.Witnesses
	if s.Gateway {
		hosts++
	}
	harmless := r.IntN(12) == 0
	span := time.Duration(5+r.IntN(36)) * time.Second
	for range 1 + r.IntN(6) {
		f := Fault{
			Kind: Kind(r.IntN(int(kinds))),
			At:   2*time.Second + time.Duration(r.Int64N(int64(span))),
			For:  length(r), On: r.IntN(2), Much: r.Float64(),
		}
		if f.Kind.between() {
			f.To = 1 - f.On
			if r.IntN(3) == 0 {
				f.To = 2 + r.IntN(hosts-2)
			}
		}
		if f.Kind.ofHost() && hosts > 4 && r.IntN(3) == 0 {
			f.On = 4 + r.IntN(hosts-4)
		}
		if harmless { // to the nodes, that is
			f.Kind = []Kind{HostFrozen, PowerLoss, CutOff, ClockSet, Cut, CutOneWay, Lossy, Slow, HooksKilled}[r.IntN(9)]
			switch {
			case f.Kind.between():
				f.To = 2 + r.IntN(hosts-2)
			case f.Kind != HooksKilled && hosts > 4:
				f.On = 4 + r.IntN(hosts-4)
			default:
				f.Kind = HooksKilled
			}
		}
		s.Faults = append(s.Faults, f)
	}
	slices.SortStableFunc(s.Faults, func(a, b Fault) int { return cmp.Compare(a.At, b.At) })
	return s
}

// length is how long a fault lasts: moments, seconds, or longer than anybody waits.
func length(r *rand.Rand) time.Duration {
	most := []time.Duration{500 * time.Millisecond, 3 * time.Second, 12 * time.Second, 45 * time.Second}[r.IntN(4)]
	return 20*time.Millisecond + time.Duration(r.Int64N(int64(most))).Truncate(time.Millisecond)
}

// Result is what came of a run.
type Result struct {
	Violated  Invariant
	What      string
	At        time.Duration // when
	Took      time.Duration // the whole run, in its own time
	Acked     int           // writes that clients were told are done
	Exempt    int           // of them, those that died with the last process that had them
	Unwatched int           // of them, those that Redis threw away where no program of ours could look
	Saved     int           // of them, those that are only in files
	Moves     int           // of the VIP
}

// Runner runs schedules, one after the other.
type Runner struct {
	spare    workers
	Timeline func(string) // told what happens; may be nil
}

// Close frees what a runner keeps.
func (r *Runner) Close() { r.spare.drop() }

// Run is one run.
func (r *Runner) Run(s Schedule) Result {
	w := build(s.Setup, &r.spare)
	w.timeline = r.Timeline
	w.settleDown()
	last := 3 * time.Second
	killed := 0
	w.benign = true
	for _, f := range s.Faults {
		w.at(f.At, func() { w.begin(f) })
		w.at(f.At+f.For, func() { w.over(f) })
		last = max(last, f.At+f.For)
		if f.Kind == HooksKilled {
			killed++
		}
		w.benign = w.benign && w.benignFault(f) && killed <= 1
	}
	w.at(last, w.heal)
	w.after(watchEvery, w.look)
	w.run()
	for _, h := range w.hosts {
		for len(h.processes) > 0 {
			h.processes[0].kill()
		}
	}
	t := &w.watch
	return Result{t.violated, t.what, t.at, w.now, len(t.acked), t.exempt, t.unwatched, t.saved, len(t.moves)}
}

func (s Schedule) String() string {
	var b strings.Builder
	w := build(s.Setup, nil)
	fmt.Fprintf(&b, "%s, seed %d: persistence %s, backlog %d kB, a full copy takes %v, %d keys, gateway %v, %d witnesses, priorities swapped %v\n",
		s.Architecture, s.Seed, s.Persistence, s.Backlog>>10, s.CopyTime, s.Keys, s.Gateway, s.Witnesses, s.Swapped)
	for _, f := range s.Faults {
		fmt.Fprintf(&b, "  %8.3f  %s\n", f.At.Seconds(), f.describe(w))
	}
	return b.String()
}
