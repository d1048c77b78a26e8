package preserve

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
)

// ErrGarbage says that a stream is not one of Redis commands.
var ErrGarbage = errors.New("not a stream of Redis commands")

const (
	readBuffer = 64 << 10
	maxName    = 64      // bytes of a command's name, or of an argument that is looked at
	maxArgs    = 1 << 24 // no bound of Redis's own (that is 2^31), but of our patience
	perArg     = 24      // bytes that an argument takes beside its own
)

// maxUnit is how much memory a command may take, or a transaction: what Redis grants a
// client for a command (client-query-buffer-limit).
const maxUnit = 1 << 30

var errTooLong = errors.New("a command, or a transaction, is longer than Redis takes one")

// Reader reads the commands of a replication stream, or of a preserved file, which
// is the same: arrays of bulk strings, as replicationFeedSlaves (replication.c)
// writes them. It takes no other form, and no number that is not written the
// shortest way: what Redis would not write is not read as a command.
type Reader struct {
	in   *bufio.Reader
	at   int64  // bytes read
	size int64  // of the whole stream
	most int64  // bytes of memory for one command
	raw  []byte // the head of the command at hand, as it was read
}

// NewReader reads a stream of size bytes, and not one more.
func NewReader(r io.Reader, size int64) *Reader {
	return &Reader{in: bufio.NewReaderSize(io.LimitReader(r, size), readBuffer), size: size, most: maxUnit}
}

// Offset is how many bytes were read.
func (r *Reader) Offset() int64 { return r.at }

// Head is what is known of a command before most of it was read.
type Head struct {
	Name  string // in capitals
	Args  int    // how many follow the name
	First string // the first of them, if it is short
}

// Copy reads one command and writes it, byte for byte, to what sink returns for
// it. It needs no memory for the values. At the end of the stream it returns
// io.EOF; an end within a command is [io.ErrUnexpectedEOF].
func (r *Reader) Copy(sink func(Head) io.Writer) error {
	r.raw = r.raw[:0]
	count, err := r.begin()
	if err != nil {
		return err
	}
	size, err := r.length('$')
	if err != nil {
		return err
	}
	name, err := r.short(size)
	if err != nil {
		return err
	}
	head := Head{Name: strings.ToUpper(name), Args: int(count - 1)}
	left, open := count-1, int64(-1)
	if left > 0 {
		left--
		if open, err = r.length('$'); err != nil {
			return err
		}
		if open <= maxName {
			if head.First, err = r.short(open); err != nil {
				return err
			}
			open = -1
		}
	}
	w := sink(head)
	for {
		if _, err := w.Write(r.raw); err != nil {
			return err
		}
		r.raw = r.raw[:0]
		if open >= 0 {
			n, err := io.CopyN(w, r.in, open)
			r.at += n
			if err != nil {
				return unexpected(err)
			}
			if err := r.crlf(); err != nil {
				return err
			}
			open = -1
			continue
		}
		if left == 0 {
			return nil
		}
		left--
		if open, err = r.length('$'); err != nil {
			return err
		}
	}
}

// Read reads one command into memory. At the end of the stream it returns io.EOF.
func (r *Reader) Read() ([][]byte, error) {
	r.raw = r.raw[:0]
	count, err := r.begin()
	if err != nil {
		return nil, err
	}
	var args [][]byte
	left := r.most
	for range count {
		r.raw = r.raw[:0]
		size, err := r.length('$')
		if err != nil {
			return nil, err
		}
		if left -= size + perArg; left < 0 {
			return nil, fmt.Errorf("%w, at byte %d", errTooLong, r.at)
		}
		arg, err := r.value(size)
		if err != nil {
			return nil, err
		}
		args = append(args, arg)
	}
	return args, nil
}

// begin reads the number of words of the next command.
func (r *Reader) begin() (int64, error) {
	if _, err := r.in.Peek(1); err == io.EOF {
		if r.at < r.size {
			return 0, io.ErrUnexpectedEOF
		}
		return 0, io.EOF
	}
	count, err := r.length('*')
	if err == nil && (count < 1 || count > maxArgs) {
		err = fmt.Errorf("%w: a command of %d words at byte %d", ErrGarbage, count, r.at)
	}
	return count, err
}

// length reads a line that is a sign and a number, and is bounded by what the
// stream still can hold.
func (r *Reader) length(sign byte) (int64, error) {
	line, err := r.in.ReadSlice('\n')
	if err == bufio.ErrBufferFull {
		return 0, fmt.Errorf("%w: no end of line at byte %d", ErrGarbage, r.at)
	}
	if err != nil {
		return 0, unexpected(err)
	}
	n, width := number(line, sign)
	if width != len(line) || n > r.size-r.at {
		return 0, fmt.Errorf("%w: %.24q at byte %d", ErrGarbage, line, r.at)
	}
	r.at += int64(len(line))
	r.raw = append(r.raw, line...)
	return n, nil
}

// short reads a bulk string that must be short, and keeps it in raw too.
func (r *Reader) short(size int64) (string, error) {
	if size > maxName {
		return "", fmt.Errorf("%w: a name of %d bytes at byte %d", ErrGarbage, size, r.at)
	}
	text := make([]byte, size)
	if _, err := io.ReadFull(r.in, text); err != nil {
		return "", unexpected(err)
	}
	r.at += size
	r.raw = append(r.raw, text...)
	return string(text), r.crlf()
}

// value reads a bulk string of any length. The memory grows with what arrives, not
// with what was announced.
func (r *Reader) value(size int64) ([]byte, error) {
	var text []byte
	for int64(len(text)) < size {
		have := len(text)
		text = append(text, make([]byte, min(size-int64(have), max(readBuffer, int64(have))))...)
		n, err := io.ReadFull(r.in, text[have:])
		r.at += int64(n)
		if err != nil {
			return nil, unexpected(err)
		}
	}
	return text, r.crlf()
}

func (r *Reader) crlf() error {
	var end [2]byte
	if _, err := io.ReadFull(r.in, end[:]); err != nil {
		return unexpected(err)
	}
	r.at += 2
	if end != [2]byte{'\r', '\n'} {
		return fmt.Errorf("%w: a value does not end at byte %d", ErrGarbage, r.at)
	}
	r.raw = append(r.raw, '\r', '\n')
	return nil
}

// take reads n bytes as they are.
func (r *Reader) take(n int64) ([]byte, error) {
	window := make([]byte, n)
	read, err := io.ReadFull(r.in, window)
	r.at += int64(read)
	return window, unexpected(err)
}

func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// number reads `<sign>123\r\n` at the start of text, and says how many bytes that
// are; 0 if it is something else.
func number(text []byte, sign byte) (n int64, width int) {
	if len(text) < 4 || text[0] != sign {
		return 0, 0
	}
	i := 1
	for ; i < len(text) && text[i] >= '0' && text[i] <= '9'; i++ {
		if i > 15 || i > 1 && text[1] == '0' {
			return 0, 0
		}
		n = 10*n + int64(text[i]-'0')
	}
	if i == 1 || i+1 >= len(text) || text[i] != '\r' || text[i+1] != '\n' {
		return 0, 0
	}
	return n, i + 2
}

// appendCommand adds a command, as Redis writes it.
func appendCommand(to []byte, args ...string) []byte {
	to = fmt.Appendf(to, "*%d\r\n", len(args))
	for _, arg := range args {
		to = fmt.Appendf(to, "$%d\r\n%s\r\n", len(arg), arg)
	}
	return to
}
