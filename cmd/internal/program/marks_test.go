package program

import (
	"os"
	"path/filepath"
	"testing"

	"redis-vip/checks/clock"
)

// A stamp is a moment since the boot, whatever is in its file. One that lies ahead would
// be a lease that this node has for years.
func FuzzStamp(f *testing.F) {
	for _, seed := range []string{"", "0", "-1", "1\n", "9223372036854775807", "-9223372036854775808", "1e3", "\x00"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		s := stamp{filepath.Join(t.TempDir(), "stamp")}
		if err := os.WriteFile(s.path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		at, known := s.Get()
		if known && (at < 0 || at > clock.Wall{}.Boot()) {
			t.Errorf("%q: %v", text, at)
		}
		if ago := (moment{s}).Ago(); ago < 0 || ago > (clock.Wall{}).Boot() {
			t.Errorf("%q was %v ago", text, ago)
		}
	})
}
