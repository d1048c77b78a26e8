package agree

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"redis-vip/examples/sim/world"
)

const (
	// outage is how long clients must get no answer for it to be one: what a loaded
	// machine does to a healthy pair is less.
	outage = time.Second

	// slack is what a real time may be away from the model's: that, or a factor of two.
	slack = 2 * time.Second

	// inFlight is how many acknowledged writes a master may take with it when it dies:
	// Redis answers first, and there are two clients.
	inFlight = 2
)

// Span is from the least of some times to the most.
type Span struct{ Least, Most time.Duration }

// covers says whether t is in the span, or within the tolerance.
func (a Span) covers(t time.Duration) bool {
	return t <= max(2*a.Most, a.Most+slack) && t >= min(a.Least/2, a.Least-slack)
}

func (a Span) String() string { return fmt.Sprintf("%s to %s", seconds(a.Least), seconds(a.Most)) }

func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }

// Differs says where the two do not agree. It is nil if they do.
func (r Result) Differs() error {
	var wrong []error
	for _, a := range r.aspects() {
		got := a.of(r.Lab)
		counts := make(map[string]int)
		for _, o := range r.Model {
			counts[a.of(o)]++
		}
		if counts[got] > 0 {
			continue
		}
		text := fmt.Sprintf("%s, in the lab:\n\t%s\nand in the model:", a.what, got)
		for said, n := range counts {
			text += fmt.Sprintf("\n\t%s (%d of %d times)", said, n, len(r.Model))
		}
		wrong = append(wrong, errors.New(text))
	}
	for _, t := range r.times() {
		if got, span := t.of(r.Lab), r.span(t.of); !span.covers(got) {
			wrong = append(wrong, fmt.Errorf("%s: %s in the lab, and %v in the model", t.what, seconds(got), span))
		}
	}
	return errors.Join(wrong...)
}

// aspect is something that both say in words: the same ones.
type aspect struct {
	what string
	of   func(world.Outcome) string
}

func (r Result) aspects() []aspect {
	list := []aspect{
		{"the VIP went to", holders},
		{"two nodes took writes", func(o world.Outcome) string { return truth(o.Two > 0) }},
		{"acknowledged writes are only in files", func(o world.Outcome) string { return truth(o.Preserved > 0) }},
		{"acknowledged writes are nowhere", func(o world.Outcome) string { return truth(o.Nowhere > inFlight) }},
	}
	for i, at := range append(r.Case.LooksAt(), 0) {
		what := fmt.Sprintf("%s after the beginning", seconds(at))
		if at == 0 {
			what = "at the end"
		}
		list = append(list, aspect{what, func(o world.Outcome) string { return o.Views[i].String() }})
	}
	return list
}

func truth(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// holders are the nodes that the VIP has come to, one after the other.
func holders(o world.Outcome) string {
	var names []string
	for _, m := range o.Moves {
		names = append(names, m.To)
	}
	return strings.Join(names, ", ")
}

// timed is something that takes time in both.
type timed struct {
	what string
	of   func(world.Outcome) time.Duration
}

func (r Result) times() []timed {
	list := []timed{{"two nodes took writes for", func(o world.Outcome) time.Duration { return o.Two }}}
	for i, f := range r.Case.Faults {
		next := time.Duration(1<<63 - 1)
		if i+1 < len(r.Case.Faults) {
			next = r.Case.Faults[i+1].At
		}
		list = append(list, timed{
			fmt.Sprintf("from fault %d to a write through the VIP", i+1),
			func(o world.Outcome) time.Duration { return restored(o.Acked, f.At, next) },
		})
	}
	return list
}

// restored is the time from a fault to the end of the longest outage before the next one;
// 0 if there was none.
func restored(acked []time.Duration, at, next time.Duration) (after time.Duration) {
	longest := outage
	for i := 1; i < len(acked); i++ {
		from, to := acked[i-1], acked[i]
		if middle := from + (to-from)/2; middle > at && middle <= next && to-from >= longest {
			longest, after = to-from, to-at
		}
	}
	return after
}

func (r Result) span(of func(world.Outcome) time.Duration) Span {
	var all []time.Duration
	for _, o := range r.Model {
		all = append(all, of(o))
	}
	return Span{slices.Min(all), slices.Max(all)}
}

// Head is the first line over rows of results.
const Head = "schedule                  | holders in the lab      | writable again in the lab, and in the model | two took writes for | writes kept, preserved, nowhere"

// String is a row: what the lab saw, and what times the model gives.
func (r Result) String() string {
	times := r.times()
	two, last := times[0], times[len(times)-1]
	return fmt.Sprintf("%-25s | %-23s | %7s, %16s | %7s, %16s | %d, %d, %d", r.Case.Name, holders(r.Lab),
		seconds(last.of(r.Lab)), r.span(last.of), seconds(two.of(r.Lab)), r.span(two.of), r.Lab.Kept, r.Lab.Preserved, r.Lab.Nowhere)
}
