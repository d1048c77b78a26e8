package history

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Whatever lies where the history is, an entry is added to it, and is read again; and the
// file stays within its bounds.
func FuzzHistory(f *testing.F) {
	f.Add([]byte(""))
	f.Add([]byte(`{"at":"2026-11-20T00:00:00Z","program":"a","to":"b","reason":"c","ms":1}` + "\n"))
	f.Add([]byte(`{"at":"2026-11-20T00:00:00Z","prog`))
	f.Add([]byte("\n\n\x00\n{}\nnull\n[]\n"))
	f.Add([]byte(`{"at":"2026-11-21T00:00:00Z","program":"p","to":"t","reason":"r","ms":1e308}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		l := Log{filepath.Join(t.TempDir(), "history")}
		if err := os.WriteFile(l.Path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		before, err := l.Read()
		if err != nil {
			t.Fatal(err)
		}
		e := Entry{At: time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC), Program: "p", To: "t", Reason: "r", Note: string(text)}
		if err := l.Append(e); err != nil {
			if len(text) < 100 {
				t.Errorf("%q: %v", text, err)
			}
			return // a note may take six bytes for each of its own
		}
		after, err := l.Read()
		if err != nil || len(after) != len(before)+1 && (len(after) != len(before) || !e.repeats(text)) {
			t.Errorf("%q: %d entries, then %d, %v", text, len(before), len(after), err)
		}
		for _, path := range []string{l.Path, l.older()} {
			if info, err := os.Stat(path); err == nil && info.Size() > int64(len(text))+longest+1 {
				t.Errorf("%d bytes", info.Size())
			}
		}
	})
}
