package packaging_test

import (
	"context"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"redis-vip/examples/lab/booted"
	"redis-vip/examples/lab/client"
	"redis-vip/examples/lab/ledger"
	"redis-vip/examples/lab/netlab"
)

// hosts are Debian hosts that boot, named and addressed as the examples have them,
// with keepalived, Redis and Sentinel as Debian ships them, and a client.
type hosts struct {
	*booted.Lab
	Booted []*booted.Host // those that serve, or are to
	spare  []*booted.Host // those that nothing is on yet

	t     *testing.T
	ctx   context.Context
	redis map[*booted.Host]*redis.Client
	books int // opened

	fresh  int          // which of Booted is a new machine in the place of a dead one
	absent *booted.Host // that one, as long as nothing is on it
	taken  int          // acknowledged writes that a dead host may have taken along
}

var vip = netip.MustParseAddr("192.168.0.4")

func newHosts(t *testing.T, count int) *hosts {
	t.Helper()
	require(t, "debootstrap", "systemd-nspawn", "journalctl")
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	t.Cleanup(cancel)
	plan := func(name, address string) netlab.Plan {
		return netlab.Plan{Name: name, Addresses: []netip.Prefix{netip.MustParsePrefix(address)}}
	}
	var plans []netlab.Plan
	for _, n := range []int{1, 2, 3, 5, 6}[:count] { // 4 is the VIP
		plans = append(plans, plan(fmt.Sprintf("redis%d", n), fmt.Sprintf("192.168.0.%d/24", n)))
	}
	lab, err := booted.New(ctx, plans, plan("client", "192.168.0.100/24"))
	if err != nil {
		t.Fatal(err)
	}
	p := &hosts{Lab: lab, Booted: slices.Clone(lab.Booted), t: t, ctx: ctx, redis: map[*booted.Host]*redis.Client{}}
	for _, h := range lab.Booted {
		// The "y" of whoever reads the README.
		p.check(h.WriteFile(ctx, netlab.File{Path: "/etc/apt/apt.conf.d/yes", Content: []byte("APT::Get::Assume-Yes \"true\";\n"), Mode: 0o644}))
		p.redis[h] = client.New("127.0.0.1:6379", h.DialContext, time.Second, 1)
		for from, to := range map[string]string{deb(t, packages): "/root/", deb(t, newer): "/root/newer/"} {
			p.check(h.WriteFile(ctx, netlab.File{Path: to + filepath.Base(from), Content: read(t, from), Mode: 0o644}))
		}
	}
	t.Cleanup(func() {
		if t.Failed() {
			var timeline strings.Builder
			for _, e := range lab.Journal.All() {
				fmt.Fprintln(&timeline, e)
			}
			t.Log(timeline.String())
			p.logs()
		}
		for _, server := range p.redis {
			server.Close()
		}
		if err := lab.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// logs prints the end of what Redis and Sentinel have logged: Debian has them write files.
func (p *hosts) logs() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	for _, h := range p.Booted {
		status, err := h.Run(ctx, netlab.Command{Args: []string{"sh", "-c", "tail -n 100 /var/log/redis/*.log"}})
		p.t.Logf("%s: %v\n%s%s", h.Name, err, status.Stdout, status.Stderr)
	}
}

func (p *hosts) check(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

// until waits for a condition; what is still wrong is in the error.
func (p *hosts) until(limit time.Duration, condition func() error) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, limit)
	defer cancel()
	p.check(netlab.Until(ctx, func(context.Context) error { return condition() }))
}

func (p *hosts) sh(h *booted.Host, script string) string {
	p.t.Helper()
	return output(p.t, p.ctx, h, "sh", "-ec", script)
}

// whole says what is missing until a host alone has the VIP, is the master, and the
// others are its replicas.
func (p *hosts) whole(active *booted.Host) error {
	for _, h := range p.Booted {
		if h == p.absent {
			continue
		}
		holds, err := h.Holds(vip)
		if err != nil {
			return err
		}
		if holds != (h == active) {
			return fmt.Errorf("%s has the VIP: %v", h.Name, holds)
		}
		role, err := p.redis[h].Do(p.ctx, "ROLE").Slice()
		if err != nil {
			return err
		}
		if h == active && role[0] != "master" {
			return fmt.Errorf("%s is a %v", h.Name, role[0])
		}
		if h != active && (len(role) < 4 || role[3] != "connected") {
			return fmt.Errorf("%s is %v", h.Name, role)
		}
	}
	return nil
}

func (p *hosts) ledger() *ledger.Ledger {
	p.t.Helper()
	p.books++ // its keys are its own, or it would find those of the one before
	book := ledger.Open(ledger.Config{
		Name: fmt.Sprintf("w%d", p.books), Address: vip.String() + ":6379", Dial: p.Lab.Host("client").DialContext,
	})
	p.t.Cleanup(book.Stop)
	p.check(book.WaitAcknowledged(p.ctx, 1000))
	return book
}

// states are those that the keepalived of a host has entered, in order.
func (p *hosts) states(h *booted.Host) (list []string) {
	for _, e := range p.Journal.All() {
		if _, state, ok := strings.Cut(e.Message, "Entering "); ok && e.Host == h.Name && strings.HasPrefix(e.Identifier, "Keepalived") {
			list = append(list, state)
		}
	}
	return list
}

// ready waits until a standby could take over: one that has just begun to follow is
// in FAULT for fall and rise.
func (p *hosts) ready(standby *booted.Host) {
	p.t.Helper()
	p.until(30*time.Second, func() error {
		if list := p.states(standby); len(list) == 0 || list[len(list)-1] != "BACKUP STATE" {
			return fmt.Errorf("%s went through %q", standby.Name, list)
		}
		return nil
	})
}

// missing are the acknowledged writes that the master does not have.
func (p *hosts) missing(book *ledger.Ledger, master *booted.Host) int {
	p.t.Helper()
	p.check(book.WaitAcknowledged(p.ctx, 1000))
	book.Stop()
	lost, err := book.Missing(p.ctx, p.redis[master])
	p.check(err)
	return len(lost)
}

// readme is the project's own.
const readme = "../README.md"

// follow does what a section of a README says. A step on all hosts is done on one
// after the other; after is called when a step is done.
func (p *hosts) follow(path, section string, after func(step)) {
	p.t.Helper()
	for _, h := range p.Booted {
		p.sh(h, "systemctl start redis-server") // as apt does where nothing forbids it
		p.until(10*time.Second, func() error { return p.redis[h].Ping(p.ctx).Err() })
	}
	p.check(p.redis[p.Booted[0]].Set(p.ctx, "here", "before", 0).Err())
	for _, s := range quickStart(p.t, path, section) {
		on := p.Booted
		switch s.on {
		case "on both", "on all three":
		case "on the host whose data you keep":
			on = on[:1]
		case "then, on the other":
			on = on[1:]
		default:
			p.t.Fatalf("%s: on which host is %q?", path, s.on)
		}
		for _, h := range on {
			p.sh(h, "cd /root; exec </dev/null\n"+strings.Join(s.commands, "\n"))
		}
		after(s)
	}
}

// lint has nothing to say about hosts that were set up so.
func (p *hosts) lint() {
	p.t.Helper()
	for _, h := range p.Booted {
		status, err := h.Run(p.ctx, netlab.Command{Args: []string{"redis-vip", "lint", "--strict"}})
		p.check(err)
		if status.Code != 0 {
			p.t.Errorf("%s: redis-vip lint: %d\n%s%s", h.Name, status.Code, status.Stdout, status.Stderr)
		}
	}
}
