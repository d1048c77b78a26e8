package booted

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"redis-vip/examples/lab/netlab"
	"redis-vip/examples/lab/site"
)

// set is what is installed on every node.
type set struct {
	files    []netlab.File
	fragment []byte // the end of redis.conf
	edit     func([]byte) []byte
	triggers []string // our units that start by themselves at boot
}

// programs are ours, by where the packages put them.
var programs = map[string]string{
	"/usr/bin/redis-vip":                   "redis-vip",
	"/usr/lib/redis-vip/sentinel-reconfig": "sentinel-reconfig",
}

// collect reads what is to be installed.
func collect(o Options) (s set, err error) {
	if o.Source == "" {
		if o.Source, err = site.ModuleRoot(); err != nil {
			return s, err
		}
	}
	if o.Programs != "" {
		if err := s.addPrograms(o); err != nil {
			return s, err
		}
	}
	example := filepath.Join(o.Source, "examples", "sentinel-vip")
	if s.fragment, err = os.ReadFile(filepath.Join(example, "redis.conf")); err != nil {
		return s, err
	}
	s.edit = o.Edit[site.RedisConf]
	for _, f := range []netlab.File{
		{Path: "/etc/redis-vip/redis-vip.toml", Mode: 0o644},
		{Path: "/etc/redis-vip/never-boot-as-master.conf", Mode: 0o644},
		{Path: site.SentinelConf, Mode: 0o640, Owner: "redis", Group: "redis"},
	} {
		f.Content, err = os.ReadFile(filepath.Join(example, filepath.Base(f.Path)))
		if errors.Is(err, fs.ErrNotExist) {
			continue // not every version of the example has all
		}
		if err != nil {
			return s, err
		}
		if edit := o.Edit[f.Path]; edit != nil {
			f.Content = edit(f.Content)
		}
		s.files = append(s.files, f)
	}
	s.files = append(s.files, o.Files...)
	return s, nil
}

// addPrograms adds our programs, and what packages bring along with them.
func (s *set) addPrograms(o Options) error {
	for path, name := range programs {
		content, err := os.ReadFile(filepath.Join(o.Programs, name))
		if err != nil {
			return fmt.Errorf("%w (run make build first)", err)
		}
		s.files = append(s.files, netlab.File{Path: path, Content: content, Mode: 0o755})
	}
	for from, to := range map[string]string{
		"systemd": "/usr/lib/systemd/system", "sysusers.d": "/usr/lib/sysusers.d", "tmpfiles.d": "/usr/lib/tmpfiles.d",
	} {
		found, err := filepath.Glob(filepath.Join(o.Source, "packaging", from, "*"))
		if err != nil {
			return err
		}
		for _, path := range found {
			content, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			name := filepath.Base(path)
			s.files = append(s.files, netlab.File{Path: filepath.Join(to, name), Content: content, Mode: 0o644})
			if from == "systemd" && strings.Contains(string(content), "\n[Install]\n") && !strings.Contains(name, "@") {
				s.triggers = append(s.triggers, name)
			}
		}
	}
	slices.Sort(s.triggers)
	return nil
}

// install makes a host a node, as packages and then an operator do. An account
// has to be there before its files.
func (n *Node) install(ctx context.Context, s set) error {
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
	for _, args := range [][]string{
		{"systemd-sysusers"},
		{"systemd-tmpfiles", "--create"},
		{"systemctl", "daemon-reload"},
		append([]string{"systemctl", "--quiet", "enable", redisUnit, sentinelUnit}, s.triggers...),
	} {
		if _, err := n.Output(ctx, args...); err != nil {
			return err
		}
	}
	return nil
}
