// Package hooks changes the world: it makes a Redis a master or a replica, and
// moves the VIP. What to do it asks of package checks, which only looks.
//
// Every hook works on levels, not edges: an event from keepalived or Sentinel may
// be late, doubled, out of order or missing, so it is only the occasion to read
// the truth again, under a lock, and to bring this node to it.
package hooks

import (
	"context"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"redis-vip/checks/node"

	"github.com/redis/go-redis/v9"
)

// Server is one Redis as a hook sees it. [Redis] is the real one.
type Server interface {
	Addr() netip.AddrPort
	Look(context.Context) node.Facts
	Promote(context.Context) error                // REPLICAOF NO ONE
	Follow(context.Context, netip.AddrPort) error // REPLICAOF host port
	Persist(context.Context) error                // CONFIG REWRITE
	Disconnect(context.Context) (int64, error)    // CLIENT KILL TYPE normal, how many
	Reconnect(context.Context) error              // CLIENT KILL TYPE master: a replica opens a new connection to its master
	Pause(context.Context, time.Duration) error   // CLIENT PAUSE … WRITE: writers wait, readers and replicas do not
	Unpause(context.Context) error                // CLIENT UNPAUSE
	AbortFailover(context.Context) error          // FAILOVER ABORT
}

// Redis is the server at an endpoint. Each call is a connection of its own: a hook
// makes a handful, and outlives restarts of the server.
type Redis struct {
	node.Endpoint
	Address netip.AddrPort // as named in the configuration, also where Endpoint is a socket
	Timeout time.Duration  // of one call, so that a hung server leaves time to look up again
}

// Addr is the address under which other nodes know this server.
func (r Redis) Addr() netip.AddrPort { return r.Address }

// Look reads the server's facts.
func (r Redis) Look(ctx context.Context) node.Facts {
	ctx, cancel := context.WithTimeout(ctx, r.Timeout)
	defer cancel()
	return r.Endpoint.Look(ctx)
}

// Promote makes it a master.
func (r Redis) Promote(ctx context.Context) error { return r.replicaOf(ctx, "NO", "ONE") }

// Follow makes it a replica of the server at master.
func (r Redis) Follow(ctx context.Context, master netip.AddrPort) error {
	return r.replicaOf(ctx, master.Addr().String(), strconv.Itoa(int(master.Port())))
}

// replicaOf falls back to the old word where the server knows only that (before
// 5.0), or where an operator has renamed the new one.
func (r Redis) replicaOf(ctx context.Context, host, port string) error {
	err := r.do(ctx, func(ctx context.Context, c *redis.Client) error {
		return c.Do(ctx, "REPLICAOF", host, port).Err()
	})
	if err != nil && strings.HasPrefix(err.Error(), "ERR unknown command") {
		err = r.do(ctx, func(ctx context.Context, c *redis.Client) error {
			return c.Do(ctx, "SLAVEOF", host, port).Err()
		})
	}
	return err
}

// Persist writes the role into the server's configuration file.
func (r Redis) Persist(ctx context.Context) error {
	return r.do(ctx, func(ctx context.Context, c *redis.Client) error {
		return c.ConfigRewrite(ctx).Err()
	})
}

// Disconnect closes the connections of all clients but ours, so that they look up
// the VIP again instead of talking to a demoted node for as long as TCP allows.
func (r Redis) Disconnect(ctx context.Context) (closed int64, err error) {
	err = r.do(ctx, func(ctx context.Context, c *redis.Client) error {
		closed, err = c.ClientKillByFilter(ctx, "TYPE", "normal").Result()
		return err
	})
	return closed, err
}

// Reconnect has a replica open a new connection to its master, and go on where it was
// (replication.c, replicationHandleMasterDisconnection).
func (r Redis) Reconnect(ctx context.Context) error {
	return r.do(ctx, func(ctx context.Context, c *redis.Client) error {
		return c.ClientKillByFilter(ctx, "TYPE", "master").Err()
	})
}

// Pause makes writers wait, for a bounded time: a pause that nobody lifts must end.
func (r Redis) Pause(ctx context.Context, d time.Duration) error {
	return r.do(ctx, func(ctx context.Context, c *redis.Client) error {
		return c.Do(ctx, "CLIENT", "PAUSE", d.Milliseconds(), "WRITE").Err()
	})
}

// Unpause lets writers go on. A replica that was left paused shows its link as up
// and applies nothing.
func (r Redis) Unpause(ctx context.Context) error {
	return r.do(ctx, func(ctx context.Context, c *redis.Client) error {
		return c.Do(ctx, "CLIENT", "UNPAUSE").Err()
	})
}

// AbortFailover ends a FAILOVER that hangs: until then, the server refuses writes
// and REPLICAOF.
func (r Redis) AbortFailover(ctx context.Context) error {
	return r.do(ctx, func(ctx context.Context, c *redis.Client) error {
		return c.Do(ctx, "FAILOVER", "ABORT").Err()
	})
}

func (r Redis) do(ctx context.Context, call func(context.Context, *redis.Client) error) error {
	ctx, cancel := context.WithTimeout(ctx, r.Timeout)
	defer cancel()
	client := r.Client(r.Timeout)
	defer client.Close()
	return call(ctx, client)
}
