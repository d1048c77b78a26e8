package fault

import (
	"context"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"redis-vip/examples/lab/client"
	"redis-vip/examples/lab/site"
)

// Watch looks all the time which nodes take writes: not what they say they are,
// but whether they acknowledge.
type Watch struct {
	stop    context.CancelFunc
	running sync.WaitGroup

	mu      sync.Mutex
	samples []sample
}

type sample struct {
	at       time.Time
	writable map[string]bool // by the node's name
	holds    map[string]bool // the VIP
}

const (
	sampling = 40 * time.Millisecond
	answer   = 100 * time.Millisecond // a master that is paused does not answer in that time, or ever
)

// absent is a key that nobody writes. To delete it is a write for Redis: a replica
// refuses it, a pause holds it up. But it leaves no trace: what is watched must not
// change by being watched.
const absent = "redis-vip:lab:absent"

// Observe looks, from the nodes themselves, until it is stopped.
func Observe(ctx context.Context, nodes []*site.Node, vip netip.Addr) *Watch {
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	w := &Watch{stop: stop}
	w.running.Go(func() {
		servers := make([]*redis.Client, len(nodes))
		tick := time.NewTicker(sampling)
		defer tick.Stop()
		for ctx.Err() == nil {
			w.add(nodes, vip, w.ask(ctx, nodes, servers))
			select {
			case <-tick.C:
			case <-ctx.Done():
			}
		}
		for _, s := range servers {
			s.Close()
		}
	})
	return w
}

// ask asks all nodes at once.
func (w *Watch) ask(ctx context.Context, nodes []*site.Node, servers []*redis.Client) []bool {
	writable := make([]bool, len(nodes))
	var asked sync.WaitGroup
	for i, n := range nodes {
		asked.Go(func() {
			if servers[i] == nil {
				servers[i] = client.New("127.0.0.1:6379", n.DialContext, answer, 0)
			}
			if err := servers[i].Del(ctx, absent).Err(); err == nil {
				writable[i] = true
			} else if _, refused := err.(redis.Error); !refused {
				// A client that failed to connect would rest before it tries again.
				servers[i].Close()
				servers[i] = client.New("127.0.0.1:6379", n.DialContext, answer, 0)
			}
		})
	}
	asked.Wait()
	return writable
}

func (w *Watch) add(nodes []*site.Node, vip netip.Addr, writable []bool) {
	s := sample{at: time.Now(), writable: make(map[string]bool, len(nodes)), holds: make(map[string]bool, len(nodes))}
	for i, n := range nodes {
		s.writable[n.Name] = writable[i]
		s.holds[n.Name], _ = n.Holds(vip)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.samples = append(w.samples, s)
}

// Stop ends the looking. It may be called again.
func (w *Watch) Stop() {
	w.stop()
	w.running.Wait()
}

// Now returns which nodes took the last writes.
func (w *Watch) Now() (names []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.samples) == 0 {
		return nil
	}
	for name, yes := range w.samples[len(w.samples)-1].writable {
		if yes {
			names = append(names, name)
		}
	}
	return names
}

// Two returns when, counted from a time, two nodes took writes for the last time,
// or 0. Both are asked at the same time, and one may have taken over in between:
// so only what two samples in a row show counts.
func (w *Watch) Two(from time.Time) (last time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	row := 0
	for _, s := range w.samples {
		n := 0
		for _, yes := range s.writable {
			if yes {
				n++
			}
		}
		if row++; n < 2 {
			row = 0
		}
		if row >= 2 && s.at.After(from) {
			last = s.at.Sub(from)
		}
	}
	return last
}

// Together returns for how long, in all, two nodes took writes, after a time. As in Two,
// what only one sample shows does not count, nor what two do that a busy machine has made
// in less time than there should be between them.
func (w *Watch) Together(from time.Time) (sum time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var since, last time.Time
	end := func() {
		if d := last.Sub(since); d >= sampling*9/10 {
			sum += d
		}
		since, last = time.Time{}, time.Time{}
	}
	for _, s := range w.samples {
		n := 0
		for _, yes := range s.writable {
			if yes {
				n++
			}
		}
		switch {
		case n < 2 || s.at.Before(from):
			end()
		case since.IsZero():
			since, last = s.at, s.at
		default:
			last = s.at
		}
	}
	end()
	return sum
}

// Useless returns how long a node had the VIP in one go, after a time, and took no
// writes.
func (w *Watch) Useless(from time.Time) (longest time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	since := make(map[string]time.Time)
	for _, s := range w.samples {
		for name, holds := range s.holds {
			switch {
			case !holds || s.writable[name] || s.at.Before(from):
				delete(since, name)
			case since[name].IsZero():
				since[name] = s.at
			default:
				longest = max(longest, s.at.Sub(since[name]))
			}
		}
	}
	return longest
}

// Moved says whether another node had the VIP, after a time.
func (w *Watch) Moved(n *site.Node, from time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.ContainsFunc(w.samples, func(s sample) bool {
		for name, holds := range s.holds {
			if holds && name != n.Name && s.at.After(from) {
				return true
			}
		}
		return false
	})
}

// Last returns when, counted from a time, a node took a write for the last time
// up to now, or 0.
func (w *Watch) Last(n *site.Node, from time.Time) (last time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.samples {
		if s.writable[n.Name] && s.at.After(from) {
			last = s.at.Sub(from)
		}
	}
	return last
}
