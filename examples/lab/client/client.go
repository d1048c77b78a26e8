// Package client makes go-redis clients that do not wait: a lab asks servers
// that are down, hung or out of reach, and wants to know it at once.
package client

import (
	"context"
	"net"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// Dialer makes a connection, for instance from a host of a lab.
type Dialer func(ctx context.Context, network, address string) (net.Conn, error)

// silent is for go-redis, which else prints every failed attempt to connect.
type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}

func init() { redis.SetLogger(silent{}) }

// New returns a client that sends what it is told to and nothing else, and
// that spends at most patience on connecting, and on each answer. A command
// that fails is tried retries times again, each time on a new connection.
func New(address string, dial Dialer, patience time.Duration, retries int) *redis.Client {
	return WithPassword("", address, dial, patience, retries)
}

// WithPassword is New for a server that wants a password.
func WithPassword(password, address string, dial Dialer, patience time.Duration, retries int) *redis.Client {
	if retries == 0 {
		retries = -1 // in go-redis 0 means 3
	}
	return redis.NewClient(&redis.Options{
		Addr:                  address,
		Password:              password,
		Dialer:                dial,
		Protocol:              2,
		DisableIdentity:       true,
		MaxRetries:            retries,
		MinRetryBackoff:       time.Millisecond,
		DialerRetries:         1,
		DialTimeout:           patience,
		ReadTimeout:           patience,
		WriteTimeout:          patience,
		ContextTimeoutEnabled: true,
		MaintNotificationsConfig: &maintnotifications.Config{
			Mode: maintnotifications.ModeDisabled,
		},
	})
}
