package world

import (
	"slices"
	"time"
)

// Shrink takes away from a schedule what the violation does not need: first whole
// faults, then their time. It is still the same invariant that is violated.
func Shrink(s Schedule) Schedule {
	var r Runner
	defer r.Close()
	want := r.Run(s).Violated
	if want == None {
		return s
	}
	fails := func(t Schedule) bool { return r.Run(t).Violated == want }
	for again := true; again; {
		again = false
		for i := 0; i < len(s.Faults); {
			t := s
			t.Faults = slices.Delete(slices.Clone(s.Faults), i, i+1)
			if fails(t) {
				s, again = t, true
			} else {
				i++
			}
		}
		for i := range s.Faults {
			for _, shorter := range []func(*Fault){
				func(f *Fault) { f.For = max((f.For / 2).Truncate(time.Millisecond), time.Millisecond) },
				func(f *Fault) { f.At = f.At.Truncate(time.Millisecond) },
				func(f *Fault) { f.For = f.For.Truncate(time.Second) },
				func(f *Fault) { f.At = f.At.Truncate(time.Second) },
				func(f *Fault) { f.At -= time.Second },
			} {
				t := s
				t.Faults = slices.Clone(s.Faults)
				f := &t.Faults[i]
				shorter(f)
				if *f != s.Faults[i] && f.At >= time.Second && f.For >= time.Millisecond && fails(t) {
					s, again = t, true
				}
			}
		}
	}
	return s
}
