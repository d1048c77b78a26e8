package packaging_test

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"redis-vip/examples/lab/booted"
)

// manual reads the steps out of a section of redis-vip-procedures(7), so that what is
// tested is what people are told. A heading may be that of a subsection.
func manual(t *testing.T, heading string) (steps []step) {
	t.Helper()
	page := string(read(t, "man/redis-vip-procedures.7"))
	level := regexp.MustCompile(`(?m)^\.(S[hs]) ` + regexp.QuoteMeta(heading) + "\n").FindStringSubmatchIndex(page)
	if level == nil {
		t.Fatalf("redis-vip-procedures(7) has no section %q", heading)
	}
	text := page[level[1]:]
	end := `(?m)^\.S[hs] `
	if page[level[2]:level[3]] == "Sh" {
		end = `(?m)^\.Sh `
	}
	if next := regexp.MustCompile(end).FindStringIndex(text); next != nil {
		text = text[:next[0]]
	}
	for _, block := range regexp.MustCompile(`(?s)\n\.Bd -literal -offset indent\n(.*?)\.Ed\n`).FindAllStringSubmatch("\n"+text, -1) {
		for line := range strings.Lines(literal.Replace(block[1])) {
			line = strings.TrimSuffix(line, "\n")
			comment, isComment := strings.CutPrefix(line, "# on ")
			switch {
			case line == "":
			case isComment:
				on, _, _ := strings.Cut(comment, ";")
				steps = append(steps, step{on: on})
			case len(steps) == 0:
				t.Fatalf("redis-vip-procedures(7), %s: %q: on which host?", heading, line)
			default:
				last := &steps[len(steps)-1]
				last.commands = append(last.commands, line)
			}
		}
	}
	if len(steps) == 0 {
		t.Fatalf("redis-vip-procedures(7), %s: no commands", heading)
	}
	return steps
}

// literal undoes what mdoc wants to be written otherwise.
var literal = strings.NewReplacer(`\(aq`, "'", `\e`, `\`, `\(ti`, "~", `\(ha`, "^")

// procedure does what a section of the manual page says, each step on all its hosts. After
// each, one is the master with the VIP, and the others follow it, at once where the step
// waits; then done is called.
func (p *hosts) procedure(heading string, done func(step)) {
	p.t.Helper()
	p.t.Log(heading)
	p.carryOut(manual(p.t, heading), done)
}

// around are the steps of a section of which the first is done before those of another
// one, and the others after them.
func (p *hosts) around(heading string) (before, after []step) {
	p.t.Helper()
	steps := manual(p.t, heading)
	return steps[:1], steps[1:]
}

func (p *hosts) carryOut(steps []step, done func(step)) {
	p.t.Helper()
	for _, s := range steps {
		for _, h := range p.on(s) {
			p.t.Logf("on %s (%s)", h.Name, s.on)
			p.sh(h, "cd /root; exec </dev/null\n"+strings.Join(s.commands, "\n"))
			if h == p.absent {
				p.absent = nil
			}
			commands := strings.Join(s.commands, "\n")
			if strings.Contains(commands, "explain --wait") {
				p.check(p.whole(p.active())) // the page has waited
			}
			p.until(patience, func() error { return p.whole(p.active()) })
			if strings.Contains(commands, "sentinel reset") {
				p.check(p.quorum(h))
			}
		}
		if done != nil {
			done(s)
		}
	}
}

// on are the hosts that a step is for.
func (p *hosts) on(s step) (list []*booted.Host) {
	p.t.Helper()
	active := p.active()
	switch s.on {
	case "both", "all three", "all":
		return p.Booted
	case "one host":
		return p.Booted[:1]
	case "the new host":
		return p.Booted[p.fresh : p.fresh+1]
	case "the host that lives", "a host that lives", "each host that lives":
		for i, h := range p.Booted {
			if i != p.fresh {
				list = append(list, h)
			}
		}
		if s.on == "a host that lives" {
			list = list[:1]
		}
		return list
	case "the host with the VIP":
		return []*booted.Host{active}
	case "the standby", "each host without the VIP":
		for _, h := range p.Booted {
			if h != active {
				list = append(list, h)
			}
		}
		return list
	}
	p.t.Fatalf("redis-vip-procedures(7): on which host is %q?", s.on)
	return nil
}

// quorum says what is missing until the Sentinel of a host knows the other two, and two
// replicas, and nobody else.
func (p *hosts) quorum(h *booted.Host) error {
	said := p.sh(h, `redis-cli -p 26379 sentinel ckquorum mymaster || true
redis-cli -p 26379 sentinel sentinels mymaster | grep -c ^runid || true
redis-cli -p 26379 sentinel replicas mymaster | grep -c ^runid || true`)
	if !strings.HasPrefix(said, "OK 3 usable") || !strings.HasSuffix(said, "\n2\n2") {
		return fmt.Errorf("%s: %s", h.Name, said)
	}
	return nil
}

// active is the host that has the VIP.
func (p *hosts) active() (active *booted.Host) {
	p.t.Helper()
	p.until(patience, func() error {
		var names []string
		for _, h := range p.Booted {
			if holds, err := h.Holds(vip); err == nil && holds && h != p.absent {
				active, names = h, append(names, h.Name)
			}
		}
		if len(names) != 1 {
			return fmt.Errorf("the VIP is on %q", names)
		}
		return nil
	})
	return active
}

// fit waits until the check of every host says so.
func (p *hosts) fit() {
	p.t.Helper()
	for _, h := range p.Booted {
		p.until(patience, func() error {
			if said := p.sh(h, "redis-vip explain"); !strings.Contains(said, "\nFIT (") {
				return errors.New(said)
			}
			return nil
		})
	}
}
