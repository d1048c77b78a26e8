package takeover

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"time"
)

// Duration is one that a file has in milliseconds.
type Duration time.Duration

// MarshalJSON writes milliseconds, with a tenth.
func (d Duration) MarshalJSON() ([]byte, error) {
	return fmt.Appendf(nil, "%.1f", d.Milliseconds()), nil
}

// UnmarshalJSON reads them.
func (d *Duration) UnmarshalJSON(text []byte) error {
	var ms float64
	err := json.Unmarshal(text, &ms)
	*d = Duration(ms * float64(time.Millisecond))
	return err
}

// Milliseconds returns them as a number.
func (d Duration) Milliseconds() float64 { return float64(d) / float64(time.Millisecond) }

// Report is what a bench has measured, and where.
type Report struct {
	Date       string  `json:"date"`
	Redis      string  `json:"redis"`
	Keepalived string  `json:"keepalived"`
	Linux      string  `json:"linux"`
	CPUs       int     `json:"cpus"`
	Cost       Cost    `json:"cost_per_hour"`
	Plain      Cost    `json:"cost_per_hour_of_active_standby"`
	Rounds     []Round `json:"rounds"`
	Stalls     []Stall `json:"stalls"`
}

// Summary is what the rounds of one fault have in common.
type Summary struct {
	Fault
	Rounds               int
	Median, Least, Worst Duration
	Phases               Phases // the median of each
	Lost                 int    // in all rounds
	Writes               int
}

// Summaries are those of the faults of which there are rounds.
func (r Report) Summaries() (list []Summary) {
	for _, f := range Faults {
		var rounds []Round
		for _, round := range r.Rounds {
			if round.Fault == f.Name {
				rounds = append(rounds, round)
			}
		}
		if len(rounds) == 0 {
			continue
		}
		of := func(value func(Round) Duration) []Duration {
			var all []Duration
			for _, round := range rounds {
				all = append(all, value(round))
			}
			slices.Sort(all)
			return all
		}
		outages := of(func(r Round) Duration { return r.Outage })
		s := Summary{
			Fault: f, Rounds: len(rounds), Median: median(outages), Least: outages[0], Worst: outages[len(outages)-1],
			Phases: Phases{
				Detection: median(of(func(r Round) Duration { return r.Phases.Detection })),
				VRRP:      median(of(func(r Round) Duration { return r.Phases.VRRP })),
				Hook:      median(of(func(r Round) Duration { return r.Phases.Hook })),
				Client:    median(of(func(r Round) Duration { return r.Phases.Client })),
			},
		}
		for _, round := range rounds {
			s.Lost += round.Lost
			s.Writes += round.Acknowledged
		}
		list = append(list, s)
	}
	return list
}

// median is that of a sorted list; of an even number, the mean of the two in the middle.
func median(sorted []Duration) Duration {
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// Print writes what was measured, as tables.
func (r Report) Print(out io.Writer) {
	fmt.Fprintf(out, "\n%-24s %7s %8s %8s %8s   %9s %6s %6s %6s %8s %8s\n", "outage in ms", "rounds", "median", "least", "worst", "detection", "VRRP", "hook", "client", "lost", "of")
	for _, s := range r.Summaries() {
		fmt.Fprintf(out, "%-24s %7d %8.0f %8.0f %8.0f   %9.0f %6.0f %6.0f %6.0f %8d %8d\n", s.Title, s.Rounds,
			s.Median.Milliseconds(), s.Least.Milliseconds(), s.Worst.Milliseconds(),
			s.Phases.Detection.Milliseconds(), s.Phases.VRRP.Milliseconds(), s.Phases.Hook.Milliseconds(), s.Phases.Client.Milliseconds(), s.Lost, s.Writes)
	}
	fmt.Fprintf(out, "\n%-24s %7s %8s %8s %8s %8s\n", "stands still for", "moved", "of", "worst ms", "nowhere", "in files")
	for _, d := range stalls {
		var moved, all, lost, kept int
		var worst Duration
		for _, s := range r.Stalls {
			if s.For != Duration(d) {
				continue
			}
			all++
			if s.Moved {
				moved++
			}
			lost, kept, worst = lost+s.Lost, kept+s.Preserved, max(worst, s.Outage)
		}
		fmt.Fprintf(out, "%-24v %7d %8d %8.0f %8d %8d\n", d, moved, all, worst.Milliseconds(), lost, kept)
	}
	for _, c := range []struct {
		name string
		cost Cost
	}{{"fast-failover", r.Cost}, {"active-standby", r.Plain}} {
		fmt.Fprintf(out, "\n%s, in an hour: %.1f s of CPU on the active host, %.1f s on the standby; %.0f adverts", c.name, c.cost.Active, c.cost.Standby, c.cost.Adverts)
	}
	fmt.Fprintln(out)
}
