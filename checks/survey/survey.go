// Package survey gathers the facts that a verdict rests on: of this node, and, where
// that does not settle it, of the other nodes, of who answers at the VIP, and of the
// gateway. It only looks.
package survey

import (
	"context"
	"net"
	"net/netip"
	"os"
	"time"

	"redis-vip/checks"
	"redis-vip/checks/clock"
	"redis-vip/checks/node"
)

// Target is a Redis that can be looked at.
type Target struct {
	Addr  netip.AddrPort
	Order int // its place in the configuration
	Look  func(context.Context) node.Facts
}

// Survey knows where to look.
type Survey struct {
	Self     Target
	Peers    []Target
	VIP      Target                 // whoever answers there; Look is nil without a VIP
	Where    func() checks.Presence // whether the VIP is here
	Patience time.Duration          // for all that is not this node's own Redis
	Clock    clock.Clock

	Gateway   func(context.Context) checks.Reach // nil: none; see [Endpoint]
	Witnesses int                                // how many; none: no vote is asked for
	Lease     func(context.Context, checks.Facts) checks.Lease
	Votes     func(context.Context) []checks.Answer // what the Sentinels say; nil: they are not asked
	Recall    func() checks.Memory                  // what this node remembers; see [File]
	Contested func(now time.Time) bool              // whether keepalived has just heard another announce the VIP; see [Marked]
}

// Brief looks at this node, and at the others only if its own facts are not
// conclusive. Who serves asks for the lease in any case.
func (s Survey) Brief(ctx context.Context) checks.Facts {
	f := s.own(ctx)
	if f.Conclusive() {
		f.Memory = s.Recall()
		if s.Witnesses > 0 && f.Claims() {
			ctx, cancel := s.Clock.WithTimeout(ctx, s.Patience)
			defer cancel()
			f.Lease = s.Lease(ctx, f)
		}
		return f
	}
	return s.around(ctx, f)
}

// Full looks at everything.
func (s Survey) Full(ctx context.Context) checks.Facts {
	return s.around(ctx, s.own(ctx))
}

func (s Survey) own(ctx context.Context) checks.Facts {
	f := checks.Facts{
		Node:  checks.Node{Addr: s.Self.Addr, Order: s.Self.Order, Facts: s.Self.Look(ctx)},
		VIP:   s.Where(),
		Lease: checks.Lease{Witnesses: s.Witnesses},
		Now:   s.Clock.Now(),
	}
	for _, peer := range s.Peers {
		f.Group = append(f.Group, peer.Addr)
	}
	f.Contested = f.Role == node.Master && s.Contested(f.Now)
	if s.Votes != nil && f.Role == node.Master { // of a replica there is nothing to ask
		f.Election, f.Named = checks.Elect(f.Addr, s.Votes(ctx))
	}
	return f
}

// around adds what others show, asked all at once.
func (s Survey) around(ctx context.Context, f checks.Facts) checks.Facts {
	ctx, cancel := s.Clock.WithTimeout(ctx, s.Patience)
	defer cancel()
	f.Memory = s.Recall()
	f.Asked = true
	f.Peers = make([]checks.Node, len(s.Peers))
	var pending []func()
	ask := func(question func()) { pending = append(pending, s.Clock.Go(question)) }
	for i, peer := range s.Peers {
		ask(func() { f.Peers[i] = checks.Node{Addr: peer.Addr, Order: peer.Order, Facts: peer.Look(ctx)} })
	}
	if s.Gateway != nil {
		ask(func() { f.Gateway = s.Gateway(ctx) })
	}
	if s.Witnesses > 0 {
		own := f // the others write to f meanwhile
		ask(func() { f.Lease = s.Lease(ctx, own) })
	}
	if s.VIP.Look != nil && f.VIP == checks.Absent {
		ask(func() { f.Holder = s.VIP.Look(ctx).RunID })
	}
	for _, wait := range pending {
		wait()
	}
	return f
}

// Endpoint is a gateway: a TCP endpoint that answers as long as this host is not cut
// off. A refusal is an answer.
func Endpoint(addr netip.AddrPort) func(context.Context) checks.Reach {
	return func(ctx context.Context) checks.Reach {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr.String())
		if err == nil {
			conn.Close()
			return checks.GatewayAnswers
		}
		if node.Classify(err) == node.Refused {
			return checks.GatewayAnswers
		}
		return checks.GatewaySilent
	}
}

// fresh is how long a mark counts. keepalived repeats its call every second, for as
// long as it hears the other node.
const fresh = 5 * time.Second

// Mark notes that keepalived has just heard another node announce the VIP.
func Mark(path string) error { return Replace(path, nil, false) }

// Marked says whether that was noted a moment ago.
func Marked(path string) func(now time.Time) bool {
	return func(now time.Time) bool {
		info, err := os.Stat(path)
		return err == nil && checks.Within(fresh, info.ModTime(), now)
	}
}
