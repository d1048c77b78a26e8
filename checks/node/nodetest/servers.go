package nodetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The variables that name what tests and the lab run in place of the machine's own.
const (
	ServersVariable    = "REDIS_VIP_SERVERS"
	KeepalivedVariable = "REDIS_VIP_KEEPALIVED"
)

// Servers are the programs that tests and the lab run: the machine's own, or those of
// another version.
type Servers struct {
	// Folder has redis-server and redis-cli, or Valkey's of the same kind, and perhaps
	// the stock redis.conf of that version. Without it, PATH leads to them.
	Folder string

	Keepalived string // the program; without it, PATH leads to it
}

// Given are those that the environment names.
func Given() Servers {
	return Servers{Folder: os.Getenv(ServersVariable), Keepalived: os.Getenv(KeepalivedVariable)}
}

// names are what the same program is called elsewhere. A server is a Sentinel if its
// argv[0] says so.
var names = map[string][]string{
	"redis-server":   {"redis-server", "valkey-server"},
	"redis-sentinel": {"redis-sentinel", "valkey-sentinel", "redis-server", "valkey-server"},
	"redis-cli":      {"redis-cli", "valkey-cli"},
}

// Path is where a program is, by the name that Redis gives it.
func (s Servers) Path(program string) (string, error) {
	switch {
	case program == "keepalived" && s.Keepalived != "":
		return exec.LookPath(s.Keepalived)
	case names[program] == nil || s.Folder == "":
		return exec.LookPath(program)
	}
	for _, name := range names[program] {
		path, err := exec.LookPath(filepath.Join(s.Folder, name))
		if err == nil {
			return filepath.Abs(path)
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
	}
	return "", fmt.Errorf("%s has none of %s", s.Folder, strings.Join(names[program], ", "))
}

// Command is a command of one of these programs, which sees itself as called by the
// name that Redis gives it.
func (s Servers) Command(ctx context.Context, program string, arguments ...string) (*exec.Cmd, error) {
	path, err := s.Path(program)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, path, arguments...)
	cmd.Args[0] = program
	return cmd, nil
}

// Conf is the stock redis.conf of the folder; nil where it has none.
func (s Servers) Conf() ([]byte, error) {
	if s.Folder == "" {
		return nil, nil
	}
	for _, name := range []string{"redis.conf", "valkey.conf"} {
		conf, err := os.ReadFile(filepath.Join(s.Folder, name))
		if !errors.Is(err, fs.ErrNotExist) {
			return conf, err
		}
	}
	return nil, nil
}

// Version is what redis-server or keepalived says of itself on the command line, without
// its name: "7.0.15".
func (s Servers) Version(ctx context.Context, program string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	cmd, err := s.Command(ctx, program, "--version")
	if err != nil {
		return "", err
	}
	said, err := cmd.CombinedOutput() // keepalived says it on standard error
	if err != nil {
		return "", fmt.Errorf("%s --version: %w: %s", cmd.Path, err, bytes.TrimSpace(said))
	}
	// Redis server v=7.0.15 sha=…, Keepalived v2.2.7 (01/16,2022)
	for _, word := range strings.Fields(string(said)) {
		if number, found := strings.CutPrefix(word, "v"); found {
			return strings.TrimPrefix(number, "="), nil
		}
	}
	return "", fmt.Errorf("%s --version says no version: %s", cmd.Path, said)
}

// From7 skips the test where the redis-server is older than 7.0, and lacks something.
func From7(t testing.TB, lacks string) {
	t.Helper()
	if Before7(t) {
		t.Skip("before Redis 7.0: " + lacks)
	}
}

// Before7 tells whether the redis-server that tests run is older than 7.0.
func Before7(t testing.TB) bool {
	t.Helper()
	if Given().Folder == "" {
		return false // Debian's is not
	}
	version, err := Given().Version(t.Context(), "redis-server")
	if err != nil {
		t.Fatal(err)
	}
	return strings.HasPrefix(version, "6.")
}
