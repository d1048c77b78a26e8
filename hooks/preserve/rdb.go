package preserve

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc64"
	"io"
	"strconv"
	"strings"
	"sync"

	"redis-vip/checks/node"
)

var errBadRDB = errors.New("what the server sent is no whole RDB")

// position is the place in a history that a full copy stands for.
type position struct {
	replid string
	offset int64
}

// The words that an RDB begins with. Three or four digits follow, nine bytes in all.
const (
	redisMagic  = "REDIS"
	valkeyMagic = "VALKEY" // from 9.0 on, of formats from 80 on
)

const (
	eofMark  = 40       // bytes of the mark that ends a copy of unknown length
	rdbTail  = 9        // the opcode EOF and a checksum
	askAgain = 16 << 20 // bytes after which a copy of unknown length asks for room again
)

// fullCopy reads all the data of a server as an RDB, as a replica gets it, and
// writes it to w. room is asked as soon as the length is known; progress is told
// how much has come.
//
// The server may first wait repl-diskless-sync-delay (5 s by default) for other
// replicas; then it forks. Sentinel lists the connection as a replica for as long
// as it lasts.
func fullCopy(l *link, w io.Writer, room func(int64) error, progress func(int64)) (position, int64, error) {
	var at position
	if _, err := l.do("REPLCONF", "capa", "eof", "capa", "psync2"); err != nil {
		return at, 0, err
	}
	for _, option := range [][]string{
		// The server ends the link after the copy (7.0).
		{"rdb-only", "1"},
		// Valkey 9 hangs up on a replica that tells no version, where its data have what older
		// formats lack, such as hash fields that expire. A file is for a server of its own kind.
		{"version", "255.255.255"},
		// The other nodes see in its INFO that it is a master for this only.
		{"listening-port", strconv.Itoa(int(node.Nobody.Port())), "ip-address", node.Nobody.Addr().String()},
	} {
		var refused serverError // older servers do not know all of them
		if _, err := l.do(append([]string{"REPLCONF"}, option...)...); err != nil && !errors.As(err, &refused) {
			return at, 0, err
		}
	}
	if err := l.send("PSYNC", "?", "-1"); err != nil {
		return at, 0, err
	}
	answer, err := l.line()
	if err != nil {
		return at, 0, err
	}
	n, _ := fmt.Sscanf(answer, "+FULLRESYNC %40s %d", &at.replid, &at.offset)
	if n != 2 || (Meta{ReplID: at.replid, Divergence: Divergence{To: at.offset}, Kind: RDB}).named() != nil {
		return at, 0, fmt.Errorf("%w: %.40q answers PSYNC", ErrGarbage, answer)
	}
	head, err := l.line()
	if err != nil {
		return at, 0, err
	}
	check := &rdbCheck{to: w, room: room, progress: progress}
	if mark, found := strings.CutPrefix(head, "$EOF:"); found && len(mark) == eofMark {
		err = copyUntil(check, l.in, []byte(mark))
	} else if size, parse := strconv.ParseInt(strings.TrimPrefix(head, "$"), 10, 64); head[0] == '$' && parse == nil && size >= 0 {
		if err = room(size); err == nil {
			_, err = io.CopyN(check, l.in, size)
			err = unexpected(err)
		}
	} else {
		err = fmt.Errorf("%w: %.40q begins a copy", ErrGarbage, head)
	}
	if err == nil {
		err = check.whole()
	}
	return at, check.size, err
}

// copyUntil copies up to the mark, which ends what the server sends.
func copyUntil(w io.Writer, r io.Reader, mark []byte) error {
	buffer := make([]byte, 0, readBuffer)
	for {
		n, err := r.Read(buffer[len(buffer):cap(buffer)])
		buffer = buffer[:len(buffer)+n]
		if bytes.HasSuffix(buffer, mark) {
			_, err := w.Write(buffer[:len(buffer)-len(mark)])
			return err
		}
		if err != nil {
			return unexpected(err)
		}
		if sure := len(buffer) - len(mark); sure > 0 {
			if _, err := w.Write(buffer[:sure]); err != nil {
				return err
			}
			buffer = append(buffer[:0], buffer[sure:]...)
		}
	}
}

// The checksum of an RDB: CRC-64 of Jones, from 0, without a final inversion
// (crc64.c). That of package hash inverts at both ends.
var jones = sync.OnceValue(func() *crc64.Table { return crc64.MakeTable(0x95ac9329ac4bc9b5) })

// rdbCheck passes an RDB on, and sees whether it is whole.
type rdbCheck struct {
	to       io.Writer
	room     func(int64) error
	asked    int64
	progress func(int64)
	size     int64
	magic    []byte
	tail     []byte // the last bytes, at most rdbTail, whose checksum may be yet to come
	crc      uint64 // of all but tail and the opcode
}

func (c *rdbCheck) Write(p []byte) (int, error) {
	n, err := c.to.Write(p)
	p = p[:n]
	c.size += int64(n)
	if err == nil && c.size-c.asked >= askAgain {
		c.asked = c.size
		err = c.room(0)
	}
	if missing := len(valkeyMagic) - len(c.magic); missing > 0 {
		c.magic = append(c.magic, p[:min(missing, len(p))]...)
	}
	c.tail = append(c.tail, p...)
	if sure := len(c.tail) - rdbTail; sure > 0 {
		c.crc = ^crc64.Update(^c.crc, jones(), c.tail[:sure])
		c.tail = append(c.tail[:0], c.tail[sure:]...)
	}
	if c.progress != nil {
		c.progress(c.size)
	}
	return n, err
}

// whole says whether what passed is an RDB from its magic word to its checksum
// (rdb.c, rdbSaveRio). Without rdbchecksum that is 0.
func (c *rdbCheck) whole() error {
	magic := bytes.HasPrefix(c.magic, []byte(redisMagic)) || string(c.magic) == valkeyMagic
	if !magic || len(c.tail) < rdbTail || c.tail[0] != 0xff {
		return errBadRDB
	}
	said := binary.LittleEndian.Uint64(c.tail[1:])
	if sum := ^crc64.Update(^c.crc, jones(), c.tail[:1]); said != 0 && said != sum {
		return fmt.Errorf("%w: its checksum is wrong", errBadRDB)
	}
	return nil
}
