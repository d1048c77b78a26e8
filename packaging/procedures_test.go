package packaging_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"redis-vip/examples/lab/booted"
	"redis-vip/examples/lab/ledger"
	"redis-vip/examples/lab/netlab"
)

// patience is for a host to be what a step has made it: a Redis that restarts is known
// after some checks, and fit after some more.
const patience = 40 * time.Second

// replace takes a host away, and puts a new machine there; if asked, with the name and
// the address of the dead one.
func (p *hosts) replace(which int, spare *booted.Host, same bool) {
	p.t.Helper()
	dead := p.Booted[which]
	name := p.sh(dead, "hostname")
	p.check(dead.Kill(p.ctx))
	p.taken = 3 // at most what was on its way of each of three writers
	if same {
		p.sh(spare, fmt.Sprintf("hostname %s; ip address flush dev eth0; ip address add %s dev eth0", name, dead.Addresses[0]))
	}
	p.Booted[which], p.fresh, p.absent = spare, which, spare
	p.until(patience, func() error { return p.whole(p.active()) })
}

// copyHost copies what a host that lives has put together to the new one.
func (p *hosts) copyHost(s step) {
	p.t.Helper()
	if !strings.HasSuffix(s.on, "that lives") || p.absent == nil {
		return
	}
	for _, from := range p.on(s) {
		content, err := from.ReadFile(p.ctx, "/root/host.tar")
		p.check(err)
		p.check(p.absent.WriteFile(p.ctx, netlab.File{Path: "/root/host.tar", Content: content, Mode: 0o600}))
	}
}

// replay brings back what was preserved of a host.
func (p *hosts) replay(of *booted.Host) {
	p.t.Helper()
	steps := manual(p.t, "BRINGING BACK PRESERVED WRITES")
	for _, h := range p.Booted {
		p.sh(h, strings.Join(steps[0].commands, "\n"))
	}
	file := p.sh(of, "cd /var/lib/redis-vip/mymaster; ls *.resp *.rdb 2>/dev/null || true")
	if said := p.sh(of, strings.ReplaceAll(strings.Join(steps[1].commands, "\n"), "FILE", file)); !strings.Contains(said, "1 applied") {
		p.t.Errorf("%s: %s", of.Name, said)
	}
}

// serving runs a part of a host's life while clients write, who lose nothing.
func (p *hosts) serving(t *testing.T, name string, part func()) {
	t.Run(name, func(t *testing.T) {
		outer := p.t
		p.t = t
		defer func() { p.t = outer }()
		book := p.ledger()
		began := time.Now()
		p.taken = 0
		part()
		p.until(patience, func() error { return p.whole(p.active()) })
		if lost := p.missing(book, p.active()); lost > p.taken {
			t.Errorf("%d acknowledged writes are lost", lost)
		}
		p.fit()
		p.lint()
		p.notRefused()
		t.Log(told(book, time.Since(began)))
	})
	if t.Failed() {
		t.FailNow()
	}
}

func told(book *ledger.Ledger, took time.Duration) string {
	r := book.Report()
	return strings.Join([]string{
		"took " + took.Round(100*time.Millisecond).String(),
		"longest wait " + r.Outage.Duration().Round(10*time.Millisecond).String(),
	}, ", ")
}

// standsBy waits until a standby of a pair could take over.
func (p *hosts) standsBy() {
	p.t.Helper()
	for _, h := range p.Booted {
		if h != p.active() {
			p.ready(h)
		}
	}
}

// secrets are new ones, the same on all hosts.
func (p *hosts) secrets(folder string, users ...string) {
	p.t.Helper()
	for _, user := range users {
		p.sh(p.Booted[0], "umask 077; mkdir -p /root/"+folder+"; redis-cli acl genpass >/root/"+folder+"/"+user)
	}
	p.copyFolder(folder)
}

func (p *hosts) copySecrets(folder string) func(step) {
	return func(s step) {
		if s.on == "one host" {
			p.copyFolder(folder)
		}
	}
}

// copyFolder copies a folder of root's from the first host to the others.
func (p *hosts) copyFolder(folder string) {
	p.t.Helper()
	for _, name := range strings.Fields(p.sh(p.Booted[0], "ls /root/"+folder)) {
		path := "/root/" + folder + "/" + name
		content, err := p.Booted[0].ReadFile(p.ctx, path)
		p.check(err)
		for _, h := range p.Booted[1:] {
			p.check(h.WriteFile(p.ctx, netlab.File{Path: path, Content: content, Mode: 0o600}))
		}
	}
}

// alone expects that each user has one password, and that it is the one of the folder
// that was last given.
func (p *hosts) alone(users ...string) {
	p.t.Helper()
	for _, h := range p.Booted {
		for _, user := range users {
			if n := p.sh(h, "redis-cli acl getuser "+user+" | sed -n '/^passwords/,/^commands/p' | grep -c '^[0-9a-f]\\{64\\}$'"); n != "1" {
				p.t.Errorf("%s: %s has %s passwords", h.Name, user, n)
			}
		}
	}
}

// notRefused expects that no server has refused anything to anybody. That lint's user may
// not ask for rights is known: root does then.
func (p *hosts) notRefused() {
	p.t.Helper()
	for _, h := range p.Booted {
		list, err := p.redis[h].ACLLog(p.ctx, 100).Result()
		p.check(err)
		for _, e := range list {
			if e.Object != "acl|dryrun" {
				p.t.Errorf("%s has refused %s to %s (%s)", h.Name, e.Object, e.Username, e.Reason)
			}
		}
	}
}
