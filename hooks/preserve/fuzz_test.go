package preserve

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"redis-vip/checks/node"
)

// said is a connection on which a server has said all that it will say.
type said struct{ io.Reader }

func (said) Write(p []byte) (int, error)      { return len(p), nil }
func (said) Close() error                     { return nil }
func (said) LocalAddr() net.Addr              { return nil }
func (said) RemoteAddr() net.Addr             { return nil }
func (said) SetDeadline(time.Time) error      { return nil }
func (said) SetReadDeadline(time.Time) error  { return nil }
func (said) SetWriteDeadline(time.Time) error { return nil }

func linkTo(t *testing.T, text []byte) *link {
	l := &link{Conn: said{bytes.NewReader(text)}, stall: time.Second, ctx: t.Context(), stop: func() bool { return true }}
	l.in = bufio.NewReaderSize(l, readBuffer)
	return l
}

const (
	anRDB      = "REDIS0011\xfa\tredis-ver\x067.0.15\xff\x00\x00\x00\x00\x00\x00\x00\x00"
	aValkeyRDB = "VALKEY080\xfa\nvalkey-ver\x059.1.2\xff\x00\x00\x00\x00\x00\x00\x00\x00"
)

var aReplID = strings.Repeat("0123456789", 4)

// Whatever a server says to a replica, what is taken is bounded by what came; a copy
// that is taken is an RDB, and can be kept under a name; and no error has in it what a
// terminal obeys.
func FuzzLink(f *testing.F) {
	ok := strings.Repeat("+OK\r\n", 4)
	for _, seed := range []string{
		ok + "+FULLRESYNC " + aReplID + " 77\r\n$" + fmt.Sprint(len(anRDB)) + "\r\n" + anRDB,
		ok + "+FULLRESYNC " + aReplID + " 77\r\n$" + fmt.Sprint(len(aValkeyRDB)) + "\r\n" + aValkeyRDB,
		ok + "\n\n+FULLRESYNC " + aReplID + " 77\r\n\n$EOF:" + strings.Repeat("e", 40) + "\r\n" + anRDB + strings.Repeat("e", 40),
		ok + "+FULLRESYNC ../../../../../etc/passwd -5\r\n$" + fmt.Sprint(len(anRDB)) + "\r\n" + anRDB, ok + "+FULLRESYNC a 1\r\n$9223372036854775807\r\nREDIS", "-ERR \x1b[2J\r\n", "\n",
		"+OK\r\n+CONTINUE\r\n", "-NOMASTERLINK\r\n", "$-1\r\n", "$99999\r\n", "$40\r\nrepl_backlog_size:1\r\nrepl_backlog_histlen:0\r\n$10\r\ndb0:keys=1\r\n", "*1\r\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		fit := func(err error) {
			if err != nil && strings.ContainsFunc(err.Error(), func(r rune) bool { return !unicode.IsPrint(r) }) {
				t.Errorf("%q", err)
			}
		}
		var copied bytes.Buffer
		at, size, err := fullCopy(linkTo(t, text), &copied, func(int64) error { return nil }, nil)
		fit(err)
		if err == nil && (size != int64(copied.Len()) || !bytes.HasPrefix(copied.Bytes(), []byte("REDIS")) && !bytes.HasPrefix(copied.Bytes(), []byte("VALKEY")) || copied.Len() > len(text)) {
			t.Errorf("%q was copied as %q, of %d bytes", text, copied.Bytes(), size)
		}
		if m := (Meta{ReplID: at.replid, Divergence: Divergence{To: at.offset}, Kind: RDB}); err == nil && m.named() != nil {
			t.Errorf("%+v: %v", at, m.named())
		}
		b, err := linkTo(t, text).readBacklog()
		fit(err)
		if len(b.databases) > len(text) {
			t.Errorf("%+v", b)
		}
		fit(linkTo(t, text).partial(aReplID, 1))
	})
}

// What is kept of a stream is a stream of which the same is kept, and what a replay
// reads of it are just the writes that were counted.
func FuzzSuffix(f *testing.F) {
	sel, set := "*2\r\n$6\r\nSELECT\r\n$1\r\n3\r\n", "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\nb\r\n"
	for _, seed := range []string{
		sel + set, set, "*1\r\n$5\r\nMULTI\r\n" + set + set + "*1\r\n$4\r\nEXEC\r\n", "*1\r\n$4\r\nEXEC\r\n" + set, "*1\r\n$4\r\nPING\r\n" + sel + "*3\r\n$8\r\nREPLCONF\r\n$6\r\nGETACK\r\n$1\r\n*\r\n",
		"*2\r\n$6\r\nSELECT\r\n$2\r\n-1\r\n", "*1\r\n$6\r\nSELECT\r\n", "*2\r\n$6\r\nselect\r\n$1\r\n5\r\n" + set, "*1\r\n$0\r\n\r\n", "*1\r\n$4\r\n\x1b[2J\r\n", "*2\r\n$6\r\nSELECT\r\n$99\r\n" + strings.Repeat("9", 99) + "\r\n",
	} {
		f.Add(seed, 0)
		f.Add(sel+seed, noDB)
	}
	f.Fuzz(func(t *testing.T, stream string, db int) {
		kept, counts, err := keepOf(stream, max(db, noDB))
		if err != nil {
			return
		}
		again, same, err := keepOf(kept, noDB)
		if err != nil || again != kept || same.Writes != counts.Writes {
			t.Fatalf("%q is kept as %q, and that as %q: %v", stream, kept, again, err)
		}
		file := File{Path: filepath.Join(t.TempDir(), "kept"), Size: int64(len(kept)), Meta: Meta{Kind: Suffix}}
		if err := os.WriteFile(file.Path, []byte(kept), 0o600); err != nil {
			t.Fatal(err)
		}
		lines := int64(0)
		s, err := file.Show(t.Context(), nil, func(l Line) error {
			lines++
			if l.DB < 0 || strings.ContainsFunc(l.Command, func(r rune) bool { return !unicode.IsPrint(r) }) || len(l.Command) > 6000 {
				t.Errorf("%+v", l)
			}
			return nil
		})
		for name := range s.Commands {
			if strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }) {
				t.Errorf("%q", name)
			}
		}
		// What a transaction holds that is not complete, or is empty, is not shown.
		if counts.Transactions == 0 && (err != nil || lines != counts.Writes || s.Writes != lines) || s.Writes > counts.Writes {
			t.Errorf("%q: counted %d writes, shown %d: %v", kept, counts.Writes, s.Writes, err)
		}
	})
}

// keepOf is what is preserved of a stream that begins in db.
func keepOf(stream string, db int) (string, Counts, error) {
	var kept bytes.Buffer
	c := copier{out: &kept, db: db, only: noDB}
	r := NewReader(strings.NewReader(stream), int64(len(stream)))
	for {
		err := r.Copy(c.sink)
		switch {
		case c.err != nil:
			return "", c.Counts, c.err
		case err == io.EOF:
			return kept.String(), c.Counts, nil
		case err != nil:
			return "", c.Counts, err
		}
	}
}

// Whatever lies in the folder, it is read as a preserved file or refused by its name;
// what was read can be written down, and is then read as the same.
func FuzzOpen(f *testing.F) {
	name := "20261120T000102Z-01234567-5-18.resp"
	whole, err := json.Marshal(Meta{
		Group: "g", When: time.Date(2026, 11, 20, 1, 2, 3, 0, time.UTC), Kind: Suffix, ReplID: aReplID, Event: "e", Divergence: Divergence{Deposed, aReplID, 5, 18},
		Node: identity("10.0.0.1:6379", node.Facts{RunID: "a"}), Counts: Counts{Writes: 1, Commands: map[string]int64{"SET": 1}, Databases: []int{0}},
		Replayed: &Replayed{Target: "t", Done: true, Conflicts: []Conflict{{Key: Key{0, "a"}, Cause: Changed}}},
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(name, whole, []byte("*1\r\n$4\r\nPING\r\n"))
	f.Add(name, []byte(`{"kind":"rdb"}`), []byte("*1\r\n"))
	f.Add(name, []byte(`{"kind":"resp","winner":{"addr":"\u001b[2J"}}`), []byte(""))
	f.Add(name, []byte(`{"kind":"resp","reason":"x","when":"0001-01-01T00:00:00+99:99"}`), []byte(""))
	f.Add(strings.Replace(name, ".resp", ".rdb", 1), []byte(`{"kind":"rdb"}`), []byte(anRDB))
	f.Add(strings.Replace(name, ".resp", ".rdb", 1), []byte(`{"kind":"rdb"}`), []byte("REDIS7"))
	f.Add("99999999T999999Z-01234567-5-99999999999999999999.resp", []byte(``), []byte(""))
	f.Fuzz(func(t *testing.T, name string, text, content []byte) {
		if name != filepath.Base(name) || len(name) > 200 || strings.Contains(name, "\x00") {
			return
		}
		path := filepath.Join(t.TempDir(), name)
		if os.WriteFile(path, content, 0o600) != nil || os.WriteFile(path+sidecar, text, 0o600) != nil {
			return
		}
		file, err := Open(path)
		if err != nil {
			if !strings.Contains(err.Error(), name) {
				t.Errorf("%v does not name %s", err, name)
			}
			return
		}
		if file.Size != int64(len(content)) || "."+string(file.Kind) != filepath.Ext(name) {
			t.Errorf("%+v", file)
		}
		if shown := file.String(); strings.ContainsFunc(shown, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("%q", shown)
		}
		if s, err := file.Show(t.Context(), nil, nil); err == nil && s.RDB != nil && len(s.RDB.Aux) > len(content) {
			t.Errorf("%+v", s.RDB)
		}
		if err := file.update(func(*Meta) {}); err != nil {
			return // a time of day beyond year 9999 has no JSON
		}
		if again, err := Open(path); err != nil || written(t, again) != written(t, file) {
			t.Errorf("%s\nis read again as\n%s: %v", written(t, file), written(t, again), err)
		}
	})
}

func written(t *testing.T, f File) string {
	text, err := json.Marshal(f.Meta)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Wherever a server says that the keys are, they are words of the command, each once.
func FuzzPlaces(f *testing.F) {
	f.Add(1, 1, 1, 3)
	f.Add(1, -1, 2, 7)
	f.Add(1, 1<<63-1, 1<<63-1, 3)
	f.Add(1, -1<<63, -1, 3)
	f.Fuzz(func(t *testing.T, first, last, step, words int) {
		words = max(words, 1) % 10_000
		places := slices.Collect(keySpec{true, max(first, 1), last, step}.places(words))
		if !slices.IsSorted(places) || len(slices.Compact(places)) != len(places) || len(places) > 0 && (places[0] < 1 || places[len(places)-1] >= words) {
			t.Errorf("%d %d %d of %d: %v", first, last, step, words, places)
		}
	})
}

// A command, and a transaction, take no more memory than Redis grants a client.
func TestReaderIsBounded(t *testing.T) {
	text := "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$100\r\n" + strings.Repeat("x", 100) + "\r\n"
	r := NewReader(strings.NewReader(text), 1<<40)
	if r.most = 3 + 1 + 100 + 3*perArg; r.most < 0 {
		t.Fatal(r.most)
	}
	if _, err := r.Read(); err != nil {
		t.Error(err)
	}
	r = NewReader(strings.NewReader(text), 1<<40)
	r.most = 3 + 1 + 100 + 3*perArg - 1
	if _, err := r.Read(); !errors.Is(err, errTooLong) {
		t.Error(err)
	}
	a := assembler{open: &unit{}, size: maxUnit - 20 - 2*perArg}
	long := [][]byte{[]byte("DEL"), bytes.Repeat([]byte("x"), 17)}
	if _, _, err := a.add(long); err != nil {
		t.Error(err)
	}
	if _, _, err := a.add(long); !errors.Is(err, errTooLong) {
		t.Error(err)
	}
}
