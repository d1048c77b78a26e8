// Package history remembers the last transitions of a group on this host: what a
// check thought better of, and what a hook did. It is for an operator who comes
// later, also where there is no journal.
//
// A history is two files of JSON lines in the state folder: GROUP.history, and
// GROUP.history.1, which was that before it was full. Programs of several users
// write them at the same time.
package history

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// Entry is one transition.
type Entry struct {
	At        time.Time `json:"at"` // when it ended
	Program   string    `json:"program"`
	Event     string    `json:"event,omitempty"` // what it was called with
	VIP       string    `json:"vip,omitempty"`   // here or absent
	From      string    `json:"from,omitempty"`  // empty: not known
	To        string    `json:"to"`
	Reason    string    `json:"reason"`
	Outcome   string    `json:"outcome,omitempty"` // of a hook
	MS        float64   `json:"ms"`
	Preserved []string  `json:"preserved,omitempty"` // files
	Note      string    `json:"note,omitempty"`      // what went wrong, or what was seen
}

// Log is the history of one group.
type Log struct{ Path string }

// The bounds of a history.
const (
	full     = 128 << 10 // bytes, of each of the two files
	longest  = 4 << 10   // bytes of one line
	noteSize = 300       // bytes

	// A run that comes to the same as the last one is left out for this long: a hook
	// that fails once a second must not push out what happened before.
	same = 10 * time.Minute

	// patience is how long Append waits for another writer.
	patience = 200 * time.Millisecond
	poll     = 2 * time.Millisecond

	// giveAway is how long root takes, at the most, to give a new file to its owner.
	giveAway = 10 * time.Millisecond
)

func (l Log) older() string { return l.Path + ".1" }

// Append adds an entry. It waits for the disk, and for other writers no longer than
// 200 ms. What it finds in the file does not matter to it, whole or broken.
func (l Log) Append(e Entry) error {
	if len(e.Note) > noteSize {
		e.Note = e.Note[:noteSize] + "…"
	}
	line, err := json.Marshal(e)
	if err != nil {
		return err
	}
	if len(line) > longest {
		return fmt.Errorf("%s: an entry of %d bytes is none", l.Path, len(line))
	}
	file, err := l.open()
	if err != nil {
		return err
	}
	defer file.Close()
	size, err := file.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	last := tail(file, size)
	if e.repeats(last) {
		return nil
	}
	text := append(line, '\n')
	if len(last) > 0 && last[len(last)-1] != '\n' {
		text = append([]byte{'\n'}, text...) // a writer was cut short: that line is lost, this one is not
	}
	if _, err := file.Write(text); err != nil {
		return err
	}
	if size+int64(len(text)) >= full {
		return os.Rename(l.Path, l.older()) // whoever waits for the lock sees that, and opens anew
	}
	return nil
}

// repeats says whether the last line of the file says the same as e, just now.
func (e Entry) repeats(text []byte) bool {
	var last Entry
	lines := bytes.Split(bytes.TrimSuffix(text, []byte("\n")), []byte("\n"))
	if json.Unmarshal(lines[len(lines)-1], &last) != nil {
		return false
	}
	age := e.At.Sub(last.At)
	return age >= 0 && age < same && len(e.Preserved) == 0 && len(last.Preserved) == 0 &&
		e.Program == last.Program && e.Event == last.Event && e.VIP == last.VIP && e.From == last.From && e.To == last.To &&
		e.Reason == last.Reason && e.Outcome == last.Outcome
}

// tail is the end of the file, the last line at least.
func tail(file *os.File, size int64) []byte {
	from := max(size-longest-1, 0)
	text, _ := io.ReadAll(io.NewSectionReader(file, from, size-from))
	return text
}

// open opens the file, locked, and makes it if it is not there.
func (l Log) open() (*os.File, error) {
	for start := time.Now(); ; time.Sleep(poll) {
		file, err := l.try()
		waited := time.Since(start)
		switch {
		case err == nil:
			return file, nil
		case (errors.Is(err, unix.EWOULDBLOCK) || errors.Is(err, errMoved)) && waited < patience:
		case errors.Is(err, fs.ErrPermission) && waited < giveAway && exists(l.Path):
		default:
			return nil, err
		}
	}
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

var errMoved = errors.New("another run has just put it aside")

func (l Log) try() (*os.File, error) {
	const flags = os.O_RDWR | os.O_APPEND | unix.O_NOFOLLOW | unix.O_NONBLOCK
	file, err := os.OpenFile(l.Path, flags, 0)
	if errors.Is(err, fs.ErrNotExist) {
		file, err = os.OpenFile(l.Path, flags|os.O_CREATE|os.O_EXCL, 0o640)
		if errors.Is(err, fs.ErrExist) {
			return nil, errMoved
		}
		if err == nil {
			err = adopt(file)
		}
	}
	if err == nil {
		err = l.claim(file)
	}
	if err != nil {
		if file != nil {
			file.Close()
		}
		return nil, err
	}
	return file, nil
}

// adopt gives a file that is new its mode, which keepalived's umask has cut, and to
// the owner of the folder, so that root's runs and keepalived's write the same one.
func adopt(file *os.File) error {
	err := file.Chmod(0o640)
	var folder unix.Stat_t
	if os.Geteuid() == 0 && unix.Stat(filepath.Dir(file.Name()), &folder) == nil {
		err = errors.Join(err, file.Chown(int(folder.Uid), int(folder.Gid)))
	}
	return err
}

// claim locks the file, if it is the one of that name and a plain one.
func (l Log) claim(file *os.File) error {
	if err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return fmt.Errorf("%s: another run writes it: %w", l.Path, err)
	}
	opened, err := file.Stat()
	if err != nil {
		return err
	}
	if !opened.Mode().IsRegular() {
		return fmt.Errorf("%s is no plain file", l.Path)
	}
	named, err := os.Lstat(l.Path)
	if err != nil || !os.SameFile(opened, named) {
		return fmt.Errorf("%s: %w", l.Path, errMoved)
	}
	return nil
}

// Read gives all entries, the newest last. Lines that are none are passed over; a
// history that was never written is empty.
func (l Log) Read() (entries []Entry, err error) {
	for _, path := range []string{l.older(), l.Path} {
		text, err := read(path)
		if err != nil {
			return nil, err
		}
		for line := range bytes.Lines(text) {
			var e Entry
			if json.Unmarshal(line, &e) == nil && !e.At.IsZero() {
				entries = append(entries, e)
			}
		}
	}
	slices.SortStableFunc(entries, func(a, b Entry) int { return a.At.Compare(b.At) })
	return entries, nil
}

func read(path string) ([]byte, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, errors.Join(err, fmt.Errorf("%s is no plain file", path))
	}
	return io.ReadAll(io.LimitReader(file, full+2*longest))
}
