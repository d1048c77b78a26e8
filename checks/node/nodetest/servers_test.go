package nodetest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// folder makes a folder of programs, each of which is another one by that name.
func folder(t *testing.T, programs map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, program := range programs {
		path, err := exec.LookPath(program)
		if err != nil {
			Skip(t, "needs %s", program)
		}
		if err := os.Symlink(path, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// Programs are found by Redis's names or by Valkey's, and each is what it was called for.
func TestServers(t *testing.T) {
	dir := folder(t, map[string]string{"valkey-server": "redis-server", "valkey-cli": "redis-cli"})
	t.Setenv(ServersVariable, dir)
	for program, want := range map[string]string{"redis-server": "valkey-server", "redis-sentinel": "valkey-server", "redis-cli": "valkey-cli"} {
		if path, err := Given().Path(program); err != nil || path != filepath.Join(dir, want) {
			t.Errorf("%s: %s, %v", program, path, err)
		}
	}
	if role := Redis(t).Do("ROLE").([]any)[0]; role != "master" {
		t.Errorf("a server is a %v", role)
	}
	if role := Sentinel(t).Do("ROLE").([]any)[0]; role != "sentinel" {
		t.Errorf("a Sentinel is a %v", role)
	}
	if version, err := Given().Version(t.Context(), "redis-server"); err != nil || !strings.Contains(version, ".") {
		t.Errorf("%q, %v", version, err)
	}
	if _, err := (Servers{Folder: t.TempDir()}).Path("redis-server"); err == nil || !strings.Contains(err.Error(), "valkey-server") {
		t.Errorf("an empty folder: %v", err)
	}
	if path, err := (Servers{Keepalived: "/no/such"}).Path("keepalived"); err == nil {
		t.Errorf("no keepalived: %s", path)
	}
	if path, err := Given().Path("sh"); err != nil || path == "" { // what the folder is not about
		t.Errorf("%s, %v", path, err)
	}
}
