package campaign

import (
	"fmt"
	"testing"
	"time"

	"redis-vip/examples/sim/world"
)

// What a seed gives is the same every time; of each kind there is some; and no part of a
// host has two faults at once.
func TestDraw(t *testing.T) {
	t.Parallel()
	for _, a := range world.Architectures() {
		first, again := newDrawer(a, 7, 1, 12*time.Second, true), newDrawer(a, 7, 1, 12*time.Second, true)
		seen := make(map[*kind]int)
		for range 300 {
			first.setup()
			again.setup()
			faults := first.round()
			if other := again.round(); fmt.Sprint(faults) != fmt.Sprint(other) {
				t.Fatalf("%v, and with the same seed %v", faults, other)
			}
			if faults[0].kind.restless && len(faults) == 1 {
				t.Errorf("%v alone", faults[0])
			}
			for i, f := range faults {
				seen[f.kind]++
				if f.At < 0 || f.For <= 0 || f.For > 12*time.Second+20*time.Millisecond {
					t.Errorf("%v at %v for %v", f, f.At, f.For)
				}
				for _, o := range faults[i+1:] {
					if f.collides(o) || o.collides(f) {
						t.Errorf("%v beside %v", f, o)
					}
				}
			}
		}
		for _, k := range kinds {
			if k.possible(a) != (seen[k] > 0) {
				t.Errorf("%v: %q %d times", a, k.name, seen[k])
			}
		}
	}
}

func TestRotated(t *testing.T) {
	t.Parallel()
	f := Fault{On: 1, To: 3, kind: kindOf(world.Cut), on: world.Sentinel}
	if got := f.rotated(2).String(); got != "redis1: a cable is cut to client" {
		t.Error(got)
	}
	f.To = 2
	if got := f.rotated(1).String(); got != "redis3: a cable is cut to redis1" {
		t.Error(got)
	}
}
