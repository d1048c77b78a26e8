package packaging_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"redis-vip/examples/lab/booted"
	"redis-vip/examples/lab/netlab"
)

// asked names the environment variable that asks for the tests of the packages: they
// build them several times, and install them on hosts that boot.
const asked = "REDIS_VIP_PACKAGES"

// The packages under test, by build; each has a folder of its own.
var (
	packages string // all four, as make packages builds them
	newer    string // a later version, for this machine
)

const newerVersion = "999.0.0"

func TestMain(m *testing.M) {
	netlab.Init()
	os.Exit(func() int {
		if os.Getenv(asked) != "1" {
			return m.Run() // those are skipped
		}
		folder, err := os.MkdirTemp("", "redis-vip-packages-*")
		if err != nil {
			panic(err)
		}
		defer os.RemoveAll(folder)
		packages, newer = filepath.Join(folder, "this"), filepath.Join(folder, "newer")
		ctx, cancel := context.WithTimeout(context.Background(), 8*time.Minute)
		defer cancel()
		began := time.Now()
		if err := errors.Join(
			build(ctx, packages),
			build(ctx, newer, "VERSION="+newerVersion, "ARCHES="+runtime.GOARCH),
		); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		fmt.Printf("packages: %v\n", time.Since(began).Round(time.Millisecond))
		return m.Run()
	}())
}

// build builds packages into a folder.
func build(ctx context.Context, out string, env ...string) error {
	cmd := exec.CommandContext(ctx, "./build", out)
	cmd.Env = append(os.Environ(), env...)
	if said, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build: %w: %s", err, said)
	}
	return nil
}

// require skips a test unless it is asked for.
func require(t *testing.T, programs ...string) {
	t.Helper()
	if os.Getenv(asked) != "1" {
		t.Skipf("tests of the packages are slow: set %s=1, or run make test-packages", asked)
	}
	netlab.Require(t, programs...)
}

// one is the only file of a folder that fits a pattern.
func one(t *testing.T, folder, pattern string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(folder, pattern))
	if err != nil || len(found) != 1 {
		t.Fatalf("%s: %q, %v", pattern, found, err)
	}
	return found[0]
}

// deb and rpm are the packages of a build for this machine.
func deb(t *testing.T, folder string) string { return one(t, folder, "*_"+runtime.GOARCH+".deb") }

func rpm(t *testing.T, folder string) string {
	return one(t, folder, "*."+map[string]string{"amd64": "x86_64", "arm64": "aarch64"}[runtime.GOARCH]+".rpm")
}

// command runs a program that must succeed, and returns what it said.
func command(t *testing.T, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, args[0], args[1:]...).CombinedOutput()
	if err != nil {
		t.Errorf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// output runs a command on a host that must succeed.
func output(t *testing.T, ctx context.Context, h *booted.Host, args ...string) string {
	t.Helper()
	out, err := h.Output(ctx, args...)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(out)
}
