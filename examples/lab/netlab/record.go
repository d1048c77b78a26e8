package netlab

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"sync"
)

// Record is a list that only grows, and that can be read while it does.
type Record[T any] struct {
	mu    sync.Mutex
	items []T
	grown chan struct{} // closed, and replaced, whenever an item is added
}

func newRecord[T any]() *Record[T] {
	return &Record[T]{grown: make(chan struct{})}
}

// Add appends an item.
func (r *Record[T]) Add(item T) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.items = append(r.items, item)
	close(r.grown)
	r.grown = make(chan struct{})
}

// All returns the items so far.
func (r *Record[T]) All() []T {
	items, _ := r.since(0)
	return items
}

// since returns the items from index n on, and a channel that is closed when
// there are more.
func (r *Record[T]) since(n int) ([]T, <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.items[n:]), r.grown
}

// Follow yields the items so far and then each new one, until ctx ends.
func (r *Record[T]) Follow(ctx context.Context) iter.Seq[T] {
	return func(yield func(T) bool) {
		for n := 0; ; {
			items, grown := r.since(n)
			n += len(items)
			for _, item := range items {
				if !yield(item) {
					return
				}
			}
			select {
			case <-grown:
			case <-ctx.Done():
				return
			}
		}
	}
}

// Wait returns the first item that matches, be it there already or still to
// come.
func (r *Record[T]) Wait(ctx context.Context, match func(T) bool) (T, error) {
	for item := range r.Follow(ctx) {
		if match(item) {
			return item, nil
		}
	}
	var none T
	return none, fmt.Errorf("nothing matched among %d records: %w", len(r.All()), context.Cause(ctx))
}
