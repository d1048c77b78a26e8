package booted

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"redis-vip/examples/lab/netlab"
	"redis-vip/examples/lab/site"
)

// set is what is installed on every node.
type set struct {
	files    []netlab.File
	fragment []byte // the end of redis.conf
	edit     func([]byte) []byte
	deb      []byte   // our package
	triggers []string // our units that an operator enables

	passwords map[int]string // by port
}

// collect reads what is to be installed.
func collect(o Options) (s set, err error) {
	if o.Source == "" {
		if o.Source, err = site.ModuleRoot(); err != nil {
			return s, err
		}
	}
	if o.Package != "" {
		if s.deb, err = os.ReadFile(o.Package); err != nil {
			return s, err
		}
		s.triggers = []string{"redis-vip-reconcile.socket", "redis-vip-reconcile.timer"}
	}
	example := filepath.Join(o.Source, "examples", o.example)
	if s.fragment, err = os.ReadFile(filepath.Join(example, "redis.conf")); err != nil {
		return s, err
	}
	s.edit = o.Edit[site.RedisConf]
	s.passwords = map[int]string{redisPort: site.Password(s.fragment)}
	for _, f := range []netlab.File{
		{Path: "/etc/redis-vip/redis-vip.toml", Mode: 0o644},
		{Path: "/etc/redis-vip/never-boot-as-master.conf", Mode: 0o644},
		{Path: "/etc/redis-vip/password", Mode: 0o640, Group: "redis"},
		{Path: "/etc/redis-vip/sentinel-password", Mode: 0o640, Group: "redis"},
		{Path: site.SentinelConf, Mode: 0o640, Owner: "redis", Group: "redis"},
	} {
		f.Content, err = os.ReadFile(filepath.Join(example, filepath.Base(f.Path)))
		if errors.Is(err, fs.ErrNotExist) {
			continue // not every example has all
		}
		if err != nil {
			return s, err
		}
		if edit := o.Edit[f.Path]; edit != nil {
			f.Content = edit(f.Content)
		}
		if f.Path == site.SentinelConf {
			s.passwords[sentinelPort] = site.Password(f.Content)
		}
		s.files = append(s.files, f)
	}
	s.files = append(s.files, o.Files...)
	return s, nil
}

// installPackage installs ours, if there is one.
func (h *Host) installPackage(ctx context.Context, deb []byte) error {
	if deb == nil {
		return nil
	}
	const path = "/root/redis-vip.deb"
	if err := h.WriteFile(ctx, netlab.File{Path: path, Content: deb, Mode: 0o644}); err != nil {
		return err
	}
	_, err := h.Output(ctx, "dpkg", "--install", path)
	return err
}

// install makes a host a node, as an operator does with the package and the example.
func (n *Node) install(ctx context.Context, s set) error {
	if err := n.installPackage(ctx, s.deb); err != nil {
		return err
	}
	for _, f := range s.files {
		if err := n.WriteFile(ctx, f); err != nil {
			return err
		}
	}
	conf, err := n.ReadFile(ctx, site.RedisConf)
	if err != nil {
		return err
	}
	conf = append(conf, s.fragment...)
	if s.edit != nil {
		conf = s.edit(conf)
	}
	if err := n.WriteFile(ctx, netlab.File{Path: site.RedisConf, Content: conf, Mode: 0o640, Owner: "redis", Group: "redis"}); err != nil {
		return err
	}
	for _, name := range []string{"redis-server", "redis-sentinel"} {
		if err := n.FollowLog(ctx, netlab.File{
			Path: "/var/log/redis/" + name + ".log", Mode: 0o660, Owner: "redis", Group: "adm",
		}, name); err != nil {
			return err
		}
	}
	_, err = n.Systemctl(ctx, append([]string{"--quiet", "enable", redisUnit, sentinelUnit}, s.triggers...)...)
	return err
}
