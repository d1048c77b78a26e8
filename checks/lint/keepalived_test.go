package lint

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"redis-vip/checks/node/nodetest"
)

var unknownLine = regexp.MustCompile(`Line (\d+)\) Unknown keyword '([^']*)'`)

// said is what keepalived -t says are unknown keywords: "23 nopreermpt". It runs in a
// network of its own.
func said(t *testing.T, path string) map[string]bool {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	cmd, err := nodetest.Given().Command(ctx, "keepalived", "-t", "-i", "redis1", "-f", path)
	must(t, err)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	// 2.2.7 ends with SIGTERM to itself for files that are good, and its own codes for
	// others: only its words count.
	if err := cmd.Run(); err != nil && ctx.Err() != nil {
		t.Fatal(ctx.Err())
	}
	list := map[string]bool{}
	for _, m := range unknownLine.FindAllStringSubmatch(out.String(), -1) {
		list[m[1]+" "+m[2]] = true
	}
	return list
}

// What we call an unknown keyword, keepalived calls so too; and where we see none,
// neither does keepalived.
func TestKeepalivedAgrees(t *testing.T) {
	nodetest.Root(t)
	nodetest.Require(t, "keepalived")
	compared := 0
	for _, path := range corpora(t) {
		c := readCorpus(t, path)
		text, has := c.files[places["keepalived.conf"]]
		if !has || strings.Contains(path, "include") {
			continue
		}
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			copied := filepath.Join(t.TempDir(), "keepalived.conf")
			if err := os.WriteFile(copied, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			theirs, ours := said(t, copied), 0
			for _, hit := range unknownKeywords(c.host(t, "redis1")) {
				ours++
				compared++
				if key := fmt.Sprintf("%d %s", hit.at.Line, hit.words[0]); !theirs[key] {
					t.Errorf("keepalived does not say %q, but %v", key, theirs)
				}
			}
			if ours == 0 && len(theirs) > 0 && !strings.HasPrefix(filepath.Base(path), "brace") {
				t.Errorf("keepalived does not know %v", theirs)
			}
		})
	}
	if compared < 10 {
		t.Errorf("only %d keywords were compared", compared)
	}
}
