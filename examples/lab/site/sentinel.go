package site

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"
	"golang.org/x/sys/unix"

	"redis-vip/examples/lab/netlab"
)

// Sentinel is a redis-sentinel on a host.
type Sentinel struct {
	Service
	*redis.Client
}

// SentinelConf is where the distribution has it.
const SentinelConf = "/etc/redis/sentinel.conf"

func newSentinel(h *netlab.Host, conf []byte) (*Sentinel, error) {
	for _, f := range []netlab.File{
		{Path: SentinelConf, Content: conf, Mode: 0o640, Owner: "redis"},
		{Path: "/run/sentinel", Mode: dir | 0o755, Owner: "redis"},
	} {
		if err := h.WriteFile(f); err != nil {
			return nil, err
		}
	}
	if err := h.FollowLog(netlab.File{
		Path: "/var/log/redis/redis-sentinel.log", Mode: 0o660, Owner: "redis",
	}, "redis-sentinel"); err != nil {
		return nil, err
	}
	return &Sentinel{
		Service: Service{host: h, name: "redis-sentinel", command: netlab.Command{
			Args: []string{"/usr/bin/redis-sentinel", SentinelConf, "--supervised", "systemd", "--daemonize", "no"},
			User: "redis", Umask: 0o007, // as in redis-sentinel.service
			Ambient: moves, // by a drop-in
		}},
		Client: local(h, "127.0.0.1:26379", Password(conf)),
	}, nil
}

// moves is what a script needs that moves addresses itself.
var moves = []uintptr{unix.CAP_NET_ADMIN, unix.CAP_NET_RAW}

// Script runs the client-reconfig-script with these arguments, as Sentinel does where
// a drop-in of its unit gives it the right to addresses.
func (n *Node) Script(ctx context.Context, args ...string) (netlab.Status, error) {
	return n.Run(ctx, netlab.Command{
		Args: append([]string{"/usr/lib/redis-vip/sentinel-reconfig"}, args...),
		User: "redis", Umask: 0o007, Ambient: moves, Capture: true,
	})
}

// Master returns the address that this Sentinel takes for the master's.
func (s *Sentinel) Master(ctx context.Context, name string) (string, error) {
	reply, err := s.Do(ctx, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", name).StringSlice()
	if err != nil {
		return "", err
	}
	return reply[0] + ":" + reply[1], nil
}

// knows tells what this Sentinel does not know yet of a complete group.
func (s *Sentinel) knows(ctx context.Context, name, master string, replicas, sentinels int) error {
	got, err := s.Master(ctx, name)
	if err != nil {
		return err
	}
	if got != master {
		return fmt.Errorf("%s: Sentinel takes %s for the master, not %s", s.host.Name, got, master)
	}
	state, err := s.Do(ctx, "SENTINEL", "MASTER", name).StringSlice()
	if err != nil {
		return err
	}
	for i := 0; i+1 < len(state); i += 2 {
		want := map[string]string{
			"flags": "master", "num-slaves": fmt.Sprint(replicas), "num-other-sentinels": fmt.Sprint(sentinels - 1),
		}[state[i]]
		if state[i] == "num-slaves" {
			if state[i+1], err = s.replicas(ctx, name); err != nil {
				return err
			}
		}
		if want != "" && state[i+1] != want {
			return fmt.Errorf("%s: Sentinel has %s %s, not %s", s.host.Name, state[i], state[i+1], want)
		}
	}
	return nil
}

// replicas returns how many replicas this Sentinel knows. What has only taken a copy of the
// master's data stays listed for ever with port 0, or with port 1 where it was one of our
// programs (sentinel.c, sentinelRefreshInstanceInfo): SENTINEL RESET forgets it.
func (s *Sentinel) replicas(ctx context.Context, name string) (string, error) {
	list, err := s.Do(ctx, "SENTINEL", "REPLICAS", name).Slice()
	if err != nil {
		return "", err
	}
	known := 0
	for _, entry := range list {
		fields, _ := entry.([]any)
		for i := 0; i+1 < len(fields); i += 2 {
			if fields[i] == "port" && fields[i+1] == fmt.Sprint(redisPort) {
				known++
			}
		}
	}
	return fmt.Sprint(known), nil
}
