package program

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"

	"redis-vip/checks"
	"redis-vip/checks/clock"
	"redis-vip/checks/survey"
	"redis-vip/cmd/internal/config"
	"redis-vip/cmd/internal/history"
	"redis-vip/hooks"

	"github.com/rs/zerolog"
	"github.com/urfave/cli/v2"
)

// HAProxy calls the command of `option external-check` with four arguments, and an
// environment of its own making: the address and the port that it listens on itself, and
// those of the server to look at (HAProxy's src/extcheck.c, prepare_external_check).
// Nothing can be added to either. So the server's address says which node is meant, and
// the group is the one that has it.
const haproxyArguments = 4

// checkForHAProxy judges the node that HAProxy asks about, from a host that need not be
// one of the group's: what is known of this host, its addresses and its memory, says
// nothing about that node. Unless something else is asked for, it has to be the master.
func checkForHAProxy(c *cli.Context, log zerolog.Logger, expect checks.Expectation) error {
	if !c.IsSet("expect") {
		expect = checks.ExpectMaster
	}
	server, err := haproxyServer(c.Args().Get(2), c.Args().Get(3))
	if err != nil {
		return refused(log, usageError{err})
	}
	seat, err := sitAt(overrides(c), server)
	if err != nil {
		return refused(log, err)
	}
	policy := seat.policy()
	policy.Expect = expect
	return Check{
		Inspection: hooks.Inspection{
			Survey:   seat.electing(seat.distant(), policy).Brief,
			Policy:   policy,
			Remember: func(checks.Memory, time.Time) error { return nil },
			Heal:     func() error { return nil },
		},
		Publish:  func(*history.Entry, checks.Facts, checks.Verdict) error { return nil }, // it is another host's
		Node:     seat.self.String(),
		Last:     seat.file("." + seat.self.String() + ".verdict"),
		Warnings: seat.warnings,
		Log:      log.With().Str("group", seat.Name).Logger(),
		Timeout:  seat.Timeout,
	}.Run(c.Context)
}

// haproxyServer is the server to look at. One that HAProxy reaches by a unix socket has
// no port.
func haproxyServer(address, port string) (netip.AddrPort, error) {
	server, err := netip.ParseAddrPort(net.JoinHostPort(address, port))
	if err != nil || server.Port() == 0 {
		return server, fmt.Errorf("HAProxy asks about the server %q, port %q: give it an IP address and a port in haproxy.cfg", address, port)
	}
	return netip.AddrPortFrom(server.Addr().Unmap(), server.Port()), nil
}

// sitAt finds the group that has a node at addr, and looks at it from there.
func sitAt(o config.Overrides, addr netip.AddrPort) (seat, error) {
	o.Node = "" // which node this host is does not matter
	groups, source, err := config.LoadAll(o, config.Options{Fallback: true})
	if err != nil {
		return seat{}, usageError{err}
	}
	var nodes []netip.AddrPort
	for _, group := range groups {
		if slices.Contains(group.Nodes, addr) {
			group.Socket = "" // that of this host's Redis
			peers := slices.DeleteFunc(slices.Clone(group.Nodes), func(n netip.AddrPort) bool { return n == addr })
			return seat{Group: group, self: addr, peers: peers, warnings: source.Warnings}, nil
		}
		nodes = append(nodes, group.Nodes...)
	}
	return seat{}, usage("HAProxy asks about the server %s, which is none of the nodes %v: write the same addresses into haproxy.cfg and into redis-vip.toml", addr, nodes)
}

// distant is the survey of a node on another host.
func (s seat) distant() survey.Survey {
	view := survey.Survey{
		Self:      s.target(s.self, s.Timeout),
		Where:     func() checks.Presence { return checks.Unasked },
		Patience:  s.PeerTimeout,
		Clock:     clock.Wall{},
		Recall:    func() checks.Memory { return checks.Memory{} },
		Contested: func(time.Time) bool { return false },
	}
	for _, peer := range s.peers {
		view.Peers = append(view.Peers, s.target(peer, s.PeerTimeout))
	}
	return view
}

// electing has the Sentinels say who the master is, where one is expected.
func (s seat) electing(view survey.Survey, policy checks.Policy) survey.Survey {
	if policy.Expect == checks.ExpectMaster && len(s.Sentinels) > 0 {
		view.Votes = func(ctx context.Context) []checks.Answer {
			return hooks.Convene(ctx, s.Name, s.self, s.sentinels(), s.sentinel)
		}
	}
	return view
}
