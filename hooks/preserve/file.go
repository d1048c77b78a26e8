package preserve

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
	"time"

	"redis-vip/checks/node"
)

// Kind is what a preserved file is.
type Kind string

// The kinds, which are also the extensions.
const (
	Nothing Kind = ""     // no write was at risk, and there is no file
	Suffix  Kind = "resp" // the writes, as commands; redis-cli --pipe takes them too
	RDB     Kind = "rdb"  // all the data
)

// File is a preserved file.
type File struct {
	Path   string `json:"path"`
	Size   int64  `json:"size"`
	Reused bool   `json:"-"` // an earlier run, which did not get further, has saved the same
	Meta
}

// Meta is what is known of a preserved file. It lies beside it, as JSON.
type Meta struct {
	Group      string    `json:"group"`
	When       time.Time `json:"when"` // UTC
	Kind       Kind      `json:"kind"`
	Divergence           // why, and which part of the history
	ReplID     string    `json:"replid"` // of the node that had the writes, as it was when they were read
	Node       Identity  `json:"node"`   // which had the writes
	Winner     Identity  `json:"winner"` // the master that lacked them
	Event      string    `json:"event,omitempty"`
	Why        string    `json:"why,omitempty"` // why all the data had to be saved, and not the writes alone
	Counts               // of a suffix
	Replayed   *Replayed `json:"replayed,omitempty"` // nil: never begun
}

// Identity is which server that was.
type Identity struct {
	Addr      string `json:"addr"`
	RunID     string `json:"run_id"`
	Version   string `json:"version,omitempty"`
	ReplID    string `json:"replid"`
	ReplID2   string `json:"replid2,omitempty"`
	SecondOff int64  `json:"second_offset,omitempty"`
	Offset    int64  `json:"offset"`
	Keys      int64  `json:"keys"`
}

func identity(addr string, f node.Facts) Identity {
	return Identity{addr, f.RunID, f.Version, f.ReplID, f.ReplID2, f.SecondOff, f.Offset, f.Keys}
}

// Replayed is what became of a replay.
type Replayed struct {
	Begun     time.Time  `json:"begun"`
	Ended     time.Time  `json:"ended,omitzero"`
	Target    string     `json:"target"`
	Done      bool       `json:"done"`              // to the end; else it was cut short, and can be taken up
	Applied   int64      `json:"applied"`           // commands, or keys of an RDB
	LeftOut   int64      `json:"left_out,omitzero"` // likewise
	Forced    bool       `json:"forced,omitempty"`  // conflicts were applied too
	Conflicts []Conflict `json:"conflicts,omitempty"`
}

// Name is the file's name in its folder.
func (f File) Name() string { return filepath.Base(f.Path) }

// String says in one sentence what was saved, where, and how to get it back.
func (f File) String() string {
	switch f.Kind {
	case Suffix:
		return fmt.Sprintf("%d writes (%s) that %s lacks are in %s: see redis-vip preserved show %s, redis-vip preserved replay %s",
			f.Writes, size(f.Size), f.Winner.Addr, f.Path, f.Name(), f.Name())
	case RDB:
		return fmt.Sprintf("all data (%d keys, %s), because %s, is in %s: see redis-vip preserved show %s",
			f.Node.Keys, size(f.Size), f.Why, f.Path, f.Name())
	default:
		return fmt.Sprintf("no write to preserve (%s)", f.Reason)
	}
}

const nameTime = "20060102T150405Z"

// fileName is compiled when it is needed: every program starts with this package, and
// a health check never needs it.
var fileName = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^(\d{8}T\d{6}Z)-([0-9a-f]{8})-(\d+)-(\d+)\.(resp|rdb)$`)
})

// fileName is TIME-REPLID-FROM-TO.KIND.
func (m Meta) fileName() string {
	return fmt.Sprintf("%s-%.8s-%d-%d.%s", m.When.UTC().Format(nameTime), m.ReplID, m.From, m.To, m.Kind)
}

// named says whether the file can have its name, and be found by it.
func (m Meta) named() error {
	if name := m.fileName(); !fileName().MatchString(name) {
		return fmt.Errorf("%w: %q would be the name of the file, and is none", ErrGarbage, name)
	}
	return nil
}

func metaOfName(name string) (m Meta, err error) {
	part := fileName().FindStringSubmatch(name)
	if part == nil {
		return m, fmt.Errorf("%s: is not the name of a preserved file: TIME-REPLID-FROM-TO.resp or .rdb", name)
	}
	m.ReplID, m.Kind, m.Reason, m.StartDB = part[2], Kind(part[5]), Unknown, noDB
	var bad [3]error
	m.When, bad[0] = time.Parse(nameTime, part[1])
	m.From, bad[1] = strconv.ParseInt(part[3], 10, 64)
	m.To, bad[2] = strconv.ParseInt(part[4], 10, 64)
	if err := errors.Join(bad[:]...); err != nil {
		return m, fmt.Errorf("%s: is not the name of a preserved file: %w", name, err)
	}
	return m, nil
}

// update changes the sidecar.
func (f *File) update(change func(*Meta)) error {
	root, err := os.OpenRoot(filepath.Dir(f.Path))
	if err != nil {
		return err
	}
	defer root.Close()
	change(&f.Meta)
	return writeSidecar(root, f.Name(), f.Meta)
}
