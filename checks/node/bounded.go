package node

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"strconv"
	"syscall"
)

// The bounds of an answer. The longest honest one is that to INFO keyspace, where all
// of 16384 databases have keys: about 1 MB.
const (
	mostReply   = 4 << 20 // bytes of the answers to what was written at once
	longestLine = 4 << 10 // bytes of a status, an error or a number
	deepest     = 16      // arrays in arrays; COMMAND INFO has 9
	perElement  = 64      // bytes that each element counts for as soon as it is announced
)

// bounded is a connection on which no answer takes more memory than it may. go-redis
// makes room for any length that a server announces, collects a line for as long as it
// goes on, and reads an array in an array by recursion (proto/reader.go): one reply of
// 13 bytes can end the process. So the announcements are read here before.
//
// What is not printable in a line becomes a question mark: errors are shown on
// terminals.
type bounded struct {
	net.Conn
	most   int64
	left   int64    // of most, since the last write
	skip   int64    // bytes of a value that are yet to come, with its end
	length int      // of the line at hand
	head   [24]byte // its first bytes: no number has more
	cr     bool     // the last byte of it was a carriage return
	open   []int64  // elements that are yet to come, of each array that has begun
}

// bound bounds what is read from conn. go-redis looks at an idle socket before it uses
// it again, where it can: that it still can.
func bound(conn net.Conn, most int64) net.Conn {
	b := &bounded{Conn: conn, most: most}
	if socket, ok := conn.(syscall.Conn); ok {
		return struct {
			*bounded
			syscall.Conn
		}{b, socket}
	}
	return b
}

// Write asks, and so allows for an answer.
func (b *bounded) Write(p []byte) (int, error) {
	b.left = b.most
	return b.Conn.Write(p)
}

// Read gives nothing of what goes too far.
func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.Conn.Read(p)
	if broken := b.watch(p[:n]); broken != nil {
		return 0, broken
	}
	return n, err
}

// watch follows the protocol (RESP 2; nobody asked for another) through what was read.
func (b *bounded) watch(p []byte) error {
	for len(p) > 0 {
		if b.skip > 0 {
			n := min(b.skip, int64(len(p)))
			b.skip, p = b.skip-n, p[n:]
			continue
		}
		end := bytes.IndexByte(p, '\n')
		line := p[:end+1]
		if end < 0 {
			line = p
		}
		p = p[len(line):]
		if i := bytes.IndexByte(line, '\r'); b.cr && line[0] != '\n' || i >= 0 && i+1 < len(line) && line[i+1] != '\n' {
			return errors.New("answers with a carriage return in a line: no Redis does")
		}
		b.cr = line[len(line)-1] == '\r'
		printable(line)
		if b.length < len(b.head) {
			copy(b.head[b.length:], line)
		}
		b.length += len(line)
		b.left -= int64(len(line))
		switch {
		case b.length > longestLine:
			return fmt.Errorf("answers with a line of more than %d bytes: no Redis does", longestLine)
		case b.left < 0:
			return b.tooMuch()
		case end < 0:
			return nil
		}
		if err := b.begin(bytes.TrimRight(b.head[:min(b.length, len(b.head))], "\r\n")); err != nil {
			return err
		}
		b.length = 0
	}
	return nil
}

// begin takes the line that begins an answer, or is one.
func (b *bounded) begin(line []byte) error {
	if len(line) == 0 {
		return errors.New("answers with an empty line: no Redis does")
	}
	switch line[0] {
	case '+', '-', ':':
		b.complete()
		return nil
	case '$', '*':
	default:
		return fmt.Errorf("answers with %q: that is not the protocol of Redis", line)
	}
	n, err := strconv.ParseInt(string(line[1:]), 10, 64)
	switch {
	case err != nil || n < -1:
		return fmt.Errorf("announces a length of %q: no Redis does", line)
	case line[0] == '$' && n >= 0:
		if n > b.left {
			return b.tooMuch()
		}
		b.left -= n
		b.skip = n + 2
	case line[0] == '*' && n > 0:
		if n > b.left/perElement {
			return b.tooMuch()
		}
		if len(b.open) == deepest {
			return fmt.Errorf("answers with arrays in arrays, more than %d deep: no Redis does", deepest)
		}
		b.left -= n * perElement
		b.open = append(b.open, n)
		return nil
	}
	b.complete()
	return nil
}

// complete counts an element, and the arrays that end with it.
func (b *bounded) complete() {
	for last := len(b.open) - 1; last >= 0; last-- {
		if b.open[last]--; b.open[last] > 0 {
			return
		}
		b.open = b.open[:last]
	}
}

func (b *bounded) tooMuch() error {
	return fmt.Errorf("answers with more than %d bytes, or announces them: no Redis does to what was asked", b.most)
}

// printable replaces what a terminal might obey.
func printable(line []byte) {
	for i, c := range line {
		if (c < ' ' || c > '~') && c != '\r' && c != '\n' {
			line[i] = '?'
		}
	}
}
