package packaging_test

import (
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"redis-vip/examples/lab/booted"
	"redis-vip/examples/lab/netlab"
)

// running is what an installation must not change: processes, states, configuration
// of all units but ours.
const running = `systemctl list-units --all --no-legend --plain --type=service,socket,timer | grep -v -e redis-vip -e systemd-tmpfiles | awk '{print $1, $3, $4}' | sort
systemctl show keepalived redis-server redis-sentinel -p MainPID,ActiveEnterTimestampMonotonic,NRestarts,DropInPaths,Restart
systemctl list-unit-files --no-legend --state=enabled | sort
ip -o address; ss -Hltnp | sort; md5sum /etc/redis/* /etc/keepalived/*`

func TestInstallingChangesNothingThatRuns(t *testing.T) {
	p := newHosts(t, 2)
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
		"/run/redis-vip": "1771 redis-vip redis", "/var/lib/redis-vip": "750 redis-vip redis", "/etc/redis-vip": "755 root root",
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
	p := newHosts(t, 2)
	first, second := p.Booted[0], p.Booted[1]
	p.follow(readme, "Active/standby pair", func(s step) {
		if s.on == "on the host whose data you keep" {
			p.until(30*time.Second, func() error { // "until it says …"
				if said := p.sh(first, "redis-vip explain"); !strings.Contains(said, "is here: this node should be a master") || !strings.Contains(said, "FIT (master)") {
					return errors.New(said)
				}
				return nil
			})
		}
	})
	p.until(30*time.Second, func() error { return p.whole(first) })
	if value, err := p.redis[second].Get(p.ctx, "here").Result(); value != "before" {
		t.Errorf("the standby has %q, %v", value, err)
	}
	p.lint()

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
		// A time-out of the client's, 250 ms, is what unpacking on a busy machine may cost.
		delete(report.Errors, "time-out")
		if wait := report.Outage.Duration(); len(report.Errors) > 0 || wait > 2*time.Second {
			t.Errorf("clients saw the upgrade: %v, and one waited %v", report.Errors, wait)
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

// Three hosts under Sentinel, in the same way. What happens to them then is tested in
// examples/lab/booted, with the package, too.
func TestTrioAsTheReadmeSays(t *testing.T) {
	p := newHosts(t, 3)
	p.follow(readme, "Redis Sentinel", func(step) {})
	first := p.Booted[0]
	p.until(40*time.Second, func() error { return p.whole(first) })
	for _, h := range p.Booted {
		if value, err := p.redis[h].Get(p.ctx, "here").Result(); value != "before" {
			t.Errorf("%s has %q, %v", h.Name, value, err)
		}
	}
	p.until(40*time.Second, func() error { // "OK 3 usable Sentinels"
		if said := p.sh(first, "redis-cli -p 26379 sentinel ckquorum mymaster || true; redis-cli -p 26379 sentinel replicas mymaster | grep -c runid || true"); !strings.HasPrefix(said, "OK 3 usable") || !strings.HasSuffix(said, "2") {
			return errors.New(said)
		}
		return nil
	})
	p.lint()
	book := p.ledger()
	p.sh(first, "redis-vip switchover mymaster")
	var now *booted.Host
	p.until(30*time.Second, func() error {
		for _, now = range p.Booted[1:] {
			if holds, err := now.Holds(vip); err == nil && holds {
				return p.whole(now)
			}
		}
		return errors.New("the VIP has not moved")
	})
	if lost := p.missing(book, now); lost > 0 {
		t.Errorf("%d acknowledged writes are lost", lost)
	}
}
