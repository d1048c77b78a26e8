package booted

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"redis-vip/examples/lab/client"
	"redis-vip/examples/lab/netlab"
	"redis-vip/examples/lab/site"
)

// proxy is the first of the example's two.
var proxy = netip.MustParsePrefix("192.168.0.11/24")

// NewProxied boots the HAProxy example: three hosts with Redis and Sentinel as in NewTrio,
// and one of its two hosts with HAProxy and keepalived, as their stock units run them.
func NewProxied(ctx context.Context, o Options) (*Trio, error) {
	o.example, o.proxy = "haproxy-sentinel", true
	return newTrio(ctx, o)
}

// installProxy makes a host one of HAProxy's, as an operator does with the package and the
// example.
func (h *Host) installProxy(ctx context.Context, o Options, deb []byte) error {
	if err := h.installPackage(ctx, deb); err != nil {
		return err
	}
	if o.Source == "" {
		root, err := site.ModuleRoot()
		if err != nil {
			return err
		}
		o.Source = root
	}
	for name, f := range map[string]netlab.File{
		"haproxy.cfg":       {Path: site.HAProxyConf, Mode: 0o640},
		"keepalived.conf":   {Path: site.KeepalivedConf, Mode: 0o644},
		"redis-vip.toml":    {Path: "/etc/redis-vip/redis-vip.toml", Mode: 0o644},
		"password":          {Path: "/etc/redis-vip/password", Mode: 0o640, Group: "haproxy"},
		"sentinel-password": {Path: "/etc/redis-vip/sentinel-password", Mode: 0o640, Group: "haproxy"},
		"tmpfiles.conf":     {Path: "/etc/tmpfiles.d/redis-vip.conf", Mode: 0o644},
	} {
		var err error
		if f.Content, err = os.ReadFile(filepath.Join(o.Source, "examples", o.example, name)); err != nil {
			return err
		}
		if edit := o.Edit[f.Path]; edit != nil {
			f.Content = edit(f.Content)
		}
		if err := h.WriteFile(ctx, f); err != nil {
			return err
		}
	}
	if _, err := h.Output(ctx, "systemd-tmpfiles", "--create", "redis-vip.conf"); err != nil {
		return err
	}
	_, err := h.Systemctl(ctx, "--quiet", "enable", "haproxy", "keepalived")
	return err
}

// Leader is the node that clients reach.
func (t *Trio) Leader(ctx context.Context) (*Node, error) {
	if t.Proxy == nil {
		return t.Holder()
	}
	server := client.WithPassword(t.password, t.Endpoint(), t.Client.DialContext, patience, 0)
	defer server.Close()
	text, err := server.Info(ctx, "server").Result()
	if err != nil {
		return nil, fmt.Errorf("through %s: %w", t.Proxy.Name, err)
	}
	for _, n := range t.Nodes {
		own, err := n.Redis.Info(ctx, "server").Result()
		if err == nil && runID(own) == runID(text) {
			return n, nil
		}
	}
	return nil, errors.New("HAProxy leads to no node")
}

// runID is that of a Redis, out of INFO.
func runID(info string) string {
	_, after, _ := strings.Cut(info, "run_id:")
	id, _, _ := strings.Cut(after, "\r")
	return id
}
