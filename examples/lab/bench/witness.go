package bench

import (
	"context"

	"redis-vip/examples/lab/site"
)

// witnessed measures a check that renews the lease.
func (b *Bench) witnessed(ctx context.Context) error {
	return b.open(ctx, site.Witnessed, func(s *site.Site) error {
		b.table.title("a healthy check of a pair with a witness")
		for i, name := range []string{"redis-check, on the master: renews the lease", "redis-check, on the standby"} {
			if err := b.compare(ctx, s.Nodes[i].Host, b.Rounds, b.check(name), b.ping()); err != nil {
				return err
			}
		}
		return nil
	})
}
