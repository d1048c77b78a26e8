package netlab

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// Require skips a test on a machine that cannot run a lab with these programs.
// Where the environment says CI=true it fails instead: there, nothing may be
// skipped without anybody noticing.
func Require(t testing.TB, programs ...string) {
	t.Helper()
	var missing []string
	if os.Geteuid() != 0 {
		missing = append(missing, "root")
	}
	for _, p := range append([]string{"nft"}, programs...) {
		if _, err := exec.LookPath(p); err != nil {
			missing = append(missing, p)
		}
	}
	if missing == nil {
		return
	}
	reason := "the lab needs " + strings.Join(missing, ", ")
	if os.Getenv("CI") == "true" {
		t.Fatal(reason)
	}
	t.Skip(reason)
}
