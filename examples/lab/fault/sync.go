package fault

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"redis-vip/examples/lab/netlab"
)

// Redis has settings that make it slow, for tests like these: they take time for
// each key.
const (
	slowLoad = "key-load-delay"
	slowSave = "rdb-key-save-delay"
	slowTime = 4 * time.Second
)

// statusCmd is what go-redis answers with.
type statusCmd = *redis.StatusCmd

// syncFaults are those where the other Redis is not ready to take over, or to be
// talked to.
func syncFaults() []Scenario {
	return []Scenario{
		{
			Name: "notify-while-loading", Title: "keepalived is stopped on the active host while the standby's Redis still loads its data",
			Setup: Setup{Redis: "appendonly yes"},
			Make: func(ctx context.Context, s *Stage) error {
				if err := slow(ctx, s, slowLoad, s.Standby.Redis.ConfigSet, s.Standby.Redis.ConfigRewrite); err != nil {
					return err
				}
				if err := s.Standby.Redis.Kill(ctx); err != nil {
					return err
				}
				if err := s.Standby.Redis.Start(ctx); err != nil {
					return err
				}
				if err := s.Active.Keepalived.Stop(ctx); err != nil {
					return err
				}
				return s.Standby.Redis.WaitAnswering(ctx)
			},
			Promises: []Promise{nowhere(0), oneAfter(slowTime), settled(15 * time.Second)},
		},
		{
			Name: "promotion-mid-sync", Title: "keepalived is stopped on the active host while the standby gets a full copy",
			Make: func(ctx context.Context, s *Stage) error {
				if err := slow(ctx, s, slowSave, s.Active.Redis.ConfigSet, nil); err != nil {
					return err
				}
				// It comes back with nothing, and so gets a full copy.
				if err := s.Standby.Redis.Kill(ctx); err != nil {
					return err
				}
				if err := s.Standby.Remove("/var/lib/redis/dump.rdb"); err != nil {
					return err
				}
				if err := s.Standby.Redis.Start(ctx); err != nil {
					return err
				}
				if err := s.within(ctx, 2*patience/3, "the full copy begins", s.syncing); err != nil {
					return err
				}
				if err := s.Active.Keepalived.Stop(ctx); err != nil {
					return err
				}
				return s.within(ctx, patience, "the full copy ends", s.synced)
			},
			Promises: []Promise{nowhere(0), settled(15 * time.Second)},
		},
		{
			Name: "peer-hung", Title: "the standby's Redis hangs for 8 s",
			Make: func(ctx context.Context, s *Stage) error {
				if err := s.Standby.Redis.Hang(); err != nil {
					return err
				}
				if err := s.last(ctx, 8*time.Second); err != nil {
					return err
				}
				return s.Standby.Redis.Wake()
			},
			Promises: []Promise{lost(0), outage(time.Second), oneAfter(0), settled(15 * time.Second)},
		},
		{
			Name: "peer-noauth", Title: "somebody gives the master a password; keepalived is stopped there; later the password is taken away",
			Make: func(ctx context.Context, s *Stage) error {
				// Who is connected stays so; who connects anew is refused.
				master := s.Active.Redis.Conn()
				defer master.Close()
				if err := master.ConfigSet(ctx, "requirepass", "surprise").Err(); err != nil {
					return err
				}
				if err := s.Active.Keepalived.Stop(ctx); err != nil {
					return err
				}
				if err := s.failedOver(ctx, s.Standby); err != nil {
					return err
				}
				if err := s.last(ctx, notice); err != nil {
					return err
				}
				_, err := s.Active.Output(ctx, "redis-cli", "--no-auth-warning", "-a", "surprise", "config", "set", "requirepass", "")
				if err != nil {
					return err
				}
				s.over()
				return s.Active.Keepalived.Start(ctx)
			},
			Promises: []Promise{nowhere(0), outage(notice + time.Second), settled(15 * time.Second)},
		},
	}
}

// slow makes a Redis take slowTime for all keys that there are.
func slow(ctx context.Context, s *Stage, setting string, set func(context.Context, string, string) statusCmd, save func(context.Context) statusCmd) error {
	keys, err := s.Active.Redis.DBSize(ctx).Result()
	if err != nil {
		return err
	}
	if err := set(ctx, setting, fmt.Sprint(slowTime.Microseconds()/max(keys, 1))).Err(); err != nil || save == nil {
		return err
	}
	return save(ctx).Err()
}

// syncing waits until the standby gets a full copy, and synced until it does not.
func (s *Stage) syncing(ctx context.Context) error { return s.copying(ctx, "1") }
func (s *Stage) synced(ctx context.Context) error  { return s.copying(ctx, "0") }

// copying waits until the standby says of a full copy what is wanted. A master says
// nothing of it.
func (s *Stage) copying(ctx context.Context, want string) error {
	return netlab.Until(ctx, func(ctx context.Context) error {
		facts, err := s.Standby.Redis.Facts(ctx)
		if got := cmp.Or(facts["master_sync_in_progress"], "0"); err == nil && got != want {
			err = fmt.Errorf("a full copy is under way: %s, not %s", got, want)
		}
		return err
	})
}
