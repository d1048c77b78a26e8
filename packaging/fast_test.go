package packaging_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"redis-vip/examples/lab/booted"
)

// The fast pair with the systemd that it counts on: Redis is killed, and Debian's unit
// starts it again at once; the VIP is moved on purpose; Redis is stopped; a host is gone.
// The time is three times what the example promises of the median.
func TestFastPairAsItsReadmeSays(t *testing.T) {
	p := newHosts(t, 2)
	p.follow("../examples/fast-failover/README.md", "Install", func(step) {})
	first := p.Booted[0]
	p.until(patience, func() error { return p.whole(first) })
	p.lint()
	for _, fault := range []struct {
		name string
		most time.Duration
		lost int
		make func(*booted.Host)
		back func(*booted.Host)
	}{
		{
			"Redis is killed", 3 * time.Second, 3,
			func(h *booted.Host) { p.sh(h, "systemctl kill --kill-whom=main --signal=KILL redis-server") },
			func(*booted.Host) {},
		},
		{
			"planned", 900 * time.Millisecond, 0,
			func(h *booted.Host) { p.sh(h, "redis-vip switchover mymaster") },
			func(*booted.Host) {},
		},
		{
			"Redis is stopped", 3 * time.Second, 3,
			func(h *booted.Host) { p.sh(h, "systemctl stop redis-server; grep 1 /run/redis-ended") },
			func(h *booted.Host) { p.sh(h, "systemctl start redis-server") },
		},
		{
			"the host is gone", 4500 * time.Millisecond, 3,
			func(h *booted.Host) { p.check(h.Kill(p.ctx)) },
			nil,
		},
	} {
		ok := t.Run(fault.name, func(t *testing.T) {
			p.t = t
			active := p.active()
			other := p.Booted[0]
			if other == active {
				other = p.Booted[1]
			}
			p.ready(other)
			p.streams(active, other)
			book := p.ledger()
			fault.make(active)
			p.until(patience, func() error {
				if holds, err := other.Holds(vip); err != nil || !holds {
					return fmt.Errorf("the VIP is not on %s: %v", other.Name, err)
				}
				return nil
			})
			lost, report := p.missing(book, other), book.Report()
			t.Logf("outage %v, %d acknowledged, %d lost", report.Outage.Duration(), report.Acknowledged, lost)
			if lost > fault.lost {
				t.Errorf("%d acknowledged writes are lost", lost)
			}
			if outage := report.Outage.Duration(); outage > fault.most {
				t.Errorf("writes paused for %v, should be at most %v", outage, fault.most)
			}
			if fault.back == nil {
				return
			}
			fault.back(active)
			p.until(patience, func() error { return p.whole(other) })
			if told := p.sh(active, "cat /run/redis-ended"); told != "0" {
				t.Errorf("Redis runs, and keepalived is told %q", told)
			}
		})
		if !ok {
			t.FailNow()
		}
	}
}

// streams waits until a standby gets what is written: for up to a second after a full
// copy the master holds it back.
func (p *hosts) streams(active, standby *booted.Host) {
	p.t.Helper()
	p.check(p.redis[active].Set(p.ctx, "streams", standby.Name, 0).Err())
	p.until(patience, func() error {
		if got, err := p.redis[standby].Get(p.ctx, "streams").Result(); got != standby.Name {
			return fmt.Errorf("%s does not get what is written: %q, %v", standby.Name, strings.TrimSpace(got), err)
		}
		return nil
	})
}
