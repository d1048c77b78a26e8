package agree

import (
	"strings"
	"testing"
	"time"

	"redis-vip/examples/sim/world"
)

func TestRestored(t *testing.T) {
	t.Parallel()
	acked := []time.Duration{1 * s, 2 * s, 2900 * ms, 6 * s, 6500 * ms, 9 * s, 9500 * ms}
	for _, c := range []struct{ at, next, want time.Duration }{
		{3 * s, 20 * s, 3 * s},           // the longest, until 6 s
		{3 * s, 7 * s, 3 * s},            // the next fault's does not count
		{7 * s, 20 * s, 2 * s},           // until 9 s
		{9 * s, 20 * s, 0},               // none
		{6100 * ms, 7 * s, 0},            // what a fault that comes later has done
		{1400 * ms, 2500 * ms, 600 * ms}, // just as long as an outage is
	} {
		if got := restored(acked, c.at, c.next); got != c.want {
			t.Errorf("from %v to %v: %v, want %v", c.at, c.next, got, c.want)
		}
	}
}

func TestSpan(t *testing.T) {
	t.Parallel()
	short, long := Span{0, 0}, Span{8 * s, 10 * s}
	for got, want := range map[time.Duration]bool{0: true, 2 * s: true, 2100 * ms: false} {
		if short.covers(got) != want {
			t.Errorf("%v in %v: %v", got, short, !want)
		}
	}
	for got, want := range map[time.Duration]bool{3900 * ms: false, 4 * s: true, 20 * s: true, 20100 * ms: false} {
		if long.covers(got) != want {
			t.Errorf("%v in %v: %v", got, long, !want)
		}
	}
}

// Each thing that is not the same is said.
func TestDiffers(t *testing.T) {
	t.Parallel()
	see := func(role string) world.Outcome {
		return world.Outcome{
			Moves: []world.Move{{To: "redis1"}, {At: 5 * s, To: "redis2"}}, Acked: []time.Duration{3 * s, 5 * s, 20 * s},
			Views: []world.View{{Nodes: []world.Sight{{Name: "redis1", Redis: role}}}, {Nodes: []world.Sight{{Name: "redis1", Redis: world.IsDead}}}},
		}
	}
	c := Cases()[0]
	r := Result{Case: c, Model: []world.Outcome{see(world.IsMaster), see(world.IsSilent)}, Lab: see(world.IsSilent)}
	if err := r.Differs(); err != nil {
		t.Error(err)
	}
	r.Lab.Nowhere = inFlight
	if err := r.Differs(); err != nil {
		t.Error(err)
	}
	for what, change := range map[string]func(*world.Outcome){
		"the VIP went to":     func(o *world.Outcome) { o.Moves = o.Moves[:1] },
		"only in files":       func(o *world.Outcome) { o.Preserved = 1 },
		"nowhere":             func(o *world.Outcome) { o.Nowhere = inFlight + 1 },
		"two nodes took":      func(o *world.Outcome) { o.Two = world.SampleEvery },
		"12.5 s after":        func(o *world.Outcome) { o.Views[0].Nodes[0].VIP = true },
		"at the end":          func(o *world.Outcome) { o.Views[1].Nodes[0].Verdict = "waiting" },
		"a write through the": func(o *world.Outcome) { o.Acked = []time.Duration{3 * s, 60 * s} },
	} {
		r.Lab = see(world.IsSilent)
		change(&r.Lab)
		if err := r.Differs(); err == nil || !strings.Contains(err.Error(), what) || strings.Count(err.Error(), "in the lab") != 1 {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// The model agrees with itself about all that is not left to chance: what it calls
// possible is little enough for the lab to be wrong.
func TestModelIsSure(t *testing.T) {
	t.Parallel()
	for _, c := range Cases() {
		list, err := Model(c)
		if err != nil {
			t.Error(err)
			continue
		}
		r := Result{Case: c, Model: list}
		for _, a := range r.aspects() {
			seen := make(map[string]bool)
			for _, o := range list {
				seen[a.of(o)] = true
			}
			if len(seen) > 8 {
				t.Errorf("%s: %s: %d answers", c.Name, a.what, len(seen))
			}
		}
		for _, x := range r.times() {
			if span := r.span(x.of); span.Most-span.Least > 6*s {
				t.Errorf("%s: %s: %v", c.Name, x.what, span)
			}
		}
	}
}
