package site

import (
	"context"
	"errors"

	"redis-vip/examples/lab/netlab"
)

// PowerOff ends a host all at once: nothing of it gets out any more, every process is
// killed, and what is in its memory only is gone.
func (s *Site) PowerOff(ctx context.Context, n *Node) error {
	n.Note("power off")
	if err := s.Isolate(n.Host); err != nil {
		return err
	}
	for _, service := range n.Services() {
		if err := service.KillAll(ctx); err != nil {
			return err
		}
	}
	if holds, err := n.Holds(s.VIP.Addr()); err != nil {
		return err
	} else if holds {
		if err := n.RemoveAddress(s.VIP); err != nil {
			return err
		}
	}
	if s.off == nil {
		s.off = make(map[*Node]bool)
	}
	s.off[n] = true
	if n.bell != nil {
		n.bell.Close()
	}
	if n == s.Witness { // which has none of our programs
		return nil
	}
	const run = "/run/redis-vip"
	return errors.Join(n.Remove(run), n.WriteFile(netlab.File{Path: run, Mode: dir | 0o771, Owner: "redis-vip", Group: "redis"}))
}

// HasPower says whether a host is on.
func (s *Site) HasPower(n *Node) bool { return !s.off[n] }

// PowerOn boots a host: its network and its daemons.
func (s *Site) PowerOn(ctx context.Context, n *Node) error {
	n.Note("power on")
	delete(s.off, n)
	for _, other := range s.Hosts() {
		if other != n.Host && !s.isOff(other) {
			if err := s.Heal(n.Host, other); err != nil {
				return err
			}
		}
	}
	if n.Timer != nil { // the bell was in /run
		if err := n.listen(); err != nil {
			return err
		}
	}
	for _, service := range n.Services() {
		if err := service.Start(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (s *Site) isOff(h *netlab.Host) bool {
	for n := range s.off {
		if n.Host == h {
			return true
		}
	}
	return false
}
