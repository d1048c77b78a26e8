package packaging_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"redis-vip/examples/lab/booted"
	"redis-vip/examples/lab/client"
	"redis-vip/examples/lab/ledger"
	"redis-vip/examples/lab/netlab"
)

// pair are two Debian hosts that boot, named and addressed as the example has them,
// with keepalived and Redis as Debian ships them, and a client.
type pair struct {
	*booted.Lab
	t     *testing.T
	ctx   context.Context
	redis map[*booted.Host]*redis.Client
}

var vip = netip.MustParseAddr("192.168.0.4")

func newPair(t *testing.T) *pair {
	t.Helper()
	require(t, "debootstrap", "systemd-nspawn", "journalctl")
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	t.Cleanup(cancel)
	plan := func(name, address string) netlab.Plan {
		return netlab.Plan{Name: name, Addresses: []netip.Prefix{netip.MustParsePrefix(address)}}
	}
	lab, err := booted.New(ctx, []netlab.Plan{plan("redis1", "192.168.0.1/24"), plan("redis2", "192.168.0.2/24")},
		plan("client", "192.168.0.100/24"))
	if err != nil {
		t.Fatal(err)
	}
	p := &pair{Lab: lab, t: t, ctx: ctx, redis: map[*booted.Host]*redis.Client{}}
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

func (p *pair) check(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

// until waits for a condition; what is still wrong is in the error.
func (p *pair) until(limit time.Duration, condition func() error) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, limit)
	defer cancel()
	p.check(netlab.Until(ctx, func(context.Context) error { return condition() }))
}

func (p *pair) sh(h *booted.Host, script string) string {
	p.t.Helper()
	return output(p.t, p.ctx, h, "sh", "-ec", script)
}

// whole says what is missing until a host alone has the VIP, is the master, and the
// other one is its replica.
func (p *pair) whole(active *booted.Host) error {
	for _, h := range p.Booted {
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

func (p *pair) ledger() *ledger.Ledger {
	p.t.Helper()
	book := ledger.Open(ledger.Config{Address: vip.String() + ":6379", Dial: p.Lab.Host("client").DialContext})
	p.t.Cleanup(book.Stop)
	p.check(book.WaitAcknowledged(p.ctx, 1000))
	return book
}

// states are those that the keepalived of a host has entered, in order.
func (p *pair) states(h *booted.Host) (list []string) {
	for _, e := range p.Journal.All() {
		if _, state, ok := strings.Cut(e.Message, "Entering "); ok && e.Host == h.Name && strings.HasPrefix(e.Identifier, "Keepalived") {
			list = append(list, state)
		}
	}
	return list
}

// ready waits until a standby could take over: one that has just begun to follow is
// in FAULT for fall and rise.
func (p *pair) ready(standby *booted.Host) {
	p.t.Helper()
	p.until(30*time.Second, func() error {
		if list := p.states(standby); len(list) == 0 || list[len(list)-1] != "BACKUP STATE" {
			return fmt.Errorf("%s went through %q", standby.Name, list)
		}
		return nil
	})
}

// missing are the acknowledged writes that the master does not have.
func (p *pair) missing(book *ledger.Ledger, master *booted.Host) int {
	p.t.Helper()
	p.check(book.WaitAcknowledged(p.ctx, 1000))
	book.Stop()
	lost, err := book.Missing(p.ctx, p.redis[master])
	p.check(err)
	return len(lost)
}

// running is what an installation must not change: processes, states, configuration
// of all units but ours.
const running = `systemctl list-units --all --no-legend --plain --type=service,socket,timer | grep -v -e redis-vip -e systemd-tmpfiles | awk '{print $1, $3, $4}' | sort
systemctl show keepalived redis-server redis-sentinel -p MainPID,ActiveEnterTimestampMonotonic,NRestarts,DropInPaths,Restart
systemctl list-unit-files --no-legend --state=enabled | sort
ip -o address; ss -Hltnp | sort; md5sum /etc/redis/* /etc/keepalived/*`

func TestInstallingChangesNothingThatRuns(t *testing.T) {
	p := newPair(t)
	h := p.Booted[0]
	// A keepalived that somebody has for something else.
	p.check(h.WriteFile(p.ctx, netlab.File{Path: "/etc/keepalived/keepalived.conf", Mode: 0o644, Content: []byte(`
vrrp_instance other {
    interface eth0
    virtual_router_id 7
    virtual_ipaddress { 192.168.0.7/24 }
}
`)}))
	p.sh(h, "systemctl start redis-server redis-sentinel keepalived")
	p.until(20*time.Second, func() error {
		if holds, err := h.Holds(netip.MustParseAddr("192.168.0.7")); err != nil || !holds {
			return fmt.Errorf("keepalived has no address yet: %v", err)
		}
		return nil
	})
	before := p.sh(h, running)
	p.sh(h, "apt-get install /root/redis-vip_*.deb </dev/null")
	if after := p.sh(h, running); after != before {
		t.Errorf("before:\n%s\n\nafter:\n%s", before, after)
	}
	for _, unit := range []string{"redis-vip-reconcile.socket", "redis-vip-reconcile.timer", "redis-vip-reconcile.service"} {
		if got := p.sh(h, "systemctl show "+unit+" -p LoadState,ActiveState,UnitFileState"); !strings.Contains(got, "loaded") || !strings.Contains(got, "inactive") || strings.Contains(got, "enabled") {
			t.Errorf("%s: %s", unit, got)
		}
	}
	for path, want := range map[string]string{
		"/run/redis-vip": "1770 redis-vip redis", "/var/lib/redis-vip": "750 redis-vip redis", "/etc/redis-vip": "755 root root",
	} {
		if got := p.sh(h, "stat --format='%a %U %G' "+path); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}

	// What was enabled ends with the removal; a purge takes what is left, without a question.
	p.sh(h, "systemctl enable --now redis-vip-reconcile.socket redis-vip-reconcile.timer; apt-get remove redis-vip </dev/null")
	if got := p.sh(h, "systemctl list-units --all --no-legend --plain 'redis-vip*'; find /etc/systemd -name 'redis-vip*'; ls /run/redis-vip"); got != "" {
		t.Errorf("left after the removal:\n%s", got)
	}
	if got := p.sh(h, running); got != before {
		t.Errorf("before:\n%s\n\nafter the removal:\n%s", before, got)
	}
	p.sh(h, "apt-get purge redis-vip </dev/null")
	if got := p.sh(h, "find / -xdev -name '*redis-vip*' ! -path '/root/*' ! -path '/proc/*' ! -path '/var/cache/*'; find /run -name '*redis-vip*'"); got != "" {
		t.Errorf("left after the purge:\n%s", got)
	}
}

// A newcomer follows the README; then Redis dies, keepalived dies, the package is
// upgraded, removed and purged.
func TestPairAsTheReadmeSays(t *testing.T) {
	p := newPair(t)
	first, second := p.Booted[0], p.Booted[1]
	for _, h := range p.Booted {
		p.sh(h, "systemctl start redis-server") // as apt does where nothing forbids it
		p.until(10*time.Second, func() error { return p.redis[h].Ping(p.ctx).Err() })
	}
	p.check(p.redis[first].Set(p.ctx, "here", "before", 0).Err())
	for _, s := range quickStart(t, "Active/standby pair") {
		hosts, script := p.Booted, strings.Join(s.commands, "\n")
		switch s.on {
		case "on both":
		case "on the host whose data you keep":
			hosts = p.Booted[:1]
		case "then, on the other":
			hosts = p.Booted[1:]
		default:
			t.Fatalf("README.md: on which host is %q?", s.on)
		}
		for _, h := range hosts {
			p.sh(h, "cd /root; exec </dev/null\n"+script)
		}
		if s.on == "on the host whose data you keep" {
			p.until(30*time.Second, func() error { // "until it says …"
				if said := p.sh(first, "redis-vip explain"); !strings.Contains(said, "here, so this node should be a master") || !strings.Contains(said, "FIT (master)") {
					return errors.New(said)
				}
				return nil
			})
		}
	}
	p.until(30*time.Second, func() error { return p.whole(first) })
	if value, err := p.redis[second].Get(p.ctx, "here").Result(); value != "before" {
		t.Errorf("the standby has %q, %v", value, err)
	}

	t.Run("Redis dies", func(t *testing.T) {
		p.t = t
		p.ready(second)
		book := p.ledger()
		p.sh(first, "systemctl kill --signal=KILL redis-server; systemctl stop redis-server")
		p.until(20*time.Second, func() error {
			if holds, err := second.Holds(vip); err != nil || !holds {
				return fmt.Errorf("the VIP is not on %s: %v", second.Name, err)
			}
			return nil
		})
		lost := p.missing(book, second)
		report := book.Report()
		t.Logf("outage %v, %d acknowledged, %d lost", report.Outage.Duration(), report.Acknowledged, lost)
		if lost > 3 { // at most one on its way for each of three writers
			t.Errorf("%d acknowledged writes are lost", lost)
		}
		p.sh(first, "systemctl start redis-server")
		p.until(30*time.Second, func() error { return p.whole(second) })
	})

	t.Run("upgrade under traffic", func(t *testing.T) {
		p.t = t
		pids := func() (list string) {
			for _, h := range p.Booted {
				list += p.sh(h, "systemctl show keepalived redis-server -p MainPID,NRestarts") + "\n"
			}
			return list
		}
		p.ready(first)
		before, states := pids(), fmt.Sprint(p.states(first), p.states(second))
		book := p.ledger()
		check := netlab.Command{Args: []string{"sh", "-c", hookLoop, "sh", "/usr/lib/redis-vip/redis-check"}, User: "redis-vip", Group: "redis"}
		for _, h := range []*booted.Host{first, second} {
			loop, err := h.Start(p.ctx, check)
			p.check(err)
			log := func() string { return p.sh(h, "cat /tmp/hooks || true") }
			await(t, p.ctx, log, "version")
			p.sh(h, "apt-get install /root/newer/redis-vip_*.deb </dev/null")
			await(t, p.ctx, log, newerVersion)
			p.sh(h, "touch /tmp/enough")
			_, err = loop.Wait(p.ctx)
			p.check(err)
			runs(t, log())
		}
		if lost := p.missing(book, second); lost > 0 {
			t.Errorf("%d acknowledged writes are lost", lost)
		}
		report := book.Report()
		t.Logf("longest wait %v, %d acknowledged", report.Outage.Duration(), report.Acknowledged)
		if len(report.Errors) > 0 {
			t.Errorf("clients saw the upgrade: %v", report.Errors)
		}
		if now := fmt.Sprint(p.states(first), p.states(second)); now != states {
			t.Errorf("keepalived went on from %s to %s", states, now)
		}
		if after := pids(); after != before {
			t.Errorf("restarted: before\n%s\nafter\n%s", before, after)
		}
		p.check(p.whole(second))
	})

	// Both processes killed leave the VIP behind, and nobody that checks: the drop-in
	// starts keepalived again.
	t.Run("keepalived is killed", func(t *testing.T) {
		p.t = t
		p.ready(first)
		book := p.ledger()
		p.sh(second, "systemctl kill --signal=KILL keepalived")
		p.until(20*time.Second, func() error {
			if got := p.sh(second, "systemctl show keepalived -p NRestarts,ActiveState"); got != "NRestarts=1\nActiveState=active" && got != "ActiveState=active\nNRestarts=1" {
				return errors.New(got)
			}
			return nil
		})
		// Either host may have the VIP now, and only one.
		var active *booted.Host
		p.until(40*time.Second, func() error {
			active = first
			if holds, err := second.Holds(vip); err == nil && holds {
				active = second
			}
			return p.whole(active)
		})
		if lost := p.missing(book, active); lost > 0 {
			t.Errorf("%d acknowledged writes are lost", lost)
		}
	})

	t.Run("removal", func(t *testing.T) {
		p.t = t
		const data = "/var/lib/redis-vip/mymaster/20261121T010626Z-b8e0b44a-43-185.resp"
		p.sh(second, "systemctl stop keepalived; mkdir -p "+filepath.Dir(data)+"; touch "+data)
		if said := p.sh(second, "apt-get remove redis-vip </dev/null 2>&1"); !strings.Contains(said, "/etc/keepalived/keepalived.conf still names its programs") {
			t.Errorf("it does not say who still names its programs: %s", said)
		}
		if said := p.sh(second, "apt-get purge redis-vip </dev/null 2>&1"); !strings.Contains(said, "/var/lib/redis-vip stays") {
			t.Errorf("it does not say that the data stays: %s", said)
		}
		p.sh(second, "test -e "+data+"; test ! -e /run/redis-vip; test -e /etc/redis-vip/never-boot-as-master.conf")
		p.sh(second, "systemctl restart redis-server; redis-cli ping") // redis.conf still has what it includes
	})
}
