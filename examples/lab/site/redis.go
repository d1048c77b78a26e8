package site

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"redis-vip/examples/lab/client"
	"redis-vip/examples/lab/netlab"
)

// Redis is a redis-server on a host, with the distribution's configuration and
// what an example appends to it.
type Redis struct {
	Service
	*redis.Client // connected from within the host, to its loopback address
}

// RedisConf is where the distribution has it.
const RedisConf = "/etc/redis/redis.conf"

// newRedis prepares a redis-server. fragment is appended to its configuration.
func newRedis(h *netlab.Host, fragment []byte) (*Redis, error) {
	conf, err := h.ReadFile(RedisConf)
	if err != nil {
		return nil, err
	}
	for _, f := range []netlab.File{
		{Path: RedisConf, Content: append(conf, fragment...), Mode: 0o640, Owner: "redis"},
		{Path: "/run/redis", Mode: dir | 0o755, Owner: "redis"},
	} {
		if err := h.WriteFile(f); err != nil {
			return nil, err
		}
	}
	if err := emptyState(h, "redis-server"); err != nil {
		return nil, err
	}
	return &Redis{
		Service: Service{host: h, name: "redis-server", command: netlab.Command{
			Args: []string{"/usr/bin/redis-server", RedisConf, "--supervised", "systemd", "--daemonize", "no"},
			User: "redis", Umask: 0o007, // as in redis-server.service
		}},
		Client: local(h, "127.0.0.1:6379", Password(fragment)),
	}, nil
}

// emptyState takes away what a Redis of the machine may have left behind (its
// data must not appear in a lab), and leads the log of ours into the journal.
func emptyState(h *netlab.Host, program string) error {
	if err := h.Remove("/var/lib/redis"); err != nil {
		return err
	}
	if err := h.WriteFile(netlab.File{Path: "/var/lib/redis", Mode: dir | 0o750, Owner: "redis"}); err != nil {
		return err
	}
	return h.FollowLog(netlab.File{
		Path: "/var/log/redis/" + program + ".log", Mode: 0o660, Owner: "redis",
	}, program)
}

// patience is for a server that hangs.
const patience = time.Second

// local returns a client for a server on its own host. It tries twice: hooks
// kill connections, ours too.
func local(h *netlab.Host, address, password string) *redis.Client {
	return client.WithPassword(password, address, h.DialContext, patience, 1)
}

var requirepass = regexp.MustCompile(`(?m)^requirepass (\S+)$`)

// Password is what a configuration of Redis or Sentinel asks its clients for.
func Password(conf []byte) string {
	if found := requirepass.FindSubmatch(conf); found != nil {
		return string(found[1])
	}
	return ""
}

var pinned = regexp.MustCompile(`(?m)^replicaof 192\.168\.`)

// Pinned says whether a configuration of Redis, as Sentinel has rewritten it, makes the
// next start a replica of another node at once.
func Pinned(conf []byte) bool { return pinned.Match(conf) }

// Role is what ROLE says first: master, slave or sentinel.
func (r *Redis) Role(ctx context.Context) (string, error) {
	reply, err := r.Do(ctx, "ROLE").Slice()
	if err != nil {
		return "", err
	}
	role, _ := reply[0].(string)
	return role, nil
}

// Facts returns INFO as a map.
func (r *Redis) Facts(ctx context.Context) (map[string]string, error) { return info(ctx, r.Client) }

// Version is what the server says it is: "Redis 7.0.15", "Valkey 9.1.2".
func (r *Redis) Version(ctx context.Context) (string, error) {
	facts, err := r.Facts(ctx)
	if valkey := facts["valkey_version"]; valkey != "" {
		return "Valkey " + valkey, err
	}
	return "Redis " + facts["redis_version"], err
}

func info(ctx context.Context, server *redis.Client) (map[string]string, error) {
	text, err := server.Info(ctx).Result()
	if err != nil {
		return nil, err
	}
	facts := make(map[string]string)
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			facts[name] = value
		}
	}
	return facts, nil
}

// WaitAnswering waits until Redis answers PING.
func (r *Redis) WaitAnswering(ctx context.Context) error {
	return netlab.Until(ctx, func(ctx context.Context) error {
		if !r.Running() {
			return errors.New("redis-server does not run")
		}
		return r.Ping(ctx).Err()
	})
}

// WaitRole waits until Redis has a role: master or slave.
func (r *Redis) WaitRole(ctx context.Context, want string) error {
	return netlab.Until(ctx, func(ctx context.Context) error {
		got, err := r.Role(ctx)
		if err == nil && got != want {
			err = fmt.Errorf("%s: the role is %s, not %s", r.host.Name, got, want)
		}
		return err
	})
}

// WaitFollowing waits until Redis is a replica of the address, with its link
// up.
func (r *Redis) WaitFollowing(ctx context.Context, master string) error {
	return netlab.Until(ctx, func(ctx context.Context) error { return r.follows(ctx, master) })
}

func (r *Redis) follows(ctx context.Context, master string) error {
	facts, err := r.Facts(ctx)
	if err != nil {
		return err
	}
	if got := facts["master_host"] + ":" + facts["master_port"]; facts["role"] != "slave" || got != master {
		return fmt.Errorf("%s: role %s, master %s; not a replica of %s", r.host.Name, facts["role"], got, master)
	}
	if link := facts["master_link_status"]; link != "up" {
		return fmt.Errorf("%s: link to %s is %s", r.host.Name, master, link)
	}
	return nil
}
