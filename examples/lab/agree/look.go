package agree

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"redis-vip/examples/lab/client"
	"redis-vip/examples/lab/fault"
	"redis-vip/examples/lab/netlab"
	"redis-vip/examples/lab/site"
	"redis-vip/examples/sim/world"
)

// patience is how long a Redis may take to say INFO: less than [world.LookBefore].
const patience = 300 * ms

// look looks at all nodes, at once.
func (p *player) look(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*patience)
	defer cancel()
	view := world.View{At: time.Since(p.began), Nodes: make([]world.Sight, len(p.Nodes))}
	failures := make([]error, len(p.Nodes))
	lately := time.Now().Add(-world.LookBefore)
	var looking sync.WaitGroup
	for i, n := range p.Nodes {
		looking.Go(func() { view.Nodes[i], failures[i] = p.sight(ctx, n, p.watch.Last(n, lately) > 0) })
	}
	looking.Wait()
	p.saw.Views = append(p.saw.Views, view)
	return errors.Join(failures...)
}

func (p *player) sight(ctx context.Context, n *site.Node, writable bool) (world.Sight, error) {
	s := world.Sight{Name: n.Name, Redis: p.role(ctx, n, writable), Verdict: p.verdict(n)}
	list, err := n.AddressList()
	for _, a := range list {
		switch a.Addr() {
		case n.IP():
		case p.VIP.Addr():
			s.VIP = true
		default:
			err = errors.Join(err, fmt.Errorf("%s has an address that nobody gave it, %v", n.Name, a))
		}
	}
	return s, err
}

// role is what Redis says of itself, and whether it takes writes.
func (p *player) role(ctx context.Context, n *site.Node, writable bool) string {
	if !n.Redis.Running() {
		return world.IsDead
	}
	server := client.New("127.0.0.1:6379", n.DialContext, patience, 0)
	defer server.Close()
	text, err := server.Info(ctx).Result()
	facts := make(map[string]string)
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		facts[name] = value
	}
	switch {
	case err != nil:
		return world.IsSilent
	case facts["loading"] != "0":
		return world.IsLoading
	case facts["role"] == "slave":
		return world.Follows(p.nameOf(facts["master_host"]), facts["master_link_status"] == "up")
	case !writable:
		return world.IsPaused
	}
	return world.IsMaster
}

func (p *player) nameOf(host string) string {
	addr, _ := netip.ParseAddr(host)
	for _, n := range p.Nodes {
		if n.IP() == addr {
			return n.Name
		}
	}
	return "nobody"
}

// verdict is what our programs last logged on a node: redis-check its reason, and under
// Sentinel reconcile its course. They log what changes.
func (p *player) verdict(n *site.Node) (verdict string) {
	if !p.HasPower(n) {
		return ""
	}
	for _, e := range p.Journal.All() {
		_, hook := e.Fields["OUTCOME"]
		switch {
		case e.Host != n.Name:
		case n.Sentinel != nil && hook:
			verdict = cmp.Or(e.Fields["COURSE"], "undecidable")
		case n.Sentinel == nil && e.Identifier == "redis-check" && !hook:
			verdict = cmp.Or(e.Fields["REASON"], verdict)
		}
	}
	return verdict
}

// account looks what is left of all that was acknowledged.
func (p *player) account(ctx context.Context) error {
	master, err := p.Master(ctx)
	if err != nil {
		return err
	}
	files, err := fault.Preserved(ctx, p.Site)
	if err != nil {
		return err
	}
	for _, b := range p.books {
		missing, err := b.Missing(ctx, master.Redis)
		if err != nil {
			return err
		}
		for _, at := range b.Times() {
			p.saw.Acked = append(p.saw.Acked, at.Sub(p.began))
		}
		for _, key := range missing {
			if files[key] {
				p.saw.Preserved++
			} else {
				p.saw.Nowhere++
			}
		}
	}
	slices.Sort(p.saw.Acked)
	p.saw.Kept = len(p.saw.Acked) - p.saw.Preserved - p.saw.Nowhere
	p.saw.Two = p.watch.Together(p.began)
	return nil
}

// moves are the comings of the VIP to a node.
func (p *player) moves(addresses []*netlab.Record[netlab.AddressEvent]) error {
	p.saw.Moves = []world.Move{{To: p.Nodes[0].Name}}
	for i, n := range p.Nodes {
		here := i == 0
		for _, e := range addresses[i].All() {
			if e.Address.Addr() != p.VIP.Addr() || e.Added == here {
				continue
			}
			if here = e.Added; here {
				p.saw.Moves = append(p.saw.Moves, world.Move{At: e.At.Sub(p.began), To: n.Name})
			}
		}
	}
	slices.SortStableFunc(p.saw.Moves, func(a, b world.Move) int { return cmp.Compare(a.At, b.At) })
	return nil
}
