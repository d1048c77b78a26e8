package packaging_test

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"redis-vip/examples/lab/netlab"
)

// hookLoop runs a hook again and again, as keepalived's check does and faster, until
// /tmp/enough is there, and notes each answer in /tmp/hooks. A program that cannot be
// run would be a success for keepalived, so nothing else would tell.
const hookLoop = `while [ ! -e /tmp/enough ]; do "$1" --version || echo FAILED; done >/tmp/hooks 2>&1`

// await waits until a log has a word.
func await(t *testing.T, ctx context.Context, log func() string, word string) {
	t.Helper()
	if err := netlab.Until(ctx, func(context.Context) error {
		if !strings.Contains(log(), word) {
			return errors.New("the loop of hooks has not said " + word)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

// runs expects that each run of a loop has said a version, and both were there.
func runs(t *testing.T, log string) {
	t.Helper()
	count := map[string]int{}
	lines := strings.Split(log, "\n")
	for _, line := range lines[:len(lines)-1] { // the last may not be whole
		_, version, ok := strings.Cut(line, " version ")
		if !ok {
			t.Fatalf("a hook that was run during the upgrade: %q", line)
		}
		count[version]++
	}
	if len(count) != 2 {
		t.Errorf("versions that ran: %v; want the old and the new one", count)
	}
	t.Logf("hooks run during the upgrade: %v", count)
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// sameLines tells whether a text has these lines, in any order.
func sameLines(text string, want ...string) bool {
	lines := strings.Fields(text)
	slices.Sort(lines)
	slices.Sort(want)
	return slices.Equal(lines, want)
}
