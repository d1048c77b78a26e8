package site

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"

	"redis-vip/examples/lab/client"
	"redis-vip/examples/lab/netlab"
)

// HAProxyConf is where the distribution has it.
const HAProxyConf = "/etc/haproxy/haproxy.cfg"

// proxies are the HAProxy hosts of the example.
var proxies = []netip.Prefix{netip.MustParsePrefix("192.168.0.11/24"), netip.MustParsePrefix("192.168.0.12/24")}

// Proxied sets up three nodes under Sentinel, with two HAProxies under keepalived before
// them. Nothing is started.
func Proxied(ctx context.Context, o Options) (*Site, error) {
	var plans []netlab.Plan
	for i, address := range proxies {
		plans = append(plans, netlab.Plan{Name: fmt.Sprintf("haproxy%d", i+1), Addresses: addresses(address, o.IPv6)})
	}
	o.Extra = slices.Concat(plans, o.Extra)
	o.powerless = true // the VIP is keepalived's
	s, err := build(ctx, o, 3, "haproxy-sentinel", (*Node).installSentinel)
	if err != nil {
		return nil, err
	}
	from := source{folder: filepath.Join(s.examples, "haproxy-sentinel"), edit: o.Edit}
	for _, plan := range plans {
		n := &Node{Host: s.Host(plan.Name)}
		s.Proxies = append(s.Proxies, n)
		if err := n.installHAProxy(o, from); err != nil {
			return nil, errors.Join(fmt.Errorf("install %s: %w", n.Name, err), s.Close())
		}
	}
	return s, nil
}

// installHAProxy makes a host a HAProxy: what an operator copies from the example.
func (n *Node) installHAProxy(o Options, from source) error {
	// As tmpfiles.conf of the example has them, and haproxy.conf of the package.
	for path, mode := range map[string]fs.FileMode{
		"/run/redis-vip": 0o750, "/var/lib/redis-vip": 0o750, "/run/haproxy": fs.ModeSetgid | 0o775,
	} {
		if err := n.WriteFile(netlab.File{Path: path, Mode: dir | mode, Owner: "haproxy"}); err != nil {
			return err
		}
	}
	if o.Programs != "" {
		if err := n.installPrograms(o.Programs); err != nil {
			return err
		}
	}
	for path, f := range map[string]netlab.File{
		HAProxyConf:                        {Mode: 0o644},
		"/etc/redis-vip/redis-vip.toml":    {Mode: 0o644},
		"/etc/redis-vip/password":          {Mode: 0o640, Group: "haproxy"},
		"/etc/redis-vip/sentinel-password": {Mode: 0o640, Group: "haproxy"},
	} {
		content, err := from.file(filepath.Base(path), path)
		if os.IsNotExist(err) {
			continue
		}
		if err != nil {
			return err
		}
		f.Path, f.Content = path, content
		if err := n.WriteFile(f); err != nil {
			return err
		}
	}
	n.HAProxy = &Service{host: n.Host, name: "haproxy", command: netlab.Command{
		Args: []string{"/usr/sbin/haproxy", "-Ws", "-f", HAProxyConf, "-p", "/run/haproxy.pid", "-S", "/run/haproxy-master.sock"},
	}}
	return n.installKeepalived(from)
}

// behind returns the node that the HAProxy with the VIP leads to, and that all of them
// lead to.
func (s *Site) behind(ctx context.Context) (found *Node, err error) {
	for _, proxy := range s.Proxies {
		if !proxy.HAProxy.Running() {
			continue
		}
		address := netip.AddrPortFrom(proxy.IP(), redisPort).String()
		c := client.WithPassword(s.password(), address, s.Client.DialContext, patience, 0)
		facts, err := info(ctx, c)
		c.Close()
		if err != nil {
			return nil, fmt.Errorf("through %s: %w", proxy.Name, err)
		}
		n, err := s.byRunID(ctx, facts["run_id"])
		if err != nil {
			return nil, fmt.Errorf("through %s: %w", proxy.Name, err)
		}
		if found != nil && n != found {
			return nil, fmt.Errorf("one HAProxy leads to %s, the other to %s", found.Name, n.Name)
		}
		found = n
	}
	if found == nil {
		return nil, errors.New("no HAProxy runs")
	}
	return found, nil
}

func (s *Site) byRunID(ctx context.Context, id string) (*Node, error) {
	for _, n := range s.Nodes {
		if mine, err := n.Redis.Facts(ctx); err == nil && mine["run_id"] == id {
			if mine["role"] != "master" {
				return nil, fmt.Errorf("it leads to %s, whose role is %s", n.Name, mine["role"])
			}
			return n, nil
		}
	}
	return nil, errors.New("it leads to no node")
}
