package program

import (
	"context"
	"errors"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"redis-vip/checks"
	"redis-vip/checks/clock"
	"redis-vip/checks/host"
	"redis-vip/checks/node"
	"redis-vip/checks/survey"
	"redis-vip/cmd/internal/config"
	"redis-vip/hooks"
	"redis-vip/hooks/preserve"
	"redis-vip/hooks/vip"

	"github.com/rs/zerolog"
)

// A seat is a group as this host sees it: which node it is, and which are the
// others.
type seat struct {
	config.Group
	self     netip.AddrPort
	peers    []netip.AddrPort
	present  []netip.Addr // the addresses of this host, as it sat down
	warnings []error      // to be told to the operator, loudly
}

// sit loads the configuration and finds this host in it. With fallback, a broken
// file is replaced by its last good copy: a typo in the common file must not take
// the service down on every host in the same second.
func sit(o config.Overrides, fallback bool) (seat, error) {
	group, source, err := config.Load(o, config.Options{Fallback: fallback})
	if err != nil {
		return seat{}, usageError{err}
	}
	addresses, err := host.Addresses()
	if err != nil {
		return seat{}, err
	}
	self, peers, err := group.Self(addresses)
	if err != nil {
		return seat{}, usageError{err}
	}
	return seat{group, self, peers, addresses, source.Warnings}, nil
}

// endpoint is how the node at addr is reached; the local one by its socket, where
// there is one.
func (s seat) endpoint(addr netip.AddrPort) node.Endpoint {
	e := endpoint(s.Group, addr)
	if addr == s.self {
		e.Socket, e.Age = s.Socket, host.Age
	}
	return e
}

// endpoint is how a node of the group is reached over the network.
func endpoint(g config.Group, addr netip.AddrPort) node.Endpoint {
	return node.Endpoint{Addr: addr, Username: g.Username, Password: g.Password.Reveal(), TLS: g.TLS}
}

func (s seat) local() hooks.Redis {
	return hooks.Redis{Endpoint: s.endpoint(s.self), Address: s.self, Timeout: s.Timeout}
}

func (s seat) others() []hooks.Server {
	var servers []hooks.Server
	for _, peer := range s.peers {
		servers = append(servers, hooks.Redis{Endpoint: s.endpoint(peer), Address: peer, Timeout: s.PeerTimeout})
	}
	return servers
}

func (s seat) sentinels() (list []hooks.Sentinel) {
	for _, addr := range s.Sentinels {
		list = append(list, s.sentinel(addr))
	}
	return list
}

func (s seat) sentinel(addr netip.AddrPort) hooks.Sentinel {
	e := node.Endpoint{Addr: addr, Username: s.SentinelUsername, Password: s.SentinelPassword.Reveal(), TLS: s.TLS}
	return hooks.RedisSentinel{Endpoint: e, Timeout: s.PeerTimeout}
}

// failover asks one Sentinel after the other to choose a new master, until one does.
func (s seat) failover(ctx context.Context) (err error) {
	for _, sentinel := range s.sentinels() {
		if err = sentinel.Failover(ctx, s.Name); err == nil {
			return nil
		}
	}
	return err
}

func (s seat) vips() []vip.VIP {
	var list []vip.VIP
	for _, prefix := range s.VIPs {
		list = append(list, vip.VIP{Prefix: prefix, Interface: s.Interface})
	}
	return list
}

// where says whether any VIP of the group is on this host.
func (s seat) where() checks.Presence {
	if len(s.VIPs) == 0 {
		return checks.Unasked
	}
	present, err := host.Addresses()
	if err != nil {
		return checks.Unasked
	}
	return s.among(present)
}

// whereAtFirst is where, by the addresses that this host had when it sat down. It is
// for a check, which has done so a millisecond ago.
func (s seat) whereAtFirst() checks.Presence {
	if len(s.VIPs) == 0 {
		return checks.Unasked
	}
	return s.among(s.present)
}

func (s seat) among(present []netip.Addr) checks.Presence {
	for _, prefix := range s.VIPs {
		if slices.Contains(present, prefix.Addr()) {
			return checks.Here
		}
	}
	return checks.Absent
}

func (s seat) addresses() (list []netip.Addr) {
	for _, prefix := range s.VIPs {
		list = append(list, prefix.Addr())
	}
	return list
}

// survey is where the facts of the group come from.
func (s seat) survey() survey.Survey {
	view := survey.Survey{
		Self:      s.target(s.self, s.Timeout),
		Where:     s.where,
		Patience:  s.PeerTimeout,
		Clock:     clock.Wall{},
		Recall:    survey.File(s.memory()),
		Contested: survey.Marked(s.contested()),
	}
	if s.Gateway.IsValid() {
		view.Gateway = survey.Endpoint(s.Gateway)
	}
	for _, peer := range s.peers {
		view.Peers = append(view.Peers, s.target(peer, s.PeerTimeout))
	}
	if view.Witnesses = len(s.Witnesses); view.Witnesses > 0 {
		lease := s.lease()
		view.Lease = func(ctx context.Context, _ checks.Facts) checks.Lease { return lease.Look(ctx) }
	}
	if vips := s.addresses(); len(vips) > 0 {
		view.VIP = s.target(netip.AddrPortFrom(vips[0], s.self.Port()), s.PeerTimeout)
	}
	return view
}

func (s seat) target(addr netip.AddrPort, timeout time.Duration) survey.Target {
	endpoint := s.endpoint(addr)
	return survey.Target{Addr: addr, Order: slices.Index(s.Nodes, addr), Look: func(ctx context.Context) node.Facts {
		ctx, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		return endpoint.Look(ctx)
	}}
}

func (s seat) policy() checks.Policy { return checks.Policy{BootWait: s.BootWait, Grace: grace} }

// contested is the mark that keepalived hears another node announce the VIP.
func (s seat) contested() string { return s.file(".contested") }

// fenced marks that the writers of this node were paused, until it knows better.
func (s seat) fenced() mark { return mark{s.file(".fenced")} }

// file is one of the group in the run folder.
func (s seat) file(suffix string) string { return filepath.Join(s.RunDir, s.Name+suffix) }

func (s seat) memory() string { return filepath.Join(s.StateDir, s.Name+".json") }

// grace is how long the VIP may be here before Redis is the master: keepalived's
// own hook, and one by redis-check --heal, have had their chance by then.
const grace = 6 * time.Second

// settle is a hook of this seat.
func (s seat) settle(log zerolog.Logger, event string, hint checks.Goal) hooks.Settle {
	return hooks.Settle{
		Event:    event,
		Hint:     hint,
		Local:    s.local(),
		Peers:    s.others(),
		Survey:   s.survey().Full,
		Where:    s.where,
		Policy:   s.policy(),
		Lock:     s.lock(),
		Clock:    clock.Wall{},
		Retry:    retry,
		Within:   s.HookTimeout,
		Nodes:    texts(s.Nodes),
		Preserve: s.Preserve,
		Fenced:   s.fenced(),
		Ballot:   s.ballot(),
		Save: func(ctx context.Context, loss hooks.Loss) (preserve.File, error) {
			return s.save(ctx, log, loss)
		},
		Recall:   survey.File(s.memory()),
		Remember: func(m checks.Memory) error { return survey.Note(s.memory(), m) },
	}
}

// preserveTimeout bounds a preservation, which keeps writers waiting: long enough
// for a full copy of many gigabytes.
const (
	preserveTimeout = 30 * time.Minute
	progressEvery   = 5 * time.Second
)

func (s seat) save(ctx context.Context, log zerolog.Logger, loss hooks.Loss) (preserve.File, error) {
	ctx, cancel := context.WithTimeout(ctx, preserveTimeout)
	defer cancel()
	last := time.Duration(0)
	return store(s.Group).Save(ctx, preserve.Request{
		Node:   s.endpoint(loss.From),
		Name:   loss.From.String(),
		Master: loss.Winner.Facts,
		Winner: loss.Winner.Addr.String(),
		Event:  loss.Event,
		Progress: func(p preserve.Progress) {
			if p.Took-last < progressEvery {
				return
			}
			last = p.Took
			log.Info().Int64("bytes", p.Bytes).Float64("seconds", p.Took.Seconds()).
				Msg("preserving all data of " + loss.From.String() + "; its writers wait")
		},
	})
}

func (s seat) lock() hooks.Lock {
	return hooks.Lock{Path: s.file(".lock")}
}

// retry is how long a hook waits before it tries a step again, and so how late it
// can notice that the VIP has moved, or that a master has appeared.
const retry = 20 * time.Millisecond

// oneLine joins warnings for a log field.
func oneLine(errs []error) string {
	return strings.ReplaceAll(errors.Join(errs...).Error(), "\n", "; ")
}
