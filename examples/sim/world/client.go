package world

import (
	"math/rand/v2"
	"time"
)

// client writes through the VIP, one write after the other, and remembers which of
// them were acknowledged.
type client struct {
	host   *host
	random *rand.Rand
	every  time.Duration

	failed  int // time-outs in a row
	pending *request
}

// request is a write under way.
type request struct {
	client  *client
	server  *redis
	number  int
	awaited bool // it had to wait
	gone    bool // nobody waits for it any more
}

// Times of a client.
const (
	clientTimeout = time.Second            // for an answer, or a connection
	clientBackOff = 100 * time.Millisecond // after an error
	forgetAfter   = 8                      // time-outs in a row until it asks for the VIP's address again: Linux waits for 5 s, and then asks thrice (arp(7))
)

func (c *client) again(d time.Duration) {
	c.host.world.after(d/2+time.Duration(c.random.Int64N(int64(d))), c.step)
}

// step is the next write, or the next try of a connection.
func (c *client) step() {
	w := c.host.world
	at := c.host.neighbour
	if at == nil || c.failed >= forgetAfter {
		at = w.whoHas(c.host)
		c.host.neighbour, c.failed = at, 0
	}
	switch {
	case at == nil:
		c.again(3 * clientBackOff) // no answer to its ARP request
		return
	case !at.vip || !w.network.both(c.host, at):
		c.failed++
		c.again(clientTimeout)
		return
	case !at.redis.running:
		c.failed = 0
		c.again(clientBackOff)
		return
	}
	r := at.redis
	c.failed = 0
	w.writes++
	q := &request{client: c, server: r, number: w.writes}
	switch {
	case r.hung:
		r.late = append(r.late, q.execute)
		c.await(q)
	case r.isPaused() && r.upstream == nil && !r.loading:
		r.waiting = append(r.waiting, q)
		c.await(q)
	default:
		q.run()
	}
}

// await waits for an answer, for as long as a client does.
func (c *client) await(q *request) {
	c.pending, q.awaited = q, true
	c.host.world.after(clientTimeout, func() {
		if c.pending == q {
			q.gone = c.host.world.network.both(c.host, q.server.host) // else the server does not hear that it is
			c.pending = nil
			c.failed++
			c.again(clientBackOff)
		}
	})
}

// execute is the server's turn for a write that had to wait.
func (q *request) execute() {
	switch {
	case q.gone || !q.server.running:
	case q.server.hung:
		q.server.late = append(q.server.late, q.execute)
	case q.server.isPaused() && q.server.upstream == nil:
		q.server.waiting = append(q.server.waiting, q)
	default:
		q.run()
	}
}

// run executes the write, and tells the client if it still waits.
func (q *request) run() {
	c, r := q.client, q.server
	w := c.host.world
	waits := !q.awaited || c.settle(q)
	e, err := r.write(q.number)
	switch {
	case !waits:
	case err == nil && r.host.vip && w.network.both(c.host, r.host):
		w.acknowledged(r, e)
		c.again(c.every)
	default:
		c.again(clientBackOff)
	}
}

// fail is a connection that the server has closed.
func (q *request) fail() {
	q.gone = true
	if q.client.settle(q) {
		q.client.again(clientBackOff / 4)
	}
}

// settle ends the wait for q, if the client waits for that.
func (c *client) settle(q *request) bool {
	waited := c.pending == q
	if waited {
		c.pending = nil
	}
	return waited
}
