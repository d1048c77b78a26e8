package takeover

import (
	"context"
	"errors"
	"regexp"
	"time"

	"redis-vip/examples/lab/fault"
	"redis-vip/examples/lab/ledger"
	"redis-vip/examples/lab/netlab"
	"redis-vip/examples/lab/site"
)

// Stall is what it costs that the active host stands still for a while, as a virtual
// machine does that is moved, and goes on: if the other one takes over meanwhile, that is
// a failover for nothing.
type Stall struct {
	For       Duration `json:"for_ms"`
	Moved     bool     `json:"moved"`     // the standby took over
	Outage    Duration `json:"outage_ms"` // of which the stall is a part
	Lost      int      `json:"lost"`      // acknowledged writes that are nowhere
	Preserved int      `json:"preserved"` // and those that only a file has
}

var entersMaster = regexp.MustCompile(`Entering MASTER STATE`)

// StandStill stops all daemons of the active host, under load, and has them go on. It
// returns when the pair is whole again.
func StandStill(ctx context.Context, s *site.Site, d time.Duration, name string) (_ Stall, err error) {
	active, err := s.Master(ctx)
	if err != nil {
		return Stall{}, err
	}
	standby := s.Standby(active)
	book := s.Ledger(ledger.Config{Name: name})
	defer book.Stop()
	if err := book.WaitAcknowledged(ctx, writes); err != nil {
		return Stall{}, err
	}
	began := time.Now()
	s.Note("%s stands still for %v", active.Name, d)
	var failed error
	for _, daemon := range active.Services() {
		failed = errors.Join(failed, daemon.Hang())
	}
	select {
	case <-time.After(d - time.Since(began)):
	case <-ctx.Done():
	}
	for _, daemon := range active.Services() {
		failed = errors.Join(failed, daemon.Wake())
	}
	if failed != nil {
		return Stall{}, failed
	}
	if err := book.WaitAcknowledged(ctx, writes); err != nil {
		return Stall{}, err
	}
	if err := WaitStandby(ctx, s); err != nil {
		return Stall{}, err
	}
	book.Stop()
	master, err := s.Master(ctx)
	if err != nil {
		return Stall{}, err
	}
	missing, err := book.Missing(ctx, master.Redis)
	if err != nil {
		return Stall{}, err
	}
	kept, err := fault.Preserved(ctx, s)
	if err != nil {
		return Stall{}, err
	}
	still := Stall{For: Duration(d), Outage: Duration(book.Report().Outage.Duration())}
	for _, key := range missing {
		if kept[key] {
			still.Preserved++
		} else {
			still.Lost++
		}
	}
	for _, e := range s.Journal.All() {
		still.Moved = still.Moved || moves(e, standby, began)
	}
	return still, nil
}

func moves(e netlab.Entry, standby *site.Node, after time.Time) bool {
	return e.Host == standby.Name && e.At.After(after) && entersMaster.MatchString(e.Message)
}
