package site

import (
	"context"
	"errors"
	"net/netip"
	"path/filepath"

	"redis-vip/examples/lab/netlab"
)

// old is the host that the new pair takes over from.
var old = netip.MustParsePrefix("192.168.0.21/24")

// Migrating sets up an old master under a keepalived of its own, with nothing of ours, and
// a new pair. Nothing is started.
func Migrating(ctx context.Context, o Options) (*Site, error) {
	o.Extra = append(o.Extra, netlab.Plan{Name: "old", Addresses: addresses(old, o.IPv6)})
	s, err := build(ctx, o, 2, "migration", (*Node).installKeepalived)
	if err != nil {
		return nil, err
	}
	s.Old = &Node{Host: s.Host("old")}
	if err := s.Old.installOld(source{folder: filepath.Join(s.examples, "migration")}); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (n *Node) installOld(from source) error {
	redis, err := from.file("old-redis.conf", "")
	if err != nil {
		return err
	}
	if n.Redis, err = newRedis(n.Host, redis); err != nil {
		return err
	}
	keepalived, err := from.file("old-keepalived.conf", "")
	if err == nil {
		n.Keepalived, err = newKeepalived(n.Host, keepalived)
	}
	return err
}
