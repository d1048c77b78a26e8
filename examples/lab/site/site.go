// Package site sets up the architectures of the examples in a lab: real
// redis-server, redis-sentinel and keepalived, run as the distribution's units
// run them, with the example's files at their real paths.
package site

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"

	"redis-vip/checks/node/nodetest"
	"redis-vip/examples/lab/ledger"
	"redis-vip/examples/lab/netlab"
)

const dir = fs.ModeDir

// Options changes what Pair and Trio set up.
type Options struct {
	// Programs is the folder with our programs, as built by make. Without it
	// none are installed.
	Programs string

	// Servers are the Redis, Sentinel and keepalived that run; those that the
	// environment names, if it is empty, or else the machine's own.
	Servers nodetest.Servers

	// Examples is the folder of the examples; the module's own if empty.
	Examples string

	// Files are written to every node last, over what else is there: other
	// hooks, other configuration.
	Files []netlab.File

	// Edit changes an example's file before it is written to a node. The keys
	// are the paths on the node.
	Edit map[string]func([]byte) []byte

	// Env is added to the environment of Redis and of what watches over it, on the nodes.
	Env []string

	// IPv6 gives every host an address in fd00::/64 as well, with the number
	// that it has in IPv4.
	IPv6 bool

	// Extra are more hosts on the same network, with nothing on them.
	Extra []netlab.Plan

	// Timer reconciles every two seconds on the nodes of Trio and of Proxied, as
	// redis-vip-reconcile.timer does.
	Timer bool

	// Fresh leaves it to Sentinel, and to our programs, to make the first master.
	Fresh bool

	powerless bool // what reconciles has no right to addresses
}

// Node is a host with the daemons of an architecture. Those that it does not
// use are nil.
type Node struct {
	*netlab.Host
	Redis      *Redis
	Keepalived *Keepalived
	Sentinel   *Sentinel
	HAProxy    *Service
	Timer      *Service       // reconciles every two seconds, with Options.Timer
	reconcile  netlab.Command // what a ring is answered with
	bell       net.Listener
}

// IP is the node's own address.
func (n *Node) IP() netip.Addr { return n.Addresses[0].Addr() }

// Endpoint is the node's Redis as other hosts see it.
func (n *Node) Endpoint() string { return netip.AddrPortFrom(n.IP(), redisPort).String() }

// Site is an architecture in a lab.
type Site struct {
	*netlab.Lab
	Nodes   []*Node
	Client  *netlab.Host // who writes through the VIP
	Witness *Node        // of Witnessed: a host with a Redis that holds the lease
	Proxies []*Node      // of Proxied: the hosts that have the VIP, in place of the nodes
	Old     *Node        // of Migrating: the host that is to be replaced
	VIP     netip.Prefix
	Servers nodetest.Servers // whose programs run

	examples string         // the folder of the examples
	off      map[*Node]bool // hosts without power
	fresh    bool
}

const (
	redisPort = 6379
	group     = "mymaster"
)

// vip and writer are what the examples call them; nodes are .1, .2 and so on.
var (
	vip     = netip.MustParsePrefix("192.168.0.4/24")
	writer  = netip.MustParsePrefix("192.168.0.100/24")
	witness = netip.MustParsePrefix("192.168.0.9/24")
)

// Pair sets up the active/standby pair under keepalived. Nothing is started.
func Pair(ctx context.Context, o Options) (*Site, error) {
	return build(ctx, o, 2, "active-standby", (*Node).installKeepalived)
}

// Fast sets up the pair that fails over in less than a second. Nothing is started.
func Fast(ctx context.Context, o Options) (*Site, error) {
	return build(ctx, o, 2, "fast-failover", (*Node).installKeepalived)
}

// Witnessed sets up the pair with a witness on a third host. Nothing is started.
func Witnessed(ctx context.Context, o Options) (*Site, error) {
	o.Extra = append(o.Extra, netlab.Plan{Name: "witness", Addresses: addresses(witness, o.IPv6)})
	s, err := build(ctx, o, 2, "active-standby-witness", (*Node).installKeepalived)
	if err != nil {
		return nil, err
	}
	s.Witness = &Node{Host: s.Host("witness")}
	conf, err := source{folder: filepath.Join(s.examples, "active-standby-witness")}.file("witness.conf", "")
	if err == nil {
		s.Witness.Redis, err = newRedis(s.Witness.Host, conf)
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Trio sets up three nodes under Sentinel. Nothing is started.
func Trio(ctx context.Context, o Options) (*Site, error) {
	return build(ctx, o, 3, "sentinel-vip", (*Node).installSentinel)
}

// build boots the hosts and installs an example's files. guard installs what
// watches over Redis.
func build(ctx context.Context, o Options, nodes int, example string, guard func(*Node, source) error) (_ *Site, err error) {
	if o.Examples == "" {
		root, err := ModuleRoot()
		if err != nil {
			return nil, err
		}
		o.Examples = filepath.Join(root, "examples")
	}
	plans := []netlab.Plan{{Name: "client", Addresses: addresses(writer, o.IPv6)}}
	ip := writer.Masked().Addr()
	for n := range nodes {
		ip = ip.Next()
		plans = append(plans, netlab.Plan{
			Name:      fmt.Sprintf("redis%d", n+1),
			Addresses: addresses(netip.PrefixFrom(ip, writer.Bits()), o.IPv6),
		})
	}
	if o.Servers == (nodetest.Servers{}) {
		o.Servers = nodetest.Given()
	}
	instead, conf, err := stand(o.Servers)
	if err != nil {
		return nil, err
	}
	plans = append(plans, o.Extra...)
	for i := range plans {
		plans[i].Instead = instead
	}
	lab, err := netlab.New(ctx, plans...)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, lab.Close())
		}
	}()
	for _, h := range lab.Hosts() {
		if conf == nil {
			break // that of the machine serves
		}
		if err := h.WriteFile(netlab.File{Path: RedisConf, Content: conf, Mode: 0o640, Owner: "redis"}); err != nil {
			return nil, err
		}
	}
	s := &Site{Lab: lab, Client: lab.Hosts()[0], VIP: vip, Servers: o.Servers, examples: o.Examples, fresh: o.Fresh}
	from := source{folder: filepath.Join(o.Examples, example), edit: o.Edit}
	for _, h := range lab.Hosts()[1 : 1+nodes] {
		n := &Node{Host: h}
		if err := n.install(o, from, guard); err != nil {
			return nil, fmt.Errorf("install %s: %w", h.Name, err)
		}
		s.Nodes = append(s.Nodes, n)
	}
	return s, nil
}

// addresses are a host's: 192.168.0.1/24, and perhaps fd00::1/64.
func addresses(v4 netip.Prefix, both bool) []netip.Prefix {
	list := []netip.Prefix{v4}
	if both {
		v6 := netip.MustParseAddr(fmt.Sprintf("fd00::%d", v4.Addr().As4()[3]))
		list = append(list, netip.PrefixFrom(v6, 64))
	}
	return list
}

// Start starts Redis on every node, and then what watches over it.
func (s *Site) Start(ctx context.Context) error {
	servers := s.Nodes
	if s.Witness != nil {
		servers = append(slices.Clone(servers), s.Witness)
	}
	for _, n := range servers {
		if err := n.Redis.Start(ctx); err != nil {
			return err
		}
	}
	for _, n := range servers {
		if err := n.Redis.WaitAnswering(ctx); err != nil {
			return fmt.Errorf("%s: %w", n.Name, err)
		}
	}
	if s.Nodes[0].Sentinel != nil && !s.fresh {
		if err := s.firstMaster(ctx); err != nil {
			return err
		}
	}
	for _, n := range append(slices.Clone(s.Nodes), s.Proxies...) {
		for _, guard := range n.guards() {
			if err := guard.Start(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// Services are the daemons of a node, in the order in which they are started.
func (n *Node) Services() []*Service { return append([]*Service{&n.Redis.Service}, n.guards()...) }

// guards are those that watch over Redis.
func (n *Node) guards() (list []*Service) {
	if n.HAProxy != nil {
		list = append(list, n.HAProxy)
	}
	if n.Keepalived != nil {
		list = append(list, &n.Keepalived.Service)
	}
	if n.Sentinel != nil {
		list = append(list, &n.Sentinel.Service)
	}
	if n.Timer != nil {
		list = append(list, n.Timer)
	}
	return list
}

// firstMaster does what an operator does once, before Sentinel takes over: the
// first node is the master and has the VIP, the others follow it. Sentinel
// calls no script for that.
func (s *Site) firstMaster(ctx context.Context) error {
	master := s.Nodes[0]
	if err := master.Redis.SlaveOf(ctx, "NO", "ONE").Err(); err != nil {
		return err
	}
	for _, n := range s.Nodes[1:] {
		if err := n.Redis.SlaveOf(ctx, master.IP().String(), fmt.Sprint(redisPort)).Err(); err != nil {
			return err
		}
	}
	if s.Proxies != nil {
		return nil
	}
	return master.AddAddress(s.VIP)
}

// WaitReady waits until the site is whole: one host has the VIP, the Redis behind it is
// the master, and every other one is its replica with its link up.
func (s *Site) WaitReady(ctx context.Context) error {
	return netlab.Until(ctx, s.Ready)
}

// Ready returns nil, or what is missing until the site is whole.
func (s *Site) Ready(ctx context.Context) error {
	master, err := s.Master(ctx)
	if err != nil {
		return err
	}
	for _, n := range s.Others(master) {
		if err := n.Redis.follows(ctx, master.Endpoint()); err != nil {
			return err
		}
	}
	for _, n := range s.Nodes {
		if n.Sentinel != nil {
			if err := n.Sentinel.knows(ctx, group, master.Endpoint(), len(s.Nodes)-1, len(s.Nodes)); err != nil {
				return err
			}
		}
	}
	return nil
}

// Master returns the node that clients reach through the VIP, which has to be a master.
func (s *Site) Master(ctx context.Context) (*Node, error) {
	holder, err := s.Holder()
	if err != nil {
		return nil, err
	}
	if s.Proxies != nil {
		return s.behind(ctx)
	}
	role, err := holder.Redis.Role(ctx)
	if err == nil && role != "master" {
		err = fmt.Errorf("%s has the VIP, but its role is %s", holder.Name, role)
	}
	return holder, err
}

// Carriers are the hosts that may have the VIP.
func (s *Site) Carriers() []*Node {
	switch {
	case s.Proxies != nil:
		return s.Proxies
	case s.Old != nil:
		return append(slices.Clone(s.Nodes), s.Old)
	default:
		return s.Nodes
	}
}

// Holder returns the host that has the VIP. That none has it, or more than
// one, is an error.
func (s *Site) Holder() (*Node, error) {
	var holders []*Node
	for _, n := range s.Carriers() {
		if holds, err := n.Holds(s.VIP.Addr()); err != nil {
			return nil, err
		} else if holds {
			holders = append(holders, n)
		}
	}
	switch len(holders) {
	case 0:
		return nil, errors.New("no node has the VIP")
	case 1:
		return holders[0], nil
	}
	return nil, fmt.Errorf("%d nodes have the VIP", len(holders))
}

// WaitHolder waits until a node, and no other, has the VIP.
func (s *Site) WaitHolder(ctx context.Context, want *Node) error {
	return netlab.Until(ctx, func(context.Context) error {
		got, err := s.Holder()
		if err == nil && got != want {
			err = fmt.Errorf("%s has the VIP, not %s", got.Name, want.Name)
		}
		return err
	})
}

// Others returns all nodes but one.
func (s *Site) Others(n *Node) []*Node {
	return slices.DeleteFunc(slices.Clone(s.Nodes), func(o *Node) bool { return o == n })
}

// Standby returns the host that does not have the VIP, of two that may.
func (s *Site) Standby(holder *Node) *Node {
	for _, n := range s.Carriers() {
		if n != holder {
			return n
		}
	}
	return nil
}

// Endpoint is where clients reach the service: Redis at the VIP.
func (s *Site) Endpoint() string { return netip.AddrPortFrom(s.VIP.Addr(), redisPort).String() }

// Ledger starts writing through the VIP from the client. c's address and
// dialer are filled in if they are empty.
func (s *Site) Ledger(c ledger.Config) *ledger.Ledger {
	if c.Address == "" {
		c.Address = s.Endpoint()
	}
	if c.Password == "" {
		c.Password = s.password()
	}
	if c.Dial == nil {
		c.Dial = s.Client.DialContext
	}
	return ledger.Open(c)
}

// password is what Redis wants of its clients.
func (s *Site) password() string { return s.Nodes[0].Redis.Options().Password }

// ModuleRoot finds the folder of go.mod, from the working directory upwards.
func ModuleRoot() (string, error) {
	at, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(at, "go.mod")); err == nil {
			return at, nil
		}
		up := filepath.Dir(at)
		if up == at {
			return "", errors.New("no go.mod here or above: run this inside the source tree")
		}
		at = up
	}
}
