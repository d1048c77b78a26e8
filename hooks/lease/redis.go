package lease

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"redis-vip/checks/node"

	"github.com/redis/go-redis/v9"
)

// Redis is a witness: a Redis, or a Valkey, that is no replica. It stores one key a
// group, which expires.
type Redis struct {
	node.Endpoint
	Group   string
	Timeout time.Duration // of one call
}

func (r Redis) key() string { return "redis-vip:lease:" + r.Group }

// bid is atomic, as every script is. A witness that has restarted may have forgotten a
// lease that is still held: for one lease time it grants nothing new.
const bid = `
local owner, me, from, ms = redis.call('GET', KEYS[1]), ARGV[1], ARGV[2], tonumber(ARGV[3])
local mine = owner and me ~= '' and (owner == me or from ~= '' and string.sub(owner, 1, #from) == from)
if not owner and me ~= '' then
  local up = string.match(redis.call('INFO', 'server'), 'uptime_in_seconds:(%d+)')
  mine = up and tonumber(up) > ms / 1000
end
if mine then
  redis.call('SET', KEYS[1], me, 'PX', ms)
  return {me, ms}
end
return {owner or '', redis.call('PTTL', KEYS[1])}
`

const release = `
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
`

// What an answer may say. An owner is an address, and who there, and is shown to people.
const (
	maxOwner = 256           // bytes
	maxLeft  = 1_000_000_000 // ms: a lease lasts seconds
)

// Bid claims the lease for b.Owner, or only looks.
func (r Redis) Bid(ctx context.Context, b Bid) (Grant, error) {
	reply, err := r.eval(ctx, bid, b.Owner, b.From, b.Time.Milliseconds())
	if err != nil {
		return Grant{}, err
	}
	pair, ok := reply.([]any)
	if !ok || len(pair) != 2 {
		return Grant{}, fmt.Errorf("witness %s answers with %.100q", r.Endpoint, fmt.Sprint(reply))
	}
	owner, ok := pair[0].(string)
	left, whole := pair[1].(int64)
	odd := func(c rune) bool { return !unicode.IsPrint(c) }
	if !ok || !whole || len(owner) > maxOwner || strings.ContainsFunc(owner, odd) {
		return Grant{}, fmt.Errorf("witness %s answers with %.100q", r.Endpoint, fmt.Sprint(reply))
	}
	return Grant{owner, time.Duration(min(max(left, -1), maxLeft)) * time.Millisecond}, nil
}

// Release deletes the key if owner has it.
func (r Redis) Release(ctx context.Context, owner string) error {
	_, err := r.eval(ctx, release, owner)
	return err
}

func (r Redis) eval(ctx context.Context, script string, args ...any) (any, error) {
	ctx, cancel := context.WithTimeout(ctx, r.Timeout)
	defer cancel()
	client := r.Client(r.Timeout)
	defer client.Close()
	reply, err := client.Eval(ctx, script, []string{r.key()}, args...).Result()
	switch {
	case err == nil:
		return reply, nil
	case redis.HasErrorPrefix(err, "READONLY"), strings.Contains(err.Error(), ": -READONLY "): // 6.2 wraps it
		return nil, errors.New("witness " + r.Endpoint.String() + " is a replica: it has to be a server of its own")
	case node.Classify(err) == node.NoPerm:
		return nil, fmt.Errorf("witness %s: grant our user ~redis-vip:lease:* +eval +get +set +del +pttl +info: %w", r.Endpoint, err)
	default:
		return nil, fmt.Errorf("witness %s: %w", r.Endpoint, err)
	}
}
