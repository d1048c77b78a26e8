package fault

import (
	"strings"
	"testing"
	"time"
)

func TestFind(t *testing.T) {
	for name, want := range map[string]int{"redis-killed": 1, "redis-killed-back": 6, "split": 1, "redis": 8, "no-such": 0, "": 0, "all": len(All())} {
		if found := Find(name); len(found) != want {
			t.Errorf("%q: %d scenarios, want %d", name, len(found), want)
		}
	}
	seen := make(map[string]bool)
	for _, s := range All() {
		if seen[s.Name] || s.Title == "" || s.Make == nil || len(s.Promises) == 0 {
			t.Errorf("%q: named twice, or not whole", s.Name)
		}
		seen[s.Name] = true
	}
}

// One sample in which both answer may be a hand-over; two in a row are not.
func TestTwo(t *testing.T) {
	start := time.Now()
	for pattern, want := range map[string]time.Duration{
		"aaabbb": 0, "aa2bbb": 0, "a22bbb": 2 * time.Second, "a2b2b2": 0, "a22b22": 5 * time.Second, "a22222": 5 * time.Second,
	} {
		w := &Watch{}
		for i, c := range pattern {
			w.samples = append(w.samples, sample{
				at:       start.Add(time.Duration(i) * time.Second),
				writable: map[string]bool{"a": c != 'b', "b": c != 'a'},
			})
		}
		if got := w.Two(start); got != want {
			t.Errorf("%s: %v, want %v", pattern, got, want)
		}
	}
}

// The same for how long it is in all. Samples that follow each other at once count as one.
func TestTogether(t *testing.T) {
	start := time.Now()
	for pattern, want := range map[string]time.Duration{
		"aaabbb": 0, "aa2bbb": 0, "a22bbb": sampling, "a222b22": 3 * sampling, "a2!2!bb": 0, "222": sampling,
	} {
		w, at := &Watch{}, start.Add(-sampling)
		for _, c := range pattern {
			if c == '!' { // the next one comes at once
				at = at.Add(time.Millisecond - sampling)
				continue
			}
			w.samples = append(w.samples, sample{at: at, writable: map[string]bool{"a": c != 'b', "b": c != 'a'}})
			at = at.Add(sampling)
		}
		if got := w.Together(start); got != want {
			t.Errorf("%s: %v, want %v", pattern, got, want)
		}
	}
}

func TestBrokenPromises(t *testing.T) {
	kept := Result{
		Scenario: Scenario{Promises: []Promise{lost(0), nowhere(0), outage(time.Second), oneAfter(0), settled(time.Second), timely("x", time.Second)}},
		Outage:   time.Second, Masters: 1, Times: map[string]time.Duration{"x": time.Second},
	}
	if err := kept.Broken(); err != nil {
		t.Error(err)
	}
	broken := kept
	broken.Lost, broken.Outage, broken.Two, broken.Whole, broken.Times = 2, never, time.Hour, never, nil
	if n := strings.Count(broken.Broken().Error(), "\n") + 1; n != len(kept.Scenario.Promises) {
		t.Errorf("%d promises are broken of %d: %v", n, len(kept.Scenario.Promises), broken.Broken())
	}
	saved := kept
	saved.Lost, saved.Preserved = 2, 2
	if nowhere(0)(saved) != nil || lost(0)(saved) == nil {
		t.Error("what is preserved is lost, and not nowhere")
	}
	if timely("x", time.Hour)(Result{Times: map[string]time.Duration{"x": never}}) == nil {
		t.Error("what never happened was in time")
	}
}
