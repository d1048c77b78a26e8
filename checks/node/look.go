package node

import (
	"cmp"
	"context"
	"strings"
	"time"
	"unicode"

	"github.com/redis/go-redis/v9"
)

// Look asks the server what it is: one connection, one write and one read. It always
// returns; the context bounds it.
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
	if f.Class == Closed && e.TLS != nil && e.Socket == "" && ctx.Err() == nil {
		if err := e.hearOut(ctx); err != nil && untrusted(err) {
			f.Class, f.Problem = Untrusted, sentence(err)
		}
	}
	if e.Age != nil && f.Role == Replica && !f.Upstream.Up {
		f.Uptime = e.lived(f)
	}
	f.Took = time.Since(start)
	return f
}

// lived is how long the server has been up. It says so itself by the time of day
// (server.c: server.unixtime - server.stat_starttime), which NTP sets ahead by any
// amount on a host that has just booted. Where its number is that of a process elsewhere (a
// container has its own), it has the last word.
func (e Endpoint) lived(f Facts) time.Duration {
	if age, err := e.Age(f.PID); err == nil {
		return min(f.Uptime, age)
	}
	return f.Uptime
}

// look authenticates in the same write as it asks.
func (e Endpoint) look(ctx context.Context) Facts {
	anonymous := e
	anonymous.Password = ""
	client := anonymous.Client(Remaining(ctx))
	defer client.Close()
	pipe := client.Pipeline()
	if e.Password == "" {
		return read(ctx, pipe)
	}
	known := pipe.AuthACL(ctx, cmp.Or(e.Username, "default"), e.Password)
	f := read(ctx, pipe)
	if known.Err() != nil { // what the server tells a stranger is not what we asked for
		f = Facts{Class: f.Class, Problem: f.Problem}
	}
	return f
}

// read asks on a connection that nobody has asked anything yet, or only to
// authenticate. The sections are asked for one by one because a server before 7.0
// takes only one name, and the default set is five times as long.
//
// The first error counts: to one client too many the server says why once, and
// hangs up.
func read(ctx context.Context, pipe redis.Pipeliner) Facts {
	pipe.Ping(ctx)
	infos := []*redis.StringCmd{
		pipe.Info(ctx, "replication"), pipe.Info(ctx, "server"), pipe.Info(ctx, "keyspace"),
	}
	asked, err := pipe.Exec(ctx)
	for _, command := range asked {
		if first := command.Err(); first != nil {
			err = first
			break
		}
	}

	var f Facts
	for _, info := range infos {
		f.parseInfo(info.Val())
	}
	f.Class = Classify(err)
	if err != nil {
		f.Problem = sentence(err)
	} else if f.Role == NoRole {
		f.Class, f.Problem = Garbage, "INFO names no role"
	}
	return f
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

// longestSentence is what is kept of an error, in bytes.
const longestSentence = 250

// sentence is the text of an error, which may hold what a server said, or what stands
// in its certificate: printable, and not long.
func sentence(err error) string {
	printable := strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, err.Error())
	if len(printable) <= longestSentence {
		return cmp.Or(strings.TrimSpace(printable), "an error without a word")
	}
	return strings.ToValidUTF8(printable[:longestSentence], "") + "…"
}
