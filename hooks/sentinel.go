package hooks

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"time"

	"redis-vip/checks/node"

	"github.com/redis/go-redis/v9"
)

// Sentinel is one Redis Sentinel. [RedisSentinel] is the real one.
type Sentinel interface {
	Addr() netip.AddrPort
	Master(ctx context.Context, name string) (netip.AddrPort, error)
}

// ErrUnknownMaster says that a Sentinel does not monitor a master of that name.
var ErrUnknownMaster = errors.New("no such master")

// RedisSentinel is the Sentinel at an endpoint.
type RedisSentinel struct {
	node.Endpoint
	Timeout time.Duration // of one question
}

// Addr is where the Sentinel listens.
func (s RedisSentinel) Addr() netip.AddrPort { return s.Endpoint.Addr }

// Master asks who the master is. While Sentinel runs its client-reconfig-script it
// already names the new one (sentinel.c:3897).
func (s RedisSentinel) Master(ctx context.Context, name string) (netip.AddrPort, error) {
	ctx, cancel := context.WithTimeout(ctx, s.Timeout)
	defer cancel()
	client := s.Client(s.Timeout)
	defer client.Close()
	reply := redis.NewStringSliceCmd(ctx, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", name)
	client.Process(ctx, reply)
	pair, err := reply.Result()
	switch {
	case errors.Is(err, redis.Nil):
		return netip.AddrPort{}, fmt.Errorf("%w: %q", ErrUnknownMaster, name)
	case err != nil:
		return netip.AddrPort{}, err
	case len(pair) != 2:
		return netip.AddrPort{}, fmt.Errorf("answers with %d words, not address and port", len(pair))
	}
	host, err := netip.ParseAddr(pair[0])
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("names the master %q, which is no address: set `sentinel announce-hostnames no`", pair[0])
	}
	port, err := strconv.ParseUint(pair[1], 10, 16)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("names port %q", pair[1])
	}
	return netip.AddrPortFrom(host.Unmap(), uint16(port)), nil
}
