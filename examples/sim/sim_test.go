package main

import (
	"slices"
	"testing"

	"redis-vip/examples/sim/world"
)

// A seed is a run: the same, to the last line, every time.
func TestReplay(t *testing.T) {
	t.Parallel()
	for _, a := range world.Architectures() {
		for seed := range uint64(150) {
			s := world.Draw(a, seed)
			var lines [2][]string
			var results [2]world.Result
			for i := range 2 {
				// Another runner: nothing is left of the run before.
				r := world.Runner{Timeline: func(line string) { lines[i] = append(lines[i], line) }}
				results[i] = r.Run(s)
				r.Close()
			}
			if results[0] != results[1] || !slices.Equal(lines[0], lines[1]) {
				t.Fatalf("%v, seed %d: two runs differ: %v and %v", a, seed, results[0], results[1])
			}
		}
	}
}

// What somebody reads does not change what happens.
func TestTimelineChangesNothing(t *testing.T) {
	t.Parallel()
	read := world.Runner{Timeline: func(string) {}}
	unread := world.Runner{}
	defer read.Close()
	defer unread.Close()
	for _, a := range world.Architectures() {
		for seed := range uint64(150) {
			if s := world.Draw(a, seed); read.Run(s) != unread.Run(s) {
				t.Fatalf("%v, seed %d", a, seed)
			}
		}
	}
}

func TestRegressions(t *testing.T) {
	t.Parallel()
	if err := known(); err != nil {
		t.Error(err)
	}
}
