package fault

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"redis-vip/examples/lab/ledger"
	"redis-vip/examples/lab/netlab"
	"redis-vip/examples/lab/site"
)

// Stage is a pair under load, or three hosts, on which a scenario makes its fault.
type Stage struct {
	*site.Site
	Hooks           Hooks
	Active, Standby *site.Node     // as they were before the fault; of two that stand by, the first
	Book            *ledger.Ledger // of the clients that go where the VIP is
	Watch           *Watch         // which node takes writes
	Times           map[string]time.Duration

	books []book // all of them
	began time.Time
	ended time.Time // when the fault was over
	whole time.Time // when the pair was whole again; zero if it never was
	wrong error     // what was missing at the end
}

func (s *Stage) close() {
	for _, b := range s.books {
		b.Stop()
	}
	if s.Watch != nil {
		s.Watch.Stop()
	}
}

const begins = "the fault begins"

// begin notes that from here on everything is the fault's.
func (s *Stage) begin() {
	s.Note(begins)
	s.began = time.Now()
}

// over notes that the fault is over: the pair has its time from here on. Without
// it, that is when the scenario has been made.
func (s *Stage) over() {
	if s.ended.IsZero() {
		s.Note("the fault is over")
		s.ended = time.Now()
	}
}

// took notes how long something took.
func (s *Stage) took(what string, since time.Time) {
	s.Times[what] = time.Since(since)
	s.Note("%s: %v", what, s.Times[what].Round(time.Millisecond))
}

// last is for a fault that lasts that long.
func (s *Stage) last(ctx context.Context, d time.Duration) error { return rest(ctx, d) }

func rest(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// recover waits until the pair is whole again and writing goes on, and looks
// whether it stays so. What is missing is a result, and no error.
func (s *Stage) recover(ctx context.Context) {
	limited, cancel := context.WithDeadline(ctx, s.ended.Add(patience))
	defer cancel()
	s.whole, s.wrong = s.recovered(limited)
	if s.wrong != nil {
		neighbours, err := s.Client.Output(ctx, "ip", "neigh")
		s.Note("not as it should be: %v; the client's neighbours: %q, %v; nodes that take writes: %v", s.wrong, neighbours, err, s.Watch.Now())
	}
}

func (s *Stage) recovered(ctx context.Context) (whole time.Time, err error) {
	if err := s.WaitReady(ctx); err != nil {
		return whole, err
	}
	whole = time.Now()
	s.Note("the pair is whole")
	if s.Hooks == Ours && s.Active.Sentinel != nil {
		// Our programs take back what Sentinel has written, and the link is down for some
		// milliseconds then: from there on it stays up.
		if err := netlab.Until(ctx, s.unpinned); err != nil {
			return whole, err
		}
	}
	if err := s.Book.WaitAcknowledged(ctx, after); err != nil {
		return whole, fmt.Errorf("whole, but: %w", err)
	}
	if err := s.Ready(ctx); err != nil {
		return whole, fmt.Errorf("whole, and then not any more: %w", err)
	}
	return whole, nil
}

// unpinned is nil if no node would boot as a replica of another.
func (s *Stage) unpinned(context.Context) error {
	for _, n := range s.Nodes {
		if conf, err := n.ReadFile(site.RedisConf); err != nil {
			return err
		} else if site.Pinned(conf) {
			return fmt.Errorf("%s would boot as a replica of another node", n.Name)
		}
	}
	return nil
}

// within gives a wait a limit, and tells whether it was kept. It is for what shell
// hooks may never do: then the scenario goes on without.
func (s *Stage) within(ctx context.Context, d time.Duration, what string, wait func(context.Context) error) error {
	limited, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	start := time.Now()
	err := wait(limited)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		s.Note("%s: not within %v: %v", what, d, err)
		s.Times[what] = never
		return nil
	}
	s.took(what, start)
	return nil
}

// moved waits until a node has the VIP. The other one may still have it.
func (s *Stage) moved(ctx context.Context, to *site.Node) error {
	return netlab.Until(ctx, func(context.Context) error {
		holds, err := to.Holds(s.VIP.Addr())
		if err == nil && !holds {
			err = fmt.Errorf("%s does not have the VIP", to.Name)
		}
		return err
	})
}

// failedOver waits until a node has the VIP and takes its writes.
func (s *Stage) failedOver(ctx context.Context, to *site.Node) error {
	if err := s.moved(ctx, to); err != nil {
		return err
	}
	if err := to.Redis.WaitRole(ctx, "master"); err != nil {
		return err
	}
	return s.Book.WaitAcknowledged(ctx, after/3)
}

// back starts a node's Redis again.
func (s *Stage) back(ctx context.Context, n *site.Node) error {
	if err := n.Redis.Start(ctx); err != nil {
		return err
	}
	return n.Redis.WaitAnswering(ctx)
}

// How firmly a client holds on to what it knows of the VIP: for good, or as to
// what it has learned on the wire.
const (
	stuck   = "permanent"
	learned = "reachable"
)

// point makes a client send what is for the VIP to a node.
func (s *Stage) point(ctx context.Context, client *netlab.Host, to *site.Node, how string) error {
	_, err := client.Output(ctx, "ip", "neigh", "replace", s.VIP.Addr().String(), "lladdr", to.MAC.String(), "dev", "eth0", "nud", how)
	return err
}

// final is the node whose data count in the end: the master that has the VIP, or
// whichever master there is, or, where there is none, whichever node.
func (s *Stage) final(ctx context.Context) (*site.Node, int, error) {
	var found *site.Node
	masters := 0
	for _, n := range s.Nodes {
		role, err := n.Redis.Role(ctx)
		if err != nil || role != "master" {
			continue
		}
		masters++
		if holds, err := n.Holds(s.VIP.Addr()); err != nil {
			return nil, 0, err
		} else if found == nil || holds {
			found = n
		}
	}
	if found == nil {
		found = s.Active
	}
	return found, masters, nil
}

func number(text string) int64 {
	n, _ := strconv.ParseInt(text, 10, 64)
	return n
}
