// Package node looks at one Redis server and says what it saw.
//
// Everything here only reads: PING, INFO, ROLE. What changes a server is in
// package hooks.
package node

import (
	"cmp"
	"context"
	"crypto/tls"
	"net"
	"net/netip"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// Endpoint is how one Redis server is reached.
type Endpoint struct {
	Addr     netip.AddrPort
	Socket   string // path of a unix socket; used instead of Addr where set
	Username string // ACL user; empty means the default user
	Password string
	TLS      *tls.Config // nil without TLS
	MaxReply int64       // bytes of the answers to what is written at once; 0 means 4 MiB

	// Age is how long a process of this host has lived, for a server that runs here; nil
	// elsewhere.
	Age func(pid int) (time.Duration, error)
}

// String names the endpoint in messages. It holds no secret.
func (e Endpoint) String() string {
	if e.Socket != "" {
		return e.Socket
	}
	return e.Addr.String()
}

func init() { redis.SetLogger(silent{}) }

// silent keeps go-redis from writing dial errors to stderr: they come back as
// errors, and are reported once.
type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}

// Client returns a client for programs that live for milliseconds: one
// connection, no retries and no background work, every wait bounded by the
// context of the call. go-redis's defaults would wait 101 s for an address that
// drops SYNs, and send HELLO 3 and CLIENT SETINFO, which older servers refuse.
//
// No wait is longer than timeout, even if the context of the call allows it, and no
// answer takes more memory than [Endpoint].MaxReply, whatever the server sends.
func (e Endpoint) Client(timeout time.Duration) *redis.Client {
	client := redis.NewClient(&redis.Options{
		Addr: e.String(),
		Dialer: func(ctx context.Context, _, _ string) (net.Conn, error) {
			conn, err := e.Dial(ctx)
			if err != nil {
				return nil, err
			}
			return bound(conn, cmp.Or(e.MaxReply, mostReply)), nil
		},
		Username:              e.Username,
		Password:              e.Password,
		Protocol:              2,
		DisableIdentity:       true,
		MaxRetries:            -1,
		DialerRetries:         1, // 0 would mean 5
		DialerRetryTimeout:    1, // waited also after the last try; 0 would mean 100 ms
		DialTimeout:           timeout,
		ReadTimeout:           timeout,
		WriteTimeout:          timeout,
		PoolTimeout:           timeout,
		ContextTimeoutEnabled: true,
		PoolSize:              1,
		ReadBufferSize:        4096,
		WriteBufferSize:       512,
		MaintNotificationsConfig: &maintnotifications.Config{
			Mode: maintnotifications.ModeDisabled,
		},
	})
	if e.Password == "" {
		client.AddHook(ungreeted{})
	}
	return client
}

// ungreeted leaves out go-redis's HELLO 2 where it does not authenticate: RESP 2 is
// what every connection begins with, and the answer costs as much as our questions.
type ungreeted struct{}

func (ungreeted) DialHook(next redis.DialHook) redis.DialHook { return next }

func (ungreeted) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, command redis.Cmder) error {
		if command.Name() == "hello" {
			return nil
		}
		return next(ctx, command)
	}
}

func (ungreeted) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// Dial is the plain dialer of net, with TLS where it is configured. It has no time-out
// of its own: the context has one. Nothing bounds what is read from the connection.
func (e Endpoint) Dial(ctx context.Context) (net.Conn, error) {
	plain := &net.Dialer{KeepAlive: -1}
	switch {
	case e.Socket != "":
		return plain.DialContext(ctx, "unix", e.Socket)
	case e.TLS == nil:
		return plain.DialContext(ctx, "tcp", e.Addr.String())
	}
	config := e.TLS
	if config.ServerName == "" {
		config = config.Clone()
		config.ServerName = e.Addr.Addr().String()
	}
	return (&tls.Dialer{NetDialer: plain, Config: config}).DialContext(ctx, "tcp", e.Addr.String())
}
