package fault

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"redis-vip/examples/lab/client"
)

// pipeline is a client that writes in bulk: many writes are under way at any
// moment, and none of them may get lost.
type pipeline struct {
	stop    context.CancelFunc
	running sync.WaitGroup

	mu   sync.Mutex
	keys []string // acknowledged
	last time.Time
}

const (
	bulk     = 50                    // writes under way at once
	bulkRest = 20 * time.Millisecond // from one bulk to the next
	bulkTime = 300 * time.Millisecond
	bulkSize = 200 // bytes of a value
)

func openPipeline(address string, dial client.Dialer) *pipeline {
	ctx, stop := context.WithCancel(context.Background())
	p := &pipeline{stop: stop}
	p.running.Go(func() { p.write(ctx, address, dial) })
	return p
}

func (p *pipeline) write(ctx context.Context, address string, dial client.Dialer) {
	value := strings.Repeat("x", bulkSize)
	server := client.New(address, dial, bulkTime, 0)
	defer func() { server.Close() }()
	for n := 0; ctx.Err() == nil; n++ {
		keys := make([]string, bulk)
		answers, err := server.Pipelined(ctx, func(pipe redis.Pipeliner) error {
			for i := range keys {
				keys[i] = fmt.Sprintf("bulk:%d:%d", n, i)
				pipe.Set(ctx, keys[i], value, 0)
			}
			return nil
		})
		p.note(keys, answers)
		if err != nil && ctx.Err() == nil {
			server.Close() // see ledger
			server = client.New(address, dial, bulkTime, 0)
		}
		select {
		case <-ctx.Done():
		case <-time.After(bulkRest):
		}
	}
}

func (p *pipeline) note(keys []string, answers []redis.Cmder) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, a := range answers {
		if status, ok := a.(*redis.StatusCmd); ok && status.Err() == nil && status.Val() == "OK" {
			p.keys, p.last = append(p.keys, keys[i]), time.Now()
		}
	}
}

// Stop ends the writing. It may be called again.
func (p *pipeline) Stop() {
	p.stop()
	p.running.Wait()
}

// Acknowledged returns how many writes have been acknowledged, and when the last
// one was.
func (p *pipeline) Acknowledged() (int, time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.keys), p.last
}

// Missing returns the acknowledged keys that a Redis does not have.
func (p *pipeline) Missing(ctx context.Context, server redis.Cmdable) (missing []string, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for from := 0; from < len(p.keys); from += 1000 {
		part := p.keys[from:min(from+1000, len(p.keys))]
		values, err := server.MGet(ctx, part...).Result()
		if err != nil {
			return nil, err
		}
		for i, v := range values {
			if v == nil {
				missing = append(missing, part[i])
			}
		}
	}
	return missing, nil
}
