package world

import (
	"slices"
	"testing"
)

// What somebody looks at does not change what happens.
func TestObserveChangesNothing(t *testing.T) {
	t.Parallel()
	var r Runner
	defer r.Close()
	for _, a := range Architectures() {
		for seed := range uint64(150) {
			s := Draw(a, seed)
			want := r.Run(s)
			got, saw := r.Observe(s)
			if got != want {
				t.Fatalf("%v, seed %d: %v, and observed %v", a, seed, want, got)
			}
			if n := saw.Kept + saw.Preserved + saw.Nowhere; n != got.Acked || len(saw.Acked) != n || len(saw.Moves) != got.Moves || !slices.IsSorted(saw.Acked) {
				t.Errorf("%v, seed %d: %d writes and %d moves seen, of %d and %d", a, seed, n, len(saw.Moves), got.Acked, got.Moves)
			}
			// What has died may stand in a file that a later start loads.
			if saw.Preserved < got.Saved || saw.Nowhere > got.Exempt+got.Unwatched+got.Discarded {
				t.Errorf("%v, seed %d: %d preserved and %d nowhere, of %v", a, seed, saw.Preserved, saw.Nowhere, got)
			}
		}
	}
}
