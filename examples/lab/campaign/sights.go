package campaign

import (
	"context"
	"sync"
	"time"

	"redis-vip/examples/lab/client"
	"redis-vip/examples/lab/ledger"
	"redis-vip/examples/lab/netlab"
	"redis-vip/examples/lab/site"
)

const (
	looking  = 100 * time.Millisecond
	patience = 300 * time.Millisecond // with a Redis that hangs

	// recent writes are looked for in every look, older ones in every tenth: they come
	// with a replication that begins anew. What is older still is given up.
	recent  = 2 * time.Second
	forlorn = 30 * time.Second

	clocks   = 100 * time.Millisecond // between an answer and its arrival at a busy client
	flushing = 2 * time.Second        // how long Redis may keep a write to itself (aof.c, flushAppendOnlyFile)
)

// sights are who has been seen with which write: the processes of redis-server, for what is
// in one's memory dies with it.
type sights struct {
	running sync.WaitGroup

	mu      sync.Mutex
	had     map[string]map[*netlab.Process]bool // by keys
	servers map[*netlab.Process]*server

	// What was there when all was well last is known by one key, the mark.
	mark   string
	all    map[string]bool // keys
	marked map[*netlab.Process]bool
}

// server is one process of redis-server.
type server struct {
	node  *site.Node
	last  time.Time // when the last look began that it answered
	ended time.Time // zero while it lives
}

// look looks at all nodes, until ctx ends.
func look(ctx context.Context, nodes []*site.Node, books []*ledger.Ledger) *sights {
	s := &sights{
		had: make(map[string]map[*netlab.Process]bool), servers: make(map[*netlab.Process]*server),
		mark: "none", all: make(map[string]bool), marked: make(map[*netlab.Process]bool),
	}
	for _, n := range nodes {
		s.running.Go(func() { s.follow(ctx, n, books) })
	}
	return s
}

func (s *sights) wait() { s.running.Wait() }

// follow looks at one node.
func (s *sights) follow(ctx context.Context, n *site.Node, books []*ledger.Ledger) {
	redis := client.New("127.0.0.1:6379", n.DialContext, patience, 0)
	defer func() { redis.Close() }()
	read := make([]int, len(books))
	var open []ledger.Write // not yet seen here
	for turn := 0; ctx.Err() == nil; turn++ {
		began := time.Now()
		process := n.Redis.Main()
		for i, b := range books {
			fresh := b.Since(read[i])
			read[i] += len(fresh)
			open = append(open, fresh...)
		}
		asked := []string{s.meet(n, process)}
		var left []ledger.Write
		for _, w := range open {
			switch age := began.Sub(w.At); {
			case age > forlorn:
				continue
			case age < recent || turn%10 == 0:
				asked = append(asked, w.Key)
			}
			left = append(left, w)
		}
		open = left
		values, err := redis.MGet(ctx, asked...).Result()
		switch {
		case err != nil:
			redis.Close()
			redis = client.New("127.0.0.1:6379", n.DialContext, patience, 0)
		case n.Redis.Main() == process:
			found := make(map[string]bool)
			for i, v := range values {
				if v != nil {
					found[asked[i]] = true
				}
			}
			s.saw(process, began, found)
			left = nil
			for _, w := range open {
				if !found[w.Key] {
					left = append(left, w)
				}
			}
			open = left
		}
		rest(ctx, looking)
	}
}

// meet notes a process, and when it ends. It returns the mark of now.
func (s *sights) meet(n *site.Node, p *netlab.Process) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.servers[p] != nil {
		return s.mark
	}
	met := &server{node: n}
	s.servers[p] = met
	go func() {
		<-p.Ended()
		s.mu.Lock()
		defer s.mu.Unlock()
		met.ended = time.Now()
	}()
	return s.mark
}

func (s *sights) saw(p *netlab.Process, began time.Time, found map[string]bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.servers[p].last = began
	for key := range found {
		if key == s.mark {
			s.marked[p] = true
			continue
		}
		if s.had[key] == nil {
			s.had[key] = make(map[*netlab.Process]bool)
		}
		s.had[key][p] = true
	}
}

// lives says why nobody had to lose a write: a process that had it goes on, or none that
// may have had it has ended. It is empty where the write died with the last process.
// Where every write is on the disk, only those of the last moments die.
func (s *sights) lives(w ledger.Write, onDisk bool) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	gone := func(m *server) bool {
		return !m.ended.IsZero() && (!onDisk || w.At.After(m.ended.Add(-flushing)))
	}
	had, settled := s.had[w.Key], s.all[w.Key]
	if settled {
		had = s.marked
	}
	for p := range had {
		if m := s.servers[p]; !gone(m) {
			return m.node.Name + " has had it"
		}
	}
	if len(had) > 0 {
		return ""
	}
	for _, m := range s.servers {
		if gone(m) && m.ended.After(w.At.Add(-clocks)) && m.last.Before(w.At) {
			return "" // it took it, and died before anybody looked
		}
	}
	return "nobody was seen with it, and nobody who may have had it has died"
}

// settle notes that every node has these writes, and that whoever has a mark has them.
func (s *sights) settle(mark string, writes []ledger.Write) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mark, s.marked = mark, make(map[*netlab.Process]bool)
	clear(s.all)
	for _, w := range writes {
		s.all[w.Key] = true
		delete(s.had, w.Key) // and not what was seen since these writes were listed
	}
}
