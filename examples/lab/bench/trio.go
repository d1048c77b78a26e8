package bench

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"redis-vip/examples/lab/netlab"
	"redis-vip/examples/lab/site"
)

// trio measures what Sentinel calls on the host of the new master. The bell has to be
// rung at a real systemd; the tests on booted hosts do that.
func (b *Bench) trio(ctx context.Context) error {
	return b.open(ctx, site.Trio, func(s *site.Site) error {
		for _, n := range s.Nodes {
			if err := n.Sentinel.Start(ctx); err != nil {
				return err
			}
		}
		limited, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		if err := s.WaitReady(limited); err != nil {
			return err
		}
		master := s.Nodes[0]
		args := []string{"mymaster", "leader", "start", "192.168.0.2", "6379", master.IP().String(), "6379"}
		// Who repeats the last run's announcement looks every 1.1 s whether it still may.
		take := fmt.Sprintf("ip address delete %s dev eth0 2>/dev/null || true; sleep 1.2", s.VIP)
		program := func(name, path string) Program {
			return Program{Name: name, Args: append([]string{b.path(path)}, args...), Before: take}
		}
		b.table.title("the VIP to this host, by Sentinel")
		frames, err := s.Client.Capture(ctx)
		if err != nil {
			return err
		}
		ours := program("sentinel-reconfig, direct", "sentinel-reconfig")
		programs := []Program{ours, program("ip addr add and arping in sh", "shell-sentinel-reconfig")}
		costs, err := b.measure(ctx, master.Host, max(b.Rounds/20, 5), programs...)
		if err != nil {
			return err
		}
		b.table.row(programs, costs)
		for i, c := range costs {
			b.table.note("  from exec to the first ARP frame", "%6.2f ms, %s", milliseconds(first(c, frames.All(), s.VIP.Addr())), programs[i].Name)
		}
		b.table.note("  through the bell", "needs systemd: measured on booted hosts")
		return nil
	})
}

// first is the median time from the start of a run to the first frame that announces
// the VIP.
func first(c cost, frames []netlab.Frame, vip netip.Addr) time.Duration {
	var list []time.Duration
	for _, sample := range c.Samples {
		i := slices.IndexFunc(frames, func(f netlab.Frame) bool { return f.SenderIP == vip && f.At.After(sample.Began) })
		if i >= 0 {
			list = append(list, frames[i].At.Sub(sample.Began))
		}
	}
	slices.Sort(list)
	if len(list) == 0 {
		return 0
	}
	return list[len(list)/2]
}
