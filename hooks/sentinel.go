package hooks

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"redis-vip/checks"
	"redis-vip/checks/node"

	"github.com/redis/go-redis/v9"
)

// Sentinel is one Redis Sentinel. [RedisSentinel] is the real one.
type Sentinel interface {
	Addr() netip.AddrPort
	Ask(ctx context.Context, group string) checks.Answer
	Failover(ctx context.Context, group string) error
}

// RedisSentinel is the Sentinel at an endpoint.
type RedisSentinel struct {
	node.Endpoint
	Timeout time.Duration // of one question
}

// Addr is where the Sentinel listens.
func (s RedisSentinel) Addr() netip.AddrPort { return s.Endpoint.Addr }

// Ask asks who the master is, and which other Sentinels there are. While Sentinel
// runs its client-reconfig-script it already names the new master (sentinel.c:3897).
func (s RedisSentinel) Ask(ctx context.Context, group string) checks.Answer {
	ctx, cancel := context.WithTimeout(ctx, s.Timeout)
	defer cancel()
	client := s.Client(s.Timeout)
	defer client.Close()
	pipe := client.Pipeline()
	master := redis.NewStringSliceCmd(ctx, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", group)
	others := redis.NewMapStringStringSliceCmd(ctx, "SENTINEL", "SENTINELS", group)
	state := redis.NewMapStringStringCmd(ctx, "SENTINEL", "MASTER", group)
	id := redis.NewStringCmd(ctx, "SENTINEL", "MYID")
	for _, command := range []redis.Cmder{master, others, state, id} {
		pipe.Process(ctx, command)
	}
	_, failed := pipe.Exec(ctx)

	number := func(field string) int { n, _ := strconv.Atoi(state.Val()[field]); return n }
	a := checks.Answer{
		Sentinel: s.Addr(), ID: id.Val(), Epoch: number("config-epoch"), Replicas: number("num-slaves"),
		Failover: strings.Contains(state.Val()["flags"], "failover_in_progress"),
		Down:     strings.Contains(state.Val()["flags"], "s_down"),
	}
	if _, said := state.Val()["role-reported-time"]; said { // of a master: since it was named (sentinel.c:1559)
		a.Named = max(time.Duration(number("role-reported-time"))*time.Millisecond, time.Millisecond)
	}
	pair, err := master.Result()
	switch {
	case errors.Is(err, redis.Nil):
		a.Err = fmt.Errorf("%w: %q", checks.ErrUnknownMaster, group)
	case err != nil:
		a.Err = err
	case len(pair) == 0 && failed != nil:
		a.Err = failed // no connection came about, and the commands know nothing of it
	case len(pair) != 2:
		a.Err = fmt.Errorf("answers with %d words, not address and port", len(pair))
	default:
		a.Master, a.Err = address(pair[0], pair[1])
	}
	for _, other := range others.Val() {
		if addr, err := address(other["ip"], other["port"]); err == nil {
			a.Others = append(a.Others, checks.Other{Addr: addr, ID: other["runid"]})
		}
	}
	return a
}

// Failover asks the Sentinel to choose another master.
func (s RedisSentinel) Failover(ctx context.Context, group string) error {
	ctx, cancel := context.WithTimeout(ctx, s.Timeout)
	defer cancel()
	client := s.Client(s.Timeout)
	defer client.Close()
	return client.Do(ctx, "SENTINEL", "FAILOVER", group).Err()
}

func address(host, port string) (netip.AddrPort, error) {
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("names %.100q, which is no address: set `sentinel announce-hostnames no`", host)
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("names port %.100q", port)
	}
	return netip.AddrPortFrom(addr.Unmap(), uint16(number)), nil
}

// maxSentinels ends the search for more: nobody runs that many.
const maxSentinels = 64

// Convene asks the Sentinels that are known, and those that they know, all at once.
// Each counts once, also where it is known by two addresses. It does not wait for
// those that are silent once more than half of all have named self: that one is in
// haste to serve. Whoever has to yield hears them all.
func Convene(ctx context.Context, group string, self netip.AddrPort, known []Sentinel, at func(netip.AddrPort) Sentinel) (answers []checks.Answer) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	replies := make(chan checks.Answer, maxSentinels)
	pending := make(map[netip.AddrPort]bool)
	asked := make(map[netip.AddrPort]bool)
	ask := func(s Sentinel) {
		if asked[s.Addr()] || len(asked) == maxSentinels {
			return
		}
		asked[s.Addr()], pending[s.Addr()] = true, true
		go func() { replies <- s.Ask(ctx, group) }()
	}
	for _, s := range known {
		ask(s)
	}
	ids := make(map[string]bool)
	votes := make(map[netip.AddrPort]int)
	for len(pending) > 0 {
		a := <-replies
		delete(pending, a.Sentinel)
		if a.ID != "" && ids[a.ID] {
			continue
		}
		ids[a.ID] = true
		answers = append(answers, a)
		for _, other := range a.Others {
			ask(at(other.Addr))
		}
		if a.Err == nil {
			votes[a.Master]++
		}
		if votes[self] > (len(answers)+len(pending))/2 {
			break
		}
	}
	for addr := range pending {
		answers = append(answers, checks.Answer{Sentinel: addr, Err: errNotAwaited})
	}
	return answers
}

var errNotAwaited = errors.New("was not waited for")
