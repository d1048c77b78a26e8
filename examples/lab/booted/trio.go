package booted

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"redis-vip/examples/lab/client"
	"redis-vip/examples/lab/fault"
	"redis-vip/examples/lab/ledger"
	"redis-vip/examples/lab/netlab"
)

// Options changes what Trio sets up.
type Options struct {
	// Package is our deb, as built by make packages. Without it neither our
	// programs nor their units are installed.
	Package string

	// Source is the source tree, with examples and packaging; this module's own
	// if empty.
	Source string

	// Files are written to every node last, over what else is there: drop-ins,
	// other configuration.
	Files []netlab.File

	// Edit changes an example's file before it is written to a node. The keys
	// are the paths on the node.
	Edit map[string]func([]byte) []byte

	// IPv6 gives every host an address in fd00::/64 as well, with the number
	// that it has in IPv4.
	IPv6 bool

	// Extra are more hosts on the same network, that do not boot.
	Extra []netlab.Plan

	example string // the folder of the files
	proxy   bool   // with a host for HAProxy
}

// Node is a booted host with Redis and Sentinel. Their units are controlled with
// Systemctl.
type Node struct {
	*Host
	Redis    *redis.Client // connected from the host, to its loopback address
	Sentinel *redis.Client
}

// Preserved are the keys in the node's preserved files.
func (n *Node) Preserved(ctx context.Context) (map[string]bool, error) {
	return fault.PreservedIn(ctx, fmt.Sprintf("/proc/%d/root%s/var/lib/redis-vip/%s", n.PID(), rootPath, group))
}

// IP is the node's own address.
func (n *Node) IP() netip.Addr { return n.Addresses[0].Addr() }

// Endpoint is the node's Redis as other hosts see it.
func (n *Node) Endpoint() string { return netip.AddrPortFrom(n.IP(), redisPort).String() }

// Trio is the Sentinel example on three booted hosts, redis1 to redis3.
type Trio struct {
	*Lab
	Nodes  []*Node
	Client *netlab.Host // who writes through the VIP
	VIP    netip.Prefix
	Units  []string // of ours, that Start starts
	Proxy  *Host    // of NewProxied: HAProxy's, which has the VIP in place of the nodes

	password string // of Redis
}

const (
	redisPort    = 6379
	sentinelPort = 26379
	group        = "mymaster"

	redisUnit    = "redis-server.service"
	sentinelUnit = "redis-sentinel.service"

	patience = time.Second // for a server that hangs
)

// vip and writer are what the example calls them; nodes are .1, .2 and .3.
var (
	vip    = netip.MustParsePrefix("192.168.0.4/24")
	writer = netip.MustParsePrefix("192.168.0.100/24")
)

// NewTrio boots three hosts and installs the example's files, the distribution's
// units as they are, and ours. All are enabled, for the next boot, and nothing is
// started.
func NewTrio(ctx context.Context, o Options) (*Trio, error) {
	o.example = "sentinel-vip"
	return newTrio(ctx, o)
}

func newTrio(ctx context.Context, o Options) (_ *Trio, err error) {
	var nodes []netlab.Plan
	ip := writer.Masked().Addr()
	for n := range 3 {
		ip = ip.Next()
		nodes = append(nodes, netlab.Plan{
			Name:      fmt.Sprintf("redis%d", n+1),
			Addresses: addresses(netip.PrefixFrom(ip, writer.Bits()), o.IPv6),
		})
	}
	plain := append([]netlab.Plan{{Name: "client", Addresses: addresses(writer, o.IPv6)}}, o.Extra...)
	set, err := collect(o)
	if err != nil {
		return nil, err
	}
	if o.proxy {
		nodes = append(nodes, netlab.Plan{Name: "haproxy1", Addresses: addresses(proxy, o.IPv6)})
	}
	lab, err := New(ctx, nodes, plain...)
	if err != nil {
		return nil, err
	}
	t := &Trio{Lab: lab, Client: lab.Host("client"), VIP: vip, Units: set.triggers, password: set.passwords[redisPort]}
	for _, h := range lab.Booted[:3] {
		t.Nodes = append(t.Nodes, &Node{
			Host:     h,
			Redis:    local(h, redisPort, set.passwords[redisPort]),
			Sentinel: local(h, sentinelPort, set.passwords[sentinelPort]),
		})
	}
	if o.proxy {
		t.Proxy = lab.Booted[3]
		if err := t.Proxy.installProxy(ctx, o, set.deb); err != nil {
			return nil, errors.Join(fmt.Errorf("install %s: %w", t.Proxy.Name, err), t.Close())
		}
	}
	if err := Each(t.Nodes, func(n *Node) error { return n.install(ctx, set) }); err != nil {
		return nil, errors.Join(err, t.Close())
	}
	return t, nil
}

// local returns a client for a server on its own host.
func local(h *Host, port int, password string) *redis.Client {
	return client.WithPassword(password, fmt.Sprintf("127.0.0.1:%d", port), h.DialContext, patience, 1)
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

// Close closes the clients and the lab.
func (t *Trio) Close() error {
	for _, n := range t.Nodes {
		n.Redis.Close()
		n.Sentinel.Close()
	}
	return t.Lab.Close()
}

// Start starts Redis on every node, sets the first master up as an operator does,
// and starts Sentinel and then what is ours.
func (t *Trio) Start(ctx context.Context) error {
	if err := t.start(ctx, redisUnit); err != nil {
		return err
	}
	for _, n := range t.Nodes {
		if err := netlab.Until(ctx, func(ctx context.Context) error { return n.Redis.Ping(ctx).Err() }); err != nil {
			return fmt.Errorf("%s: %w", n.Name, err)
		}
	}
	master := t.Nodes[0]
	for _, n := range t.Others(master) {
		if err := errors.Join(
			n.Redis.SlaveOf(ctx, master.IP().String(), fmt.Sprint(redisPort)).Err(),
			n.Redis.ConfigRewrite(ctx).Err(),
		); err != nil {
			return fmt.Errorf("%s: %w", n.Name, err)
		}
	}
	if t.Proxy != nil {
		if _, err := t.Proxy.Systemctl(ctx, "start", "haproxy", "keepalived"); err != nil {
			return err
		}
	} else if err := master.AddAddress(t.VIP); err != nil {
		return err
	}
	if err := t.start(ctx, sentinelUnit); err != nil || len(t.Units) == 0 {
		return err
	}
	return t.start(ctx, t.Units...)
}

// start starts units on all nodes.
func (t *Trio) start(ctx context.Context, units ...string) error {
	return Each(t.Nodes, func(n *Node) error {
		_, err := n.Systemctl(ctx, append([]string{"start"}, units...)...)
		return err
	})
}

// Others returns all nodes but one.
func (t *Trio) Others(n *Node) []*Node {
	return slices.DeleteFunc(slices.Clone(t.Nodes), func(o *Node) bool { return o == n })
}

// Endpoint is where clients reach the service: Redis at the VIP.
func (t *Trio) Endpoint() string { return netip.AddrPortFrom(t.VIP.Addr(), redisPort).String() }

// Ledger starts writing through the VIP from the client. c's address and dialer
// are filled in if they are empty.
func (t *Trio) Ledger(c ledger.Config) *ledger.Ledger {
	if c.Address == "" {
		c.Address = t.Endpoint()
	}
	if c.Password == "" {
		c.Password = t.password
	}
	if c.Dial == nil {
		c.Dial = t.Client.DialContext
	}
	return ledger.Open(c)
}
