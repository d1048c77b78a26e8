package site

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"redis-vip/examples/lab/netlab"
)

// programs are our programs, by where the packages put them.
var programs = map[string]string{
	"/usr/bin/redis-vip":                   "redis-vip",
	"/usr/lib/redis-vip/redis-check":       "redis-check",
	"/usr/lib/redis-vip/notify-master":     "notify-master",
	"/usr/lib/redis-vip/notify-backup":     "notify-backup",
	"/usr/lib/redis-vip/sentinel-reconfig": "sentinel-reconfig",
}

// source gives the files of an example.
type source struct {
	folder string
	edit   map[string]func([]byte) []byte
}

// file returns an example's file as it is to stand at a path on a node.
func (s source) file(name, path string) ([]byte, error) {
	content, err := os.ReadFile(filepath.Join(s.folder, name))
	if err != nil {
		return nil, err
	}
	if edit := s.edit[path]; edit != nil {
		content = edit(content)
	}
	return content, nil
}

// install makes a host a node: what the packages bring, then what an operator
// copies from the example.
func (n *Node) install(o Options, from source, guard func(*Node, source) error) error {
	if err := n.AddUser("redis-vip", "/var/lib/redis-vip"); err != nil {
		return err
	}
	for path, mode := range map[string]fs.FileMode{"/run/redis-vip": 0o771, "/var/lib/redis-vip": 0o750} {
		if err := n.Remove(path); err != nil { // what this machine has there, if it runs redis-vip itself
			return err
		}
		if err := n.WriteFile(netlab.File{Path: path, Mode: dir | mode, Owner: "redis-vip", Group: "redis"}); err != nil {
			return err
		}
	}
	if o.Programs != "" {
		if err := n.installPrograms(o.Programs); err != nil {
			return err
		}
	}
	for name, f := range map[string]netlab.File{
		"redis-vip.toml":            {Mode: 0o644},
		"never-boot-as-master.conf": {Mode: 0o644},
		"password":                  {Mode: 0o640, Group: "redis"},
		"sentinel-password":         {Mode: 0o640, Group: "redis"},
	} {
		f.Path = "/etc/redis-vip/" + name
		var err error
		if f.Content, err = from.file(name, f.Path); os.IsNotExist(err) {
			continue // not every example has all
		} else if err != nil {
			return err
		}
		if err := n.WriteFile(f); err != nil {
			return err
		}
	}
	fragment, err := from.file("redis.conf", RedisConf)
	if err != nil {
		return err
	}
	if n.Redis, err = newRedis(n.Host, fragment); err != nil {
		return err
	}
	if err := n.Redis.dropIn(from); err != nil {
		return err
	}
	if err := guard(n, from); err != nil {
		return err
	}
	for _, service := range n.Services() {
		service.command.Env = append(service.command.Env, o.Env...)
	}
	for _, f := range o.Files {
		if err := n.WriteFile(f); err != nil {
			return err
		}
	}
	if o.Timer {
		return n.installUnits(o.powerless)
	}
	return nil
}

func (n *Node) installPrograms(folder string) error {
	for path, name := range programs {
		content, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			return fmt.Errorf("%w (run make build first)", err)
		}
		if err := n.WriteFile(netlab.File{Path: path, Content: content, Mode: 0o755}); err != nil {
			return err
		}
	}
	return nil
}

func (n *Node) installKeepalived(from source) error {
	conf, err := from.file("keepalived.conf", KeepalivedConf)
	if err != nil {
		return err
	}
	n.Keepalived, err = newKeepalived(n.Host, conf)
	return err
}

func (n *Node) installSentinel(from source) error {
	conf, err := from.file("sentinel.conf", SentinelConf)
	if err != nil {
		return err
	}
	n.Sentinel, err = newSentinel(n.Host, conf)
	return err
}
