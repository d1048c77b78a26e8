package takeover

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"redis-vip/examples/lab/ledger"
	"redis-vip/examples/lab/netlab"
	"redis-vip/examples/lab/site"
)

// How many writes are acknowledged before a fault, and after it.
const writes = 1000

// Round is what one fault cost, and where the time went.
type Round struct {
	Fault        string   `json:"fault"`
	Outage       Duration `json:"outage_ms"` // the longest time without an acknowledged write
	Phases       Phases   `json:"phases"`
	Acknowledged int      `json:"acknowledged"`
	Lost         int      `json:"lost"` // of them, what the new master does not have
}

// Phases are the parts of an outage, one after the other.
type Phases struct {
	Detection Duration `json:"detection_ms"` // until keepalived knows
	VRRP      Duration `json:"vrrp_ms"`      // until the VIP is on the other host
	Hook      Duration `json:"hook_ms"`      // until Redis there is a master
	Client    Duration `json:"client_ms"`    // until a write is acknowledged again
}

// Run makes a fault on the active host of a whole pair, under load, and brings the host
// back. The name of the ledger is part of its keys: no two rounds have the same.
func Run(ctx context.Context, s *site.Site, f Fault, name string) (_ Round, err error) {
	active, err := s.Master(ctx)
	if err != nil {
		return Round{}, err
	}
	standby := s.Standby(active)
	watching, stop := context.WithCancel(ctx)
	defer stop()
	addresses, err := standby.WatchAddresses(watching)
	if err != nil {
		return Round{}, err
	}
	book := s.Ledger(ledger.Config{Name: name})
	defer book.Stop()
	if err := book.WaitAcknowledged(ctx, writes); err != nil {
		return Round{}, err
	}
	if err := streaming(ctx, active, standby); err != nil {
		return Round{}, err
	}
	began := time.Now()
	s.Note("the fault begins: %s on %s", f.Title, active.Name)
	if err := f.Make(ctx, s, active); err != nil {
		return Round{}, err
	}
	if err := s.WaitHolder(ctx, standby); err != nil {
		return Round{}, err
	}
	if err := book.WaitAcknowledged(ctx, writes); err != nil {
		return Round{}, err
	}
	book.Stop()
	missing, err := book.Missing(ctx, standby.Redis)
	if err != nil {
		return Round{}, err
	}
	acknowledged := book.Times()
	outage := longest(acknowledged, began)
	r := Round{Fault: f.Name, Outage: Duration(outage.Duration()), Acknowledged: len(acknowledged), Lost: len(missing)}

	// All of it has happened: the lines are only on their way.
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	logged := func(of entry) (time.Time, error) {
		host := standby.Name
		if of.active {
			host = active.Name
		}
		e, err := s.Journal.Wait(ctx, func(e netlab.Entry) bool {
			return e.Host == host && e.At.After(began) && of.text.MatchString(e.Message)
		})
		if err != nil {
			err = fmt.Errorf("%s did not log %v: %w", host, of.text, err)
		}
		return e.At, err
	}
	noticed, err1 := logged(f.noticed)
	arrived, err2 := addresses.Wait(ctx, func(a netlab.AddressEvent) bool { return a.Added && a.Address.Addr() == s.VIP.Addr() })
	promoted, err3 := logged(entry{text: masterEnabled})
	r.Phases = divide(outage, noticed, arrived.At, promoted)
	return r, errors.Join(err1, err2, err3)
}

// longest is the longest time without an acknowledged write that ends after a moment: one
// before it has nothing to do with the fault.
func longest(acknowledged []time.Time, after time.Time) (most ledger.Gap) {
	for i, to := range acknowledged[1:] {
		if gap := (ledger.Gap{From: acknowledged[i], To: to}); to.After(after) && gap.Duration() > most.Duration() {
			most = gap
		}
	}
	return most
}

// divide divides an outage at what happened. What happened before it began took no time
// of it: in a planned move, writes go on until the VIP is about to go.
func divide(outage ledger.Gap, noticed, arrived, promoted time.Time) Phases {
	from := outage.From
	until := func(t time.Time) (took Duration) {
		if t = t.Round(0); t.After(outage.To) { // the clock that all of them have
			t = outage.To
		}
		if t.After(from) {
			took, from = Duration(t.Sub(from)), t
		}
		return took
	}
	return Phases{until(noticed), until(arrived), until(promoted), until(outage.To)}
}

// streaming waits until the standby gets what is written: for up to a second after a full
// copy, its link is up and the master still holds everything back (replication.c, ONLINE).
func streaming(ctx context.Context, active, standby *site.Node) error {
	offset := func(n *site.Node) (int, error) {
		facts, err := n.Redis.Facts(ctx)
		if err != nil {
			return 0, err
		}
		return strconv.Atoi(facts[map[bool]string{true: "master_repl_offset", false: "slave_repl_offset"}[n == active]])
	}
	want, err := offset(active)
	if err != nil {
		return err
	}
	return netlab.Until(ctx, func(context.Context) error {
		got, err := offset(standby)
		if err == nil && got < want {
			err = fmt.Errorf("%s has got %d of %d bytes", standby.Name, got, want)
		}
		return err
	})
}
