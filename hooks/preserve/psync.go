package preserve

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"redis-vip/checks/node"
)

var (
	// ErrNoMasterLink says that the node is a replica whose link is down, and gives
	// its history to nobody (replication.c, syncCommand). Made a master, with writes
	// paused, it does.
	ErrNoMasterLink = errors.New("a replica with its link down gives out nothing: REPLICAOF NO ONE first, with writes paused")

	errFullResync = errors.New("the server offers a full copy instead of the part asked for")
)

const (
	maxLine = 1 << 10 // of a reply
	maxBulk = 1 << 20 // of the reply to INFO
)

// serverError is an error reply. It is a redis.Error, so that node.Classify knows
// it.
type serverError string

func (e serverError) Error() string { return strings.Map(printable, string(e)) }
func (serverError) RedisError()     {}

// printable leaves out what a terminal might obey.
func printable(r rune) rune {
	if !unicode.IsPrint(r) {
		return -1
	}
	return r
}

// link is a connection on which the server takes us for a replica, or will.
type link struct {
	net.Conn
	in    *bufio.Reader
	stall time.Duration
	ctx   context.Context
	stop  func() bool
}

// connect dials and authenticates. The link ends with the context; and no read or
// write waits longer than stall.
func connect(ctx context.Context, e node.Endpoint, stall time.Duration) (*link, error) {
	dial, cancel := context.WithTimeout(ctx, stall)
	defer cancel()
	conn, err := e.Dial(dial)
	if err != nil {
		return nil, err
	}
	l := &link{Conn: conn, stall: stall, ctx: ctx}
	l.in = bufio.NewReaderSize(l, readBuffer)
	l.stop = context.AfterFunc(ctx, func() { conn.Close() })
	auth := []string{"AUTH", e.Username, e.Password}
	if e.Username == "" {
		auth = slices.Delete(auth, 1, 2)
	}
	if e.Password != "" {
		_, err := l.do(auth...)
		if err != nil && node.Classify(err) != node.Alive { // a password where none is set is no obstacle
			l.Close()
			return nil, err
		}
	}
	return l, nil
}

// Read reads with the bound that every wait of the link has.
func (l *link) Read(p []byte) (int, error) {
	l.SetReadDeadline(time.Now().Add(l.stall))
	n, err := l.Conn.Read(p)
	if err != nil && l.ctx.Err() != nil {
		err = context.Cause(l.ctx)
	}
	return n, err
}

// Close ends the connection.
func (l *link) Close() error {
	l.stop()
	return l.Conn.Close()
}

func (l *link) send(args ...string) error {
	l.SetWriteDeadline(time.Now().Add(l.stall))
	_, err := l.Write(appendCommand(nil, args...))
	return err
}

// do runs one command, and returns a status, a number or a text.
func (l *link) do(args ...string) (string, error) {
	if err := l.send(args...); err != nil {
		return "", err
	}
	reply, err := l.line()
	if err != nil {
		return "", err
	}
	switch reply[0] {
	case '+', ':':
		return reply[1:], nil
	case '$':
		n, err := strconv.Atoi(reply[1:])
		if err != nil || n < 0 || n > maxBulk {
			break
		}
		text := make([]byte, n+2)
		_, err = io.ReadFull(l.in, text)
		return string(text[:n]), unexpected(err)
	}
	return "", fmt.Errorf("%w: %.40q answers %s", ErrGarbage, reply, args[0])
}

// line reads a line that is not empty; a server that is not ready yet sends empty
// ones to keep the link alive (replication.c, replicationCron). An error reply is
// an error.
func (l *link) line() (string, error) {
	for {
		var line []byte
		for len(line) == 0 || line[len(line)-1] != '\n' {
			b, err := l.in.ReadByte()
			if err != nil {
				return "", unexpected(err)
			}
			if line = append(line, b); len(line) > maxLine {
				return "", fmt.Errorf("%w: a line without end", ErrGarbage)
			}
		}
		text := strings.TrimRight(string(line), "\r\n")
		switch {
		case text == "":
		case strings.HasPrefix(text, "-NOMASTERLINK"):
			return "", ErrNoMasterLink
		case text[0] == '-':
			return "", serverError(text[1:])
		default:
			return text, nil
		}
	}
}

// partial asks for the history from an offset on. What follows on the link is the
// stream.
func (l *link) partial(replid string, offset int64) error {
	// Without "eof" a server that cannot oblige would start a BGSAVE to disk at once.
	if _, err := l.do("REPLCONF", "capa", "eof", "capa", "psync2"); err != nil {
		return err
	}
	if err := l.send("PSYNC", replid, strconv.FormatInt(offset, 10)); err != nil {
		return err
	}
	answer, err := l.line()
	switch {
	case err != nil:
		return err
	case answer == "+CONTINUE", strings.HasPrefix(answer, "+CONTINUE "):
		return nil
	case strings.HasPrefix(answer, "+FULLRESYNC "):
		return errFullResync
	}
	return fmt.Errorf("%w: %.40q answers PSYNC", ErrGarbage, answer)
}

// backlog is what a server can still tell of its history.
type backlog struct {
	first     int64 // the offset of its oldest byte
	untouched bool  // nothing was dropped from it yet: it begins where a command does
	databases []int // those with keys
}

// readBacklog asks for it. A server without one has first = 0.
func (l *link) readBacklog() (b backlog, err error) {
	var size, length int64
	for _, section := range []string{"replication", "keyspace"} {
		text, err := l.do("INFO", section)
		if err != nil {
			return b, err
		}
		for line := range strings.Lines(text) {
			name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
			n, _ := strconv.ParseInt(value, 10, 64)
			switch name {
			case "repl_backlog_size":
				size = n
			case "repl_backlog_histlen":
				length = n
			case "repl_backlog_first_byte_offset":
				b.first = n
			default:
				if db, err := strconv.Atoi(strings.TrimPrefix(name, "db")); err == nil && strings.HasPrefix(name, "db") {
					b.databases = append(b.databases, db)
				}
			}
		}
	}
	// It is cut only once it is longer than its size (incrementalTrimReplicationBacklog).
	b.untouched = b.first > 0 && length < size
	return b, nil
}
