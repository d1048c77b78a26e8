package preserve

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"

	"redis-vip/checks/node"
)

var (
	errTooShort   = errors.New("the backlog does not reach back that far (repl-backlog-size)")
	errBoundary   = errors.New("no command begins at the offset asked for")
	errNoDatabase = errors.New("it cannot be known in which database the writes were made")
)

// What is counted one by one. Redis has some 400 commands, and 16 databases unless it
// is told otherwise.
const (
	maxNames     = 1000
	otherNames   = "others"
	maxDatabases = 1 << 14
)

// Counts is what a preserved history holds.
type Counts struct {
	Writes       int64            `json:"writes"` // commands, without SELECT, MULTI and EXEC
	Transactions int64            `json:"transactions,omitempty"`
	Commands     map[string]int64 `json:"commands,omitempty"`   // how many of each name
	Databases    []int            `json:"databases,omitempty"`  // in the order in which they came
	StartDB      int              `json:"start_db"`             // the one in use at the first byte; -1: not known, and not needed
	AssumedDB    bool             `json:"assumed_db,omitempty"` // no SELECT was left: it is the only database with keys
}

// suffix reads the part of a node's history that d names, and writes it to w as
// commands that begin with a SELECT.
func suffix(l *link, a node.Facts, b backlog, start beginning, d Divergence, w io.Writer) (Counts, error) {
	if err := l.partial(a.ReplID, start.at); err != nil {
		return Counts{}, err
	}
	stream := NewReader(l.in, d.To-start.at+1)
	db, err := start.database(stream, d.From-start.at)
	if err != nil {
		return Counts{}, err
	}
	c := copier{out: w, db: db, only: noDB}
	c.StartDB = db
	switch {
	case db == noDB && len(b.databases) == 1:
		c.only = b.databases[0]
	case db != noDB && !start.exact && !slices.Contains(b.databases, db):
		c.db = noDB // what looked like a SELECT may have been part of a value that began before the window
	}
	for err == nil {
		err = stream.Copy(c.sink)
		if c.err != nil {
			return c.Counts, c.err
		}
	}
	if err != io.EOF {
		return c.Counts, err
	}
	return c.Counts, nil
}

// beginning is where to begin reading.
type beginning struct {
	at    int64 // an offset
	exact bool  // a command begins there
}

// beginnings are the places from which to read, the best first, so that the
// database is known at the offset from: the stream has a SELECT only where it
// changes. There are none if the backlog does not reach that far.
func beginnings(a node.Facts, b backlog, from int64) (list []beginning) {
	if from <= 0 || b.first <= 0 || b.first > from {
		return nil
	}
	switch {
	case a.SecondOff >= b.first && a.SecondOff <= from:
		// A promoted node begins its own history with a SELECT (replicationUnsetMaster).
		list = append(list, beginning{a.SecondOff, true})
	case b.untouched:
		list = append(list, beginning{b.first, true})
	}
	return append(list, beginning{max(b.first, from-selectWindow), false})
}

const noDB = -1

// database reads the stream up to offset, and says in which database it is there.
func (s beginning) database(stream *Reader, offset int64) (db int, err error) {
	db = noDB
	if !s.exact {
		window, err := stream.take(offset)
		if err != nil {
			return noDB, err
		}
		if n, found := lastSelect(window); found {
			db = n
		}
		return db, nil
	}
	for stream.Offset() < offset {
		err := stream.Copy(func(h Head) io.Writer {
			if n, ok := h.selects(); ok {
				db = n
			}
			return io.Discard
		})
		if err != nil {
			return noDB, errors.Join(errBoundary, err)
		}
	}
	if stream.Offset() != offset {
		return noDB, errBoundary
	}
	return db, nil
}

func (h Head) selects() (int, bool) {
	if h.Name != "SELECT" || h.Args != 1 {
		return 0, false
	}
	n, err := strconv.Atoi(h.First)
	return n, err == nil && n >= 0
}

// copier keeps the commands that are writes, and counts them.
type copier struct {
	Counts
	out     io.Writer
	db      int // the database at hand, or noDB
	only    int // the only database with keys, or noDB
	written bool
	err     error
}

func (c *copier) sink(h Head) io.Writer {
	switch h.Name {
	case "PING", "REPLCONF": // the master's talk to its replicas
		return io.Discard
	case "SELECT":
		if db, ok := h.selects(); ok {
			c.db, c.written = db, false
			return io.Discard
		}
		c.err = fmt.Errorf("%w: SELECT %q", ErrGarbage, h.First)
		return io.Discard
	}
	if c.enter(); c.err != nil {
		return io.Discard
	}
	switch h.Name {
	case "MULTI":
		c.Transactions++
	case "EXEC":
	default:
		c.Writes++
		if c.Commands == nil {
			c.Commands = make(map[string]int64)
		}
		if _, known := c.Commands[h.Name]; !known && len(c.Commands) == maxNames {
			h.Name = otherNames
		}
		c.Commands[h.Name]++
	}
	return c.out
}

// enter writes the SELECT that is due.
func (c *copier) enter() {
	if c.written {
		return
	}
	if c.db == noDB {
		c.db, c.StartDB, c.AssumedDB = c.only, c.only, true
	}
	if c.db == noDB {
		c.err = errNoDatabase
		return
	}
	if !slices.Contains(c.Databases, c.db) {
		if len(c.Databases) == maxDatabases {
			c.err = fmt.Errorf("%w: writes in more than %d databases", ErrGarbage, maxDatabases)
			return
		}
		c.Databases = append(c.Databases, c.db)
	}
	c.written = true
	_, c.err = c.out.Write(appendCommand(nil, "SELECT", strconv.Itoa(c.db)))
}
