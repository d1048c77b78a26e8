package program

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"redis-vip/checks/host"
	"redis-vip/checks/lint"
	"redis-vip/checks/lint/keepalived"
	"redis-vip/checks/lint/redisconf"
	"redis-vip/cmd/internal/config"
)

func (l *Lint) readAll() error {
	if l.ID == "" && l.Root == "" {
		name, _ := os.Hostname()
		l.ID, _, _ = strings.Cut(name, ".")
	}
	if err := l.readFiles(); err != nil {
		return err
	}
	if l.Other != "" {
		return l.readOther()
	}
	return nil
}

func (l *Lint) readFiles() error {
	if l.host.Copies = len(l.Files) > 0; l.host.Copies {
		for _, path := range l.Files {
			if err := l.readOne(path); err != nil {
				return err
			}
		}
		return nil
	}
	if err := l.readConfig(); err != nil {
		return err
	}
	if err := l.readFirst(l.Keepalived, keepalivedPaths, l.readKeepalived); err != nil {
		return err
	}
	// The Redis of a witness is no node: what is a mistake in a node's file is right there.
	if l.Redis != "" || !l.isWitness() {
		if err := l.readFirst(l.Redis, redisPaths, l.readRedis); err != nil {
			return err
		}
	}
	// The packages' own sentinel.conf means nothing where no Sentinel is used.
	if l.Sentinel != "" || l.underSentinel() {
		if err := l.readFirst(l.Sentinel, sentinelPaths, l.readSentinel); err != nil {
			return err
		}
	}
	if l.read == 0 {
		return errors.New("there is nothing to look at: no keepalived.conf, redis.conf, sentinel.conf or redis-vip.toml: name the files")
	}
	return nil
}

// underSentinel is false if it is known that no group is.
func (l *Lint) underSentinel() bool {
	return len(l.groups) == 0 || slices.ContainsFunc(l.groups, func(g config.Group) bool { return g.NeedSentinels() == nil })
}

func (l *Lint) isWitness() bool {
	return slices.ContainsFunc(l.groups, func(g config.Group) bool {
		held, _ := host.Holds(addresses(g.Witnesses)...)
		return held && len(g.Witnesses) > 0
	})
}

func addresses(servers []netip.AddrPort) (list []netip.Addr) {
	for _, s := range servers {
		list = append(list, s.Addr())
	}
	return list
}

// readFirst reads the file that was named, or else the first that is there.
func (l *Lint) readFirst(named string, standard []string, read func(string) error) error {
	if named != "" {
		return read(named)
	}
	for _, path := range standard {
		if err := read(path); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// readOne reads a file of any kind.
func (l *Lint) readOne(path string) error {
	switch data, err := l.Root.Read(l.absolute(path)); {
	case err != nil:
		return unreadable(path, err)
	case strings.HasSuffix(path, ".toml"):
		l.Overrides.Config = filepath.Join("/", string(l.Root), l.absolute(path))
		return l.readConfig()
	case isSentinel(data):
		return l.readSentinel(path)
	case isKeepalived(data):
		return l.readKeepalived(path)
	default:
		return l.readRedis(path)
	}
}

func (l *Lint) readOther() error {
	here := lint.Root("") // beside the person, and not below Root
	path, err := filepath.Abs(l.Other)
	if err != nil {
		return err
	}
	data, err := here.Read(path)
	switch {
	case err != nil:
		return unreadable(l.Other, err)
	case isKeepalived(data):
		l.host.Other.Keepalived, err = keepalived.Read(path, l.otherID(), keepalived.Source{Read: here.Read, Glob: here.Glob})
	default:
		l.host.Other.Redis, err = redisconf.Read(path, redisconf.Source{Read: here.Read, Glob: here.Glob})
	}
	return err
}

// otherID is which lines of a common file are for the other host: where there are lines
// for two, those that are not for this one.
func (l *Lint) otherID() string {
	if f := l.host.Keepalived; f != nil {
		for _, name := range f.Names {
			if name != f.ID {
				return name
			}
		}
	}
	return ""
}

func (l *Lint) readKeepalived(path string) (err error) {
	l.host.Keepalived, err = keepalived.Read(l.absolute(path), l.ID, keepalived.Source{Read: l.Root.Read, Glob: l.Root.Glob})
	return l.count(path, err)
}

func (l *Lint) readRedis(path string) (err error) {
	l.host.Redis, err = redisconf.Read(l.absolute(path), redisconf.Source{Read: l.Root.Read, Glob: l.Root.Glob})
	return l.count(path, err)
}

func (l *Lint) readSentinel(path string) (err error) {
	l.host.Sentinel, err = redisconf.Read(l.absolute(path), redisconf.Source{Read: l.Root.Read, Glob: l.Root.Glob})
	return l.count(path, err)
}

func (l *Lint) count(path string, err error) error {
	if err != nil {
		return unreadable(path, err)
	}
	l.read++
	return nil
}

func unreadable(path string, err error) error {
	var at *fs.PathError
	if errors.As(err, &at) {
		err = at.Err
	}
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%s: %w: run this as root", path, err)
	}
	return fmt.Errorf("%s: %w", path, err)
}

// absolute is a path from / on; below Root, there is no working directory.
func (l *Lint) absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil && l.Root == "" {
		return abs
	}
	return filepath.Join("/", path)
}

// isKeepalived and isSentinel tell the kinds of files apart by what only one of them
// can hold.
func isKeepalived(data []byte) bool {
	return begins(data, "vrrp_", "global_defs", "virtual_server", "include_check")
}

func isSentinel(data []byte) bool { return begins(data, "sentinel") }

func begins(data []byte, words ...string) bool {
	for line := range strings.Lines(string(data)) {
		for _, word := range words {
			if strings.HasPrefix(strings.TrimLeft(line, " \t"), word) {
				return true
			}
		}
	}
	return false
}

// readConfig reads redis-vip.toml. What its loader finds is a finding; that there is
// none is not.
func (l *Lint) readConfig() error {
	o := l.Overrides
	if o.Config == "" {
		o.Config = filepath.Join("/", string(l.Root), config.DefaultPath)
		switch _, err := os.Stat(o.Config); {
		case err == nil:
		case o.Nodes != "":
			o.Config = ""
		case errors.Is(err, fs.ErrNotExist):
			l.notes = append(l.notes, "no "+config.DefaultPath+": what has to agree with it was not compared")
			return l.readTimeout()
		}
	}
	groups, _, err := config.LoadAll(o, config.Options{})
	if err != nil {
		return l.configErrors(err)
	}
	l.read++
	l.groups = groups
	addresses, _ := host.Addresses()
	for _, g := range groups {
		self, _, err := g.Self(addresses)
		if err != nil && !l.Offline {
			l.notes = append(l.notes, err.Error())
		}
		group := lint.Group{
			Name: g.Name, VIPs: g.VIPs, Nodes: g.Nodes, Sentinels: g.Sentinels, Self: self, Timeout: g.Timeout,
			Password: g.Password.Reveal() != "", At: map[string]lint.Position{},
		}
		for _, key := range []string{"", "vips", "nodes", "sentinels", "username", "sentinel_username", "witness_username"} {
			file, line := g.At(key)
			group.At[key] = lint.Position{File: l.below(file), Line: line}
		}
		l.host.Groups = append(l.host.Groups, group)
	}
	return nil
}

// readTimeout takes the flag where there is no file for it to override.
func (l *Lint) readTimeout() (err error) {
	if text := l.Overrides.Timeout; text != "" {
		l.host.Timeout, err = time.ParseDuration(text)
	}
	return err
}

// below is a path as the host knows it.
func (l *Lint) below(path string) string {
	if inside, found := strings.CutPrefix(path, filepath.Join("/", string(l.Root))+"/"); found && l.Root != "" {
		return "/" + inside
	}
	return path
}

// configErrors turns the loader's errors into findings; one that is about a flag
// stays an error.
func (l *Lint) configErrors(err error) error {
	var joined interface{ Unwrap() []error }
	if errors.As(err, &joined) {
		for _, e := range joined.Unwrap() {
			if err := l.configErrors(e); err != nil {
				return err
			}
		}
		return nil
	}
	var wrong *config.Error
	if !errors.As(err, &wrong) || wrong.File == "" {
		return err
	}
	l.read++
	message := wrong.Problem
	if wrong.Key != "" {
		message = wrong.Key + ": " + message
	}
	l.findings = append(l.findings, lint.Finding{
		File: l.below(wrong.File), Line: wrong.Line, Severity: lint.Error, Rule: "configuration", Message: message,
		Why: "The programs go on with the last good copy of the file, or do not run at all.", Fix: wrong.Remedy,
	})
	return nil
}
