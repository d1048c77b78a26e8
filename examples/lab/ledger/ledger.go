// Package ledger keeps account of writes: it writes unique keys to a Redis
// through failovers, notes every one that was acknowledged, and afterwards
// tells which of them are gone.
package ledger

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"

	"redis-vip/examples/lab/client"
)

// Config says where and how fast to write. Zero values mean the defaults.
type Config struct {
	Address  string // of the Redis, usually the VIP
	Password string
	Dial     client.Dialer

	Name    string        // prefix of the keys; default "w"
	Writers int           // connections; default 3
	Rate    float64       // writes per second by all of them; default 1500
	Timeout time.Duration // to connect, and to get an answer; default 200 ms
	Pause   time.Duration // between failed attempts; default 10 ms
	Gap     time.Duration // a silence this long counts as a gap; default 100 ms
}

func (c Config) withDefaults() Config {
	fallback := func(d *time.Duration, value time.Duration) {
		if *d == 0 {
			*d = value
		}
	}
	fallback(&c.Timeout, 200*time.Millisecond)
	fallback(&c.Pause, 10*time.Millisecond)
	fallback(&c.Gap, 100*time.Millisecond)
	if c.Name == "" {
		c.Name = "w"
	}
	if c.Writers == 0 {
		c.Writers = 3
	}
	if c.Rate == 0 {
		c.Rate = 1500
	}
	return c
}

// Ledger writes, and remembers.
type Ledger struct {
	config  Config
	started time.Time
	stop    context.CancelFunc
	running sync.WaitGroup

	acknowledged atomic.Int64
	last         atomic.Int64 // Unix nanoseconds of the last acknowledgement

	mu      sync.Mutex
	writes  []write
	errors  map[string]int
	stopped time.Time // zero while it runs
}

// write is one acknowledged write. No key is ever written twice, so one whose
// answer got lost is simply not in the ledger.
type write struct {
	writer, sequence uint32
	at               int64 // Unix nanoseconds
}

// Open starts writing. The ledger must be stopped.
func Open(c Config) *Ledger {
	ctx, cancel := context.WithCancel(context.Background())
	l := &Ledger{config: c.withDefaults(), started: time.Now(), stop: cancel, errors: make(map[string]int)}
	for n := range l.config.Writers {
		l.running.Go(func() { l.write(ctx, uint32(n)) })
	}
	return l
}

// Stop ends the writing. It may be called again.
func (l *Ledger) Stop() {
	l.stop()
	l.running.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stopped.IsZero() {
		l.stopped = time.Now()
	}
}

// write is one writer: one connection at a time, one write after the other.
func (l *Ledger) write(ctx context.Context, writer uint32) {
	connect := func() *redis.Client {
		return client.WithPassword(l.config.Password, l.config.Address, l.config.Dial, l.config.Timeout, 0)
	}
	server := connect()
	defer func() { server.Close() }()
	interval := time.Duration(float64(l.config.Writers) / l.config.Rate * float64(time.Second))
	next := time.Now()
	for sequence := uint32(0); ctx.Err() == nil; sequence++ {
		// The pace is kept by the clock, not by the length of each wait, but
		// what an outage swallowed is not made up for.
		if next = next.Add(interval); time.Since(next) > l.config.Gap {
			next = time.Now()
		}
		rest(ctx, time.Until(next))
		switch err := server.Set(ctx, l.key(writer, sequence), sequence, 0).Err(); {
		case err == nil:
			l.acknowledge(writer, sequence)
		case ctx.Err() == nil:
			l.fail(err)
			// A client that failed to connect would try again only once a second
			// (go-redis, ConnPool.tryDial): that would measure go-redis.
			server.Close()
			server = connect()
			rest(ctx, l.config.Pause)
		}
	}
}

func (l *Ledger) key(writer, sequence uint32) string {
	return l.config.Name + ":" + strconv.Itoa(int(writer)) + ":" + strconv.Itoa(int(sequence))
}

func (l *Ledger) acknowledge(writer, sequence uint32) {
	now := time.Now().UnixNano()
	l.mu.Lock()
	l.writes = append(l.writes, write{writer, sequence, now})
	l.mu.Unlock()
	l.last.Store(now)
	l.acknowledged.Add(1)
}

func (l *Ledger) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.errors[kind(err)]++
}

// kind names an error as the people who read the report would.
func kind(err error) string {
	var network net.Error
	var reply redis.Error
	switch {
	case errors.As(err, &reply):
		name, _, _ := strings.Cut(err.Error(), " ") // READONLY, LOADING, …
		return name
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refused"
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return "unreachable"
	case errors.As(err, &network) && network.Timeout(), errors.Is(err, context.DeadlineExceeded):
		return "time-out"
	}
	return "connection lost"
}

func rest(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// Acknowledged returns how many writes have been acknowledged, and when the
// last one was.
func (l *Ledger) Acknowledged() (n int, last time.Time) {
	return int(l.acknowledged.Load()), time.Unix(0, l.last.Load())
}

// Times returns when each write was acknowledged, in order.
func (l *Ledger) Times() []time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	times := make([]time.Time, 0, len(l.writes))
	for _, w := range l.writes {
		times = append(times, time.Unix(0, w.at))
	}
	slices.SortFunc(times, time.Time.Compare) // writers take the lock in another order than the clock
	return times
}

// WaitAcknowledged waits until n more writes have been acknowledged.
func (l *Ledger) WaitAcknowledged(ctx context.Context, n int) error {
	const poll = 5 * time.Millisecond
	first := l.acknowledged.Load()
	for {
		got := l.acknowledged.Load() - first
		if got >= int64(n) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%d of %d more writes acknowledged; errors so far: %v: %w",
				got, n, l.Report().Errors, context.Cause(ctx))
		case <-time.After(poll):
		}
	}
}

// Gap is a time without any acknowledgement.
type Gap struct{ From, To time.Time }

// Duration is the gap's length.
func (g Gap) Duration() time.Duration { return g.To.Sub(g.From) }

// Report sums a ledger up.
type Report struct {
	Acknowledged int
	Errors       map[string]int // by kind

	// Outage is the longest time without an acknowledgement. The times before
	// the first and after the last one count as well, so that writing that
	// never resumed does not look like none.
	Outage Gap
	Gaps   []Gap // all that reach Config.Gap, in order
}

// Report may be called while the ledger is open.
func (l *Ledger) Report() Report {
	l.mu.Lock()
	defer l.mu.Unlock()
	times := make([]int64, 0, len(l.writes)+1)
	for _, w := range l.writes {
		times = append(times, w.at)
	}
	slices.Sort(times) // writers take the lock in another order than the clock
	end := l.stopped
	if end.IsZero() {
		end = time.Now()
	}
	r := Report{Acknowledged: len(l.writes), Errors: maps.Clone(l.errors)}
	from := l.started
	for _, at := range append(times, end.UnixNano()) {
		g := Gap{From: from, To: time.Unix(0, at)}
		if g.Duration() > r.Outage.Duration() {
			r.Outage = g
		}
		if g.Duration() >= l.config.Gap {
			r.Gaps = append(r.Gaps, g)
		}
		from = g.To
	}
	return r
}

// Write is an acknowledged write.
type Write struct {
	Key string
	At  time.Time // of the acknowledgement
}

// Since returns the acknowledged writes but for the first n.
func (l *Ledger) Since(n int) []Write {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := make([]Write, 0, len(l.writes)-n)
	for _, w := range l.writes[n:] {
		list = append(list, Write{l.key(w.writer, w.sequence), time.Unix(0, w.at)})
	}
	return list
}

// Missing returns the acknowledged keys that a Redis does not have: what was
// lost, if it is the master now.
func (l *Ledger) Missing(ctx context.Context, server redis.Cmdable) (keys []string, err error) {
	writes, err := Absent(ctx, server, l.Since(0))
	for _, w := range writes {
		keys = append(keys, w.Key)
	}
	return keys, err
}

// Absent returns those of some writes that a Redis does not have.
func Absent(ctx context.Context, server redis.Cmdable, writes []Write) (absent []Write, err error) {
	const batch = 1000
	for part := range slices.Chunk(writes, batch) {
		keys := make([]string, len(part))
		for i, w := range part {
			keys[i] = w.Key
		}
		values, err := server.MGet(ctx, keys...).Result()
		if err != nil {
			return nil, fmt.Errorf("look for acknowledged keys: %w", err)
		}
		for i, v := range values {
			if v == nil {
				absent = append(absent, part[i])
			}
		}
	}
	return absent, nil
}
