package node

import (
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"
)

// Look asks the server what it is: one connection, and after go-redis's greeting
// one write and one read. It always returns; the context bounds it.
//
// A connection that the server closes under it is tried once more: a demotion on
// this very host ends with CLIENT KILL TYPE normal, which must not make a healthy
// node look dead.
func (e Endpoint) Look(ctx context.Context) Facts {
	start := time.Now()
	f := e.look(ctx)
	if f.Class == Closed && ctx.Err() == nil {
		f = e.look(ctx)
	}
	f.Took = time.Since(start)
	return f
}

func (e Endpoint) look(ctx context.Context) Facts {
	greeting := new(greeting)
	client := e.Client(Remaining(ctx))
	client.AddHook(greeting)
	defer client.Close()
	return read(ctx, client, greeting)
}

// read runs the pipeline on an open client. The sections are asked for one by one
// because a server before 7.0 takes only one name, and the default set is five
// times as long.
func read(ctx context.Context, client *redis.Client, greeting *greeting) Facts {
	pipe := client.Pipeline()
	ping := pipe.Ping(ctx)
	infos := []*redis.StringCmd{
		pipe.Info(ctx, "replication"), pipe.Info(ctx, "server"), pipe.Info(ctx, "keyspace"),
	}
	_, failed := pipe.Exec(ctx)

	var f Facts
	err := ping.Err()
	for _, info := range infos {
		f.parseInfo(info.Val())
		if err == nil {
			err = info.Err()
		}
	}
	if err == nil && !isServer(failed) {
		err = failed // no connection came about, and the commands know nothing of it
	}
	if greeting.refused != nil {
		// With no connection left, the server says why once, to the greeting, and
		// hangs up: what follows would only show a closed connection.
		err = greeting.refused
	}
	f.Class = Classify(err)
	if err != nil {
		f.Problem = err.Error()
	} else if f.Role == NoRole {
		f.Class, f.Problem = Garbage, "INFO names no role"
	}
	return f
}

// greeting remembers the server's answer to HELLO, where that answer is about the
// server's state and not about HELLO (which servers before 6.0 do not know).
type greeting struct{ refused error }

func (g *greeting) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		if cmd.Name() == "hello" && isServer(err) {
			if class := Classify(err); class != Alive && class != Loading {
				g.refused = err
			}
		}
		return err
	}
}

func (g *greeting) DialHook(next redis.DialHook) redis.DialHook { return next }

func (g *greeting) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// isServer says whether err is the server's own answer.
func isServer(err error) bool {
	var server redis.Error
	return errors.As(err, &server)
}

// Remaining is the time the context leaves, at least a millisecond: go-redis takes
// zero for its default of seconds.
func Remaining(ctx context.Context) time.Duration {
	deadline, ok := ctx.Deadline()
	if !ok {
		return 5 * time.Second
	}
	return max(time.Until(deadline), time.Millisecond)
}
