package spelling

import (
	"strings"
	"testing"
)

func TestNearest(t *testing.T) {
	known := []string{"rise", "fall", "nopreempt", "virtual_router_id", "track_script", "notify_master"}
	for word, want := range map[string]string{
		"raise": "rise", "nopreermpt": "nopreempt", "virtualrouter_id": "virtual_router_id",
		"track_scripts": "track_script", "notify_maser": "notify_master", "fall": "fall",
		"weather": "", "": "", strings.Repeat("rise", 1000): "",
	} {
		if got := Nearest(word, known); got != want {
			t.Errorf("%.20q: %q, want %q", word, got, want)
		}
	}
}

func TestDistance(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"abc", "", 3}, {"", "abc", 3}, {"nods", "nodes", 1}, {"kitten", "sitting", 3}, {"vpis", "vips", 2}} {
		if got := distance(tt.a, tt.b); got != tt.want {
			t.Errorf("%q %q: %d", tt.a, tt.b, got)
		}
	}
}
