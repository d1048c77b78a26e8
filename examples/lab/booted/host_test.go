package booted_test

import (
	"net/netip"
	"strings"
	"testing"

	"redis-vip/examples/lab/booted"
	"redis-vip/examples/lab/netlab"
)

func vip(t *testing.T, text string) netip.Prefix {
	t.Helper()
	p, err := netip.ParsePrefix(text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestFilesAndCommands(t *testing.T) {
	ctx, trio := prepare(t, booted.Options{})
	h := trio.Nodes[0].Host
	content := "a line\n\x00'\"$(false)\n"
	for _, path := range []string{"/run/new folder/file", "/var/lib/file"} {
		if err := h.WriteFile(ctx, netlab.File{Path: path, Content: []byte(content), Mode: 0o640, Owner: "redis", Group: "adm"}); err != nil {
			t.Fatal(err)
		}
		if got, err := h.ReadFile(ctx, path); err != nil || string(got) != content {
			t.Errorf("%s: %q, %v", path, got, err)
		}
		if got := output(t, ctx, h, "stat", "--format=%U %G %a", path); got != "redis adm 640" {
			t.Errorf("%s: %s", path, got)
		}
		if err := h.Remove(ctx, path); err != nil {
			t.Fatal(err)
		}
		if _, err := h.ReadFile(ctx, path); err == nil {
			t.Errorf("%s is still there", path)
		}
	}
	if err := h.AddUser(ctx, "somebody", "/nowhere"); err != nil {
		t.Fatal(err)
	}
	for want, c := range map[string]netlab.Command{
		"root root /":             {},
		"redis redis /tmp":        {User: "redis", Dir: "/tmp"},
		"redis adm /":             {User: "redis", Group: "adm"},
		"somebody somebody / yes": {User: "somebody", Env: []string{"ANSWER=yes"}},
	} {
		c.Args = []string{"sh", "-c", `echo $(id -un) $(id -gn) $(pwd) $ANSWER`}
		status, err := h.Run(ctx, c)
		if got := strings.TrimSpace(string(status.Stdout)); err != nil || got != want {
			t.Errorf("%+v: %q, %v %v %s", c, got, err, status, status.Stderr)
		}
	}
	if status, err := h.Run(ctx, netlab.Command{Args: []string{"sh", "-c", "exit 7"}}); err != nil || status.Code != 7 {
		t.Errorf("exit code 7: %v, %v", status, err)
	}
}
