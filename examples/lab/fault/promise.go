package fault

import (
	"errors"
	"fmt"
	"time"
)

// Promise is nil if a result is as promised.
type Promise func(Result) error

// The times of examples/active-standby/keepalived.conf.
const (
	interval = 2 * time.Second
	notice   = 2 * interval // fall × interval: until keepalived believes that a check fails
)

// settled is what every fault must end in: the VIP on one node, whose Redis is the
// master, the other one its replica, and so for good.
func settled(within time.Duration) Promise {
	return func(r Result) error {
		switch {
		case r.Wrong != nil:
			return fmt.Errorf("the end: %w", r.Wrong)
		case r.Whole > within:
			return fmt.Errorf("whole again %s, promised within %v", after0(r.Whole), within)
		case r.Masters != 1:
			return fmt.Errorf("%d masters at the end", r.Masters)
		}
		return nil
	}
}

// nowhere is the promise that no more writes than n are neither on the master nor
// in a file: those that were in flight to a replica when their master died.
func nowhere(n int) Promise {
	return func(r Result) error {
		if got := r.Nowhere(); got > n {
			return fmt.Errorf("%d acknowledged writes are nowhere, promised at most %d", got, n)
		}
		return nil
	}
}

// lost is the same without files: they are all on the master.
func lost(n int) Promise {
	return func(r Result) error {
		if r.Lost > n {
			return fmt.Errorf("%d acknowledged writes are not on the master, promised at most %d (%d are preserved)", r.Lost, n, r.Preserved)
		}
		return nil
	}
}

func outage(most time.Duration) Promise {
	return func(r Result) error {
		if r.Outage > most {
			return fmt.Errorf("outage %s, promised at most %v; errors %v", seconds(r.Outage), most, r.Errors)
		}
		return nil
	}
}

// oneAfter is the promise that only one node takes writes, from that time on.
func oneAfter(d time.Duration) Promise {
	return func(r Result) error {
		if r.Two > d {
			return fmt.Errorf("two nodes took writes until %s after the fault began, promised at most %v", seconds(r.Two), d)
		}
		return nil
	}
}

// serving is the promise that no node has the VIP for longer than that and takes no
// writes.
func serving(most time.Duration) Promise {
	return func(r Result) error {
		if r.Useless > most {
			return fmt.Errorf("a node had the VIP for %s and took no writes, promised at most %v", seconds(r.Useless), most)
		}
		return nil
	}
}

// still is the promise that the VIP stays where it is.
func still(r Result) error {
	if r.Moved {
		return errors.New("the VIP has moved")
	}
	return nil
}

// timely is a promise about one of the times that a scenario takes.
func timely(what string, most time.Duration) Promise {
	return func(r Result) error {
		if got, found := r.Times[what]; !found {
			return fmt.Errorf("%s: not measured", what)
		} else if got > most {
			return fmt.Errorf("%s: %s, promised within %v", what, after0(got), most)
		}
		return nil
	}
}
