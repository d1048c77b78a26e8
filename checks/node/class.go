package node

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"

	"github.com/redis/go-redis/v9"
)

// Class says in what way a server answered, or did not.
type Class uint8

// The classes, as Redis 7.0 and Valkey show them. Up to Garbage there is no Redis
// to talk to; from Loading on there is one, but it may refuse something.
const (
	Unknown     Class = iota // not looked at
	Refused                  // nothing listens there
	Unreachable              // no route, network down, or no such unix socket
	Timeout                  // no complete answer within the deadline: hung, stopped, or cut off
	Closed                   // the connection was closed before an answer came
	Garbage                  // something answers, but it does not speak Redis
	Loading                  // reading its data set; INFO and ROLE work, REPLICAOF does not
	Busy                     // in a script for longer than busy-reply-threshold
	Misconf                  // refuses writes because it cannot save
	MasterDown               // a replica that refuses stale reads
	NoAuth                   // wants a password, or the one it got is wrong
	NoPerm                   // the ACL user may not run PING, INFO or ROLE
	Protected                // protected mode: it answers only on loopback
	MaxClients               // has no connection left for us
	Untrusted                // the TLS handshake failed: an expired certificate, another CA
	Alive                    // answers
)

var classNames = [...]string{
	Unknown: "unknown", Refused: "refused", Unreachable: "unreachable", Timeout: "timeout",
	Closed: "closed", Untrusted: "untrusted", Garbage: "garbage", Loading: "loading", Busy: "busy",
	Misconf: "misconf", MasterDown: "masterdown", NoAuth: "noauth", NoPerm: "noperm",
	Protected: "protected", MaxClients: "maxclients", Alive: "alive",
}

func (c Class) String() string { return classNames[c] }

// MarshalText gives the class's name.
func (c Class) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// Answers says whether a Redis server is there at all, whatever it says.
func (c Class) Answers() bool { return c >= Loading }

// sentences say to a person what the server does.
var sentences = [...]string{
	Unknown: "was not looked at", Refused: "refuses connections (no Redis runs there)",
	Unreachable: "cannot be reached", Timeout: "does not answer in time (it hangs, or is cut off)",
	Closed: "closes the connection before it answers", Untrusted: "fails the TLS handshake",
	Garbage: "does not speak Redis", Loading: "is loading its data set", Busy: "is busy with a script",
	Misconf: "cannot save, and refuses writes", MasterDown: "refuses to show stale data",
	NoAuth: "wants a password, or another one", NoPerm: "does not let our ACL user ask",
	Protected: "is in protected mode, and answers only on its own host", MaxClients: "has no connection left",
	Alive: "answers",
}

// Sentence says to a person what a server of this class does: "it …".
func (c Class) Sentence() string { return sentences[c] }

// Prefixes, not texts: Valkey words its errors differently.
var refusals = []struct {
	prefix string
	class  Class
}{
	{"LOADING ", Loading},
	{"BUSY ", Busy},
	{"MISCONF ", Misconf},
	{"MASTERDOWN ", MasterDown},
	{"NOAUTH ", NoAuth},
	{"WRONGPASS ", NoAuth},
	{"NOPERM ", NoPerm},
	{"DENIED ", Protected},
	{"ERR max number of clients", MaxClients},
	{"ERR AUTH <password> called without", Alive}, // PING and INFO work all the same
	{"ERR invalid password", NoAuth},              // before Redis 6
}

// Classify says what an error means for the state of the server. nil is Alive.
func Classify(err error) Class {
	var server redis.Error
	var timeout net.Error
	var network *net.OpError
	switch {
	case err == nil:
		return Alive
	case errors.As(err, &server):
		text := server.Error()
		for _, r := range refusals {
			if strings.HasPrefix(text, r.prefix) {
				return r.class
			}
		}
		return Alive
	case errors.Is(err, syscall.ECONNREFUSED):
		return Refused
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled),
		errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, syscall.ETIMEDOUT),
		errors.As(err, &timeout) && timeout.Timeout():
		return Timeout
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF),
		errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, net.ErrClosed):
		return Closed
	case untrusted(err):
		return Untrusted
	case errors.As(err, &network) && network.Op == "dial": // no route, a firewall here, no such socket, no right to it
		return Unreachable
	default:
		return Garbage
	}
}
