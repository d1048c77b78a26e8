package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"redis-vip/examples/lab/ledger"
	"redis-vip/examples/lab/site"
	"redis-vip/examples/lab/takeover"
)

// killRedis kills the master. It comes back, and must not disturb.
func (d demo) killRedis(ctx context.Context, s *site.Site) error {
	master, err := d.whole(ctx, s)
	if err != nil {
		return err
	}
	return d.scene(ctx, s, "kill -9 of Redis on "+master.Name, master.Redis.Kill, moved(s.Master, master), master.Redis.Start)
}

// moved is a condition: that another host is the master, or the holder.
func moved(now func(context.Context) (*site.Node, error), from *site.Node) func(context.Context) error {
	return func(ctx context.Context) error {
		n, err := now(ctx)
		if err == nil && n == from {
			err = fmt.Errorf("it is still %s", from.Name)
		}
		return err
	}
}

// loseQuickly moves the VIP on purpose, kills Redis, and then takes a whole host away.
func (d demo) loseQuickly(ctx context.Context, s *site.Site) error {
	if _, err := d.whole(ctx, s); err != nil {
		return err
	}
	for _, f := range takeover.Faults {
		if err := takeover.WaitStandby(ctx, s); err != nil {
			return err
		}
		active, err := s.Master(ctx)
		if err != nil {
			return err
		}
		run := func(f func(context.Context, *site.Site, *site.Node) error) func(context.Context) error {
			return func(ctx context.Context) error { return f(ctx, s, active) }
		}
		if err := d.scene(ctx, s, f.Title+" on "+active.Name, run(f.Make), moved(s.Master, active), run(f.Back)); err != nil {
			return err
		}
	}
	return nil
}

// deposeThenKill has the Sentinels choose another master while the old one lives and takes
// writes, kills the new one, and then HAProxy. The VIP stays through the first two, the
// master through the last.
func (d demo) deposeThenKill(ctx context.Context, s *site.Site) error {
	master, err := d.whole(ctx, s)
	if err != nil {
		return err
	}
	depose := func(ctx context.Context) error {
		return s.Nodes[2].Sentinel.Do(ctx, "SENTINEL", "FAILOVER", "mymaster").Err()
	}
	if err := d.scene(ctx, s, "SENTINEL FAILOVER, by hand", depose, moved(s.Master, master), nothing); err != nil {
		return err
	}
	if master, err = s.Master(ctx); err != nil {
		return err
	}
	if err := d.scene(ctx, s, "kill -9 of Redis on "+master.Name, master.Redis.Kill, moved(s.Master, master), master.Redis.Start); err != nil {
		return err
	}
	holder, err := s.Holder()
	if err != nil {
		return err
	}
	holds := func(context.Context) (*site.Node, error) { return s.Holder() }
	return d.scene(ctx, s, "kill -9 of HAProxy on "+holder.Name, holder.HAProxy.KillAll, moved(holds, holder), holder.HAProxy.Start)
}

func nothing(context.Context) error { return nil }

// cutCable cuts the two hosts from each other. Both see the witness, and nothing moves.
func (d demo) cutCable(ctx context.Context, s *site.Site) error {
	master, err := d.whole(ctx, s)
	if err != nil {
		return err
	}
	const long = 8 * time.Second
	cut := func(ctx context.Context) error {
		if err := s.CutBoth(s.Nodes[0].Host, s.Nodes[1].Host); err != nil {
			return err
		}
		rest(ctx, long)
		return nil
	}
	stays := func(ctx context.Context) error {
		if now, err := s.Master(ctx); err != nil {
			return err
		} else if now != master {
			return fmt.Errorf("the master is %s", now.Name)
		}
		if role, err := s.Others(master)[0].Redis.Role(ctx); err != nil || role != "slave" {
			return errors.Join(err, fmt.Errorf("there is a second %s", role))
		}
		return nil
	}
	return d.scene(ctx, s, fmt.Sprintf("the cable between the two is cut for %v", long), cut, stays,
		func(context.Context) error { return s.HealAll() })
}

// migrate moves the service to the new pair.
func (d demo) migrate(ctx context.Context, s *site.Site) error {
	ctx, cancel := context.WithTimeout(ctx, patience+ready)
	defer cancel()
	if err := (migration{Site: s}).startOld(ctx); err != nil {
		return err
	}
	d.say("The old host has the VIP and is the master. Three clients write through the VIP …")
	book := s.Ledger(ledger.Config{})
	defer book.Stop()
	for _, step := range []struct {
		title string
		run   func(migration, context.Context) error
	}{
		{"1  the new hosts copy the data, in a chain", migration.chain},
		{"2  redis1 stands by for the old host", migration.join},
		{"3  the old host gives the VIP up", migration.handOver},
		{"4  redis2 stands by for redis1", migration.complete},
		{"5  the old host is switched off", migration.retire},
	} {
		if err := book.WaitAcknowledged(ctx, writesTo); err != nil {
			return err
		}
		if err := d.step(ctx, s, step.title, step.run); err != nil {
			return fmt.Errorf("%s: %w", step.title, err)
		}
	}
	if err := book.WaitAcknowledged(ctx, writesOn); err != nil {
		return err
	}
	book.Stop()
	return d.account(ctx, s, book)
}

// step shows one step of the migration.
func (d demo) step(ctx context.Context, s *site.Site, title string, run func(migration, context.Context) error) error {
	lines, err := watch(ctx, s)
	if err != nil {
		return err
	}
	defer lines.stop()
	m := migration{s, func(format string, args ...any) {
		lines.add(event{time.Now(), "you", fmt.Sprintf(format, args...)})
	}}
	d.say("\n▶ %s\n", title)
	start := time.Now()
	if err := run(m, ctx); err != nil {
		return err
	}
	rest(ctx, afterword/2)
	lines.print(d.Out, start, time.Now())
	return nil
}
