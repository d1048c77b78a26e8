package fault

import (
	"context"
	"fmt"
	"time"

	"redis-vip/examples/lab/site"
)

// full is how long there is no room after the hosts see each other again.
const full = 8 * time.Second

// diskFaults are those of the disk that writes are preserved on.
func diskFaults() []Scenario {
	return []Scenario{{
		Name: "disk-full", Title: "after a split the node that must yield has no room to preserve its writes, until somebody makes some",
		Setup: Setup{Stubborn: true},
		Make: func(ctx context.Context, s *Stage) error {
			for _, n := range s.Nodes {
				if err := tiny(ctx, n); err != nil {
					return err
				}
			}
			if err := cut(8*time.Second, true, func(s *Stage) error {
				return s.CutBoth(s.Active.Host, s.Standby.Host)
			})(ctx, s); err != nil {
				return err
			}
			healed := s.ended
			if err := s.last(ctx, full); err != nil {
				return err
			}
			if kept, err := s.preserved(ctx); err != nil || len(kept.files) > 0 {
				return fmt.Errorf("the disk was not full: %v, %w", kept.files, err)
			}
			s.Times["two took writes after the heal"] = s.Watch.Two(healed)
			for _, n := range s.Nodes {
				if _, err := n.Output(ctx, "mount", "-o", "remount,size=64m", "/var/lib/redis-vip"); err != nil {
					return err
				}
			}
			s.Note("there is room again")
			s.ended = time.Now()
			return nil
		},
		Promises: []Promise{
			nowhere(0), timely("two took writes after the heal", 3*time.Second), settled(15 * time.Second),
		},
	}}
}

// tiny gives a host a state folder without room for more than what is in it.
func tiny(ctx context.Context, n *site.Node) error {
	_, err := n.Output(ctx, "sh", "-c", fmt.Sprintf(`
		set -e
		mount -t tmpfs -o size=%s,mode=0750,uid=$(id -u redis-vip),gid=$(getent group redis | cut -d: -f3) tiny /mnt
		cp -a /var/lib/redis-vip/. /mnt/
		mount --move /mnt /var/lib/redis-vip`, "256k"))
	return err
}
