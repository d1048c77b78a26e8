package survey_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"redis-vip/checks"
	"redis-vip/checks/survey"
)

// Whatever lies where a node remembers, it is a memory or none; what it is taken for can
// be written down, and is then read as the same.
func FuzzRecall(f *testing.F) {
	whole, err := json.Marshal(checks.Memory{Role: 2, ReplID: "a", Offset: 1, Keys: 2, Online: true, Missing: checks.Sighting{Since: time.Unix(1, 0), Last: time.Unix(2, 0)}, Missed: time.Unix(2, 3), At: time.Unix(1_800_000_000, 0)})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add(whole[:len(whole)/2])
	f.Add([]byte(`{"role":"emperor"}`))
	f.Add([]byte(`{"role":"master","keys":-1,"at":"9999-12-31T23:59:59+23:59"}`))
	f.Add([]byte(`[[[[[[`))
	f.Fuzz(func(t *testing.T, text []byte) {
		path := filepath.Join(t.TempDir(), "memory")
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		first := survey.Recall(path)
		if err := survey.Note(path, first); err != nil {
			return // a year that JSON has no form for
		}
		second := survey.Recall(path)
		a, _ := json.Marshal(first)
		b, _ := json.Marshal(second)
		if string(a) != string(b) {
			t.Errorf("%s is written, and %s is read", a, b)
		}
	})
}
