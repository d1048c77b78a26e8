package packaging_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"redis-vip/examples/lab/netlab"
	"redis-vip/examples/lab/shell"
)

// oldKeepalived is what articles have: scripts, multicast, a password of VRRP.
const oldKeepalived = `
vrrp_script chk_redis {
    script "/etc/keepalived/redis-check"
    interval 2
    fall 2
    rise 2
}
vrrp_instance VI_1 {
@redis1 state MASTER
@redis2 state BACKUP
    interface eth0
    virtual_router_id 51
@redis1 priority 101
@redis2 priority 100
    advert_int 1
    authentication {
        auth_type PASS
        auth_pass a-secret
    }
    virtual_ipaddress {
        192.168.0.4/24
    }
    track_script {
        chk_redis
    }
    notify_master "/etc/keepalived/notify-master"
    notify_backup "/etc/keepalived/notify-backup"
}
`

// own puts into the example's keepalived.conf what the two keepaliveds agree on.
func own(conf string) string {
	conf = regexp.MustCompile(`(?m)^@redis. unicast_src_ip.*\n|^    unicast_peer \{\n(?:@redis.*\n)*    \}\n`).ReplaceAllString(conf, "")
	return strings.NewReplacer(
		"vrrp_instance redis {", "vrrp_instance VI_1 {", "priority 250", "priority 101", "priority 240", "priority 100",
		"    advert_int 1\n", "    advert_int 1\n    authentication {\n        auth_type PASS\n        auth_pass a-secret\n    }\n",
	).Replace(conf)
}

// The life of a pair: it is adopted, gets users, other passwords, newer versions, a new
// host for a dead one. Clients write all the time.
func TestProceduresOfAPair(t *testing.T) {
	t.Parallel()
	p := newHosts(t, 4)
	p.Booted, p.spare = p.Booted[:2], p.Booted[2:]
	for _, h := range p.Booted {
		for _, f := range shell.Files() {
			f.Path = strings.Replace(f.Path, "/usr/lib/redis-vip/", "/etc/keepalived/", 1)
			p.check(h.WriteFile(p.ctx, f))
		}
		p.check(h.WriteFile(p.ctx, netlab.File{Path: "/etc/keepalived/keepalived.conf", Content: []byte(oldKeepalived), Mode: 0o644}))
		p.sh(h, `printf 'bind 0.0.0.0 -::*\nprotected-mode no\n' >>/etc/redis/redis.conf
systemctl enable redis-server keepalived; systemctl start redis-server`)
	}
	first, second := p.Booted[0], p.Booted[1]
	p.sh(second, "redis-cli replicaof 192.168.0.1 6379; redis-cli config rewrite")
	p.sh(first, "systemctl start keepalived")
	p.sh(second, "systemctl start keepalived")
	p.until(patience, func() error { return p.whole(first) })

	p.serving(t, "adopting", func() {
		states := len(p.states(first)) + len(p.states(second))
		p.procedure("ADOPTING A LIVE PAIR", func(s step) {
			joined := strings.Join(s.commands, "\n")
			if strings.Contains(joined, "cp -r") {
				for _, h := range p.Booted {
					conf, err := h.ReadFile(p.ctx, "/root/redis-vip/keepalived.conf")
					p.check(err)
					p.check(h.WriteFile(p.ctx, netlab.File{Path: "/root/redis-vip/keepalived.conf", Content: []byte(own(string(conf))), Mode: 0o644}))
				}
			}
			if strings.Contains(joined, "reload") {
				if now := len(p.states(first)) + len(p.states(second)); now != states {
					p.t.Errorf("keepalived went on to %q and %q", p.states(first), p.states(second))
				}
			}
			if !strings.Contains(joined, "cp -r") {
				p.fit()
			}
		})
		if p.active() != first {
			p.t.Error("there and back again, the VIP is elsewhere")
		}
	})
	p.serving(t, "users", func() {
		p.procedure("Users for a pair", p.copySecrets("secret"))
		p.alone("ha", "repl")
	})
	p.serving(t, "rotating", func() {
		p.secrets("new", "ha", "repl")
		p.procedure("The passwords of a pair", nil)
		p.alone("ha", "repl")
	})
	p.serving(t, "upgrading", func() {
		names := []string{"redis-server", "redis-tools", "keepalived"}
		p.offer(names...)
		p.procedure("Upgrading a pair", func(step) { p.fit(); p.standsBy() })
		p.upgraded(names...)
	})
	p.serving(t, "bringing writes back", func() {
		p.secrets("secret", "replay")
		p.procedure("A user for a replay", nil)
		standby := p.on(step{on: "the standby"})[0]
		p.sh(standby, "redis-cli replicaof no one; redis-cli mset lost:1 a lost:2 b") // somebody's mistake
		p.until(patience, func() error { return p.whole(p.active()) })
		p.replay(standby)
		if value, err := p.redis[p.active()].MGet(p.ctx, "lost:1", "lost:2").Result(); fmt.Sprint(value) != "[a b]" {
			p.t.Errorf("the master has %v, %v", value, err)
		}
	})
	p.serving(t, "a new host", func() {
		p.replace(slices.Index(p.Booted, p.active()), p.spare[1], true)
		p.procedure("A pair's host, at the same address", p.copyHost)
		p.standsBy()
	})
	p.serving(t, "a new host elsewhere", func() {
		p.replace(1, p.spare[0], false)
		p.procedure("A pair's host, at another address", nil)
		p.procedure("A pair's host, at the same address", p.copyHost)
		p.standsBy()
	})
}
