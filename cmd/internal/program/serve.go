package program

import (
	"context"
	"net"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/activation"
	"github.com/rs/zerolog"
	"github.com/urfave/cli/v2"
)

// How redis-vip-reconcile.service serves. It ends after a minute, and the timer or the
// next ring starts a fresh one: so nothing that goes wrong in it lasts, and most of its
// runs need no sandbox to be set up, which takes systemd longer than the run itself.
const (
	serveEvery = 2 * time.Second
	serveRest  = 20 * time.Millisecond // between two runs, whoever rings
	serveFor   = time.Minute
	serveQuiet = 10 * time.Second // without a ring before the end: announcements are repeated by a child
	serveMost  = 64               // who ring and wait; one more is not needed to cause a run
)

func serve(c *cli.Context, log zerolog.Logger) error {
	bells, err := activation.Listeners()
	if err != nil {
		return refused(log, err)
	}
	ctx, stop := signal.NotifyContext(c.Context, syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	c.Context = ctx
	return Serve{
		Bells: bells,
		// The record of a failed run has been logged, and the next one is at hand.
		Reconcile: func(rung bool) {
			event := "redis-vip reconcile --all"
			if rung {
				event += ", rung for"
			}
			_ = reconcile(c, log, event, c.Bool("quiet"), "")
		},
		Every: serveEvery, Rest: serveRest, For: serveFor, Quiet: serveQuiet, Most: serveMost,
	}.Run(ctx)
}

// Serve reconciles from time to time, and when somebody rings. One run works at a time,
// and answers all who had rung before it began. Nothing is read from whoever rings, and
// nothing is written: a connection is closed when its run has ended.
type Serve struct {
	Bells     []net.Listener
	Reconcile func(rung bool)
	Every     time.Duration // from one run to the next, if nobody rings
	Rest      time.Duration // from one run to the next at least
	For       time.Duration // how long to serve
	Quiet     time.Duration // and for how long nobody should have rung then; twice For is the end
	Most      int           // connections that wait at once
}

// Run is nil when its time is over, or the context's.
func (s Serve) Run(ctx context.Context) error {
	queue := &queue{most: s.Most, rung: make(chan struct{}, 1)}
	for _, bell := range s.Bells {
		defer bell.Close()
		go queue.accept(bell)
	}
	start, last := time.Now(), time.Time{}
	for ctx.Err() == nil {
		waiting := queue.next()
		if len(waiting) > 0 {
			last = time.Now()
		}
		s.Reconcile(len(waiting) > 0)
		for _, conn := range waiting {
			conn.Close()
		}
		if age := time.Since(start); age > s.For && (time.Since(last) > s.Quiet || age > 2*s.For) {
			break
		}
		select {
		case <-ctx.Done():
		case <-time.After(s.Rest):
		}
		select {
		case <-ctx.Done():
		case <-queue.rung:
		case <-time.After(s.Every):
		}
	}
	for _, conn := range queue.next() { // the next service reads the truth as it starts
		conn.Close()
	}
	return nil
}

// queue is who have rung and wait for a run.
type queue struct {
	most int
	rung chan struct{}

	mu      sync.Mutex
	waiting []net.Conn
}

func (q *queue) accept(bell net.Listener) {
	for {
		conn, err := bell.Accept()
		if err != nil {
			return // it is closed; else the runs from time to time have to do
		}
		if q.add(conn) {
			select {
			case q.rung <- struct{}{}:
			default:
			}
		} else {
			conn.Close()
		}
	}
}

func (q *queue) add(conn net.Conn) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) >= q.most {
		return false
	}
	q.waiting = append(q.waiting, conn)
	return true
}

// next is all who have rung until now.
func (q *queue) next() (waiting []net.Conn) {
	q.mu.Lock()
	defer q.mu.Unlock()
	waiting, q.waiting = q.waiting, nil
	return waiting
}
