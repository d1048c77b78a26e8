package booted_test

import (
	"context"
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

// deb is our package, built for the tests.
var deb string

func TestMain(m *testing.M) {
	netlab.Init()
	if os.Getenv(doomed) != "" {
		fmt.Fprintln(os.Stderr, runDoomed())
		os.Exit(1)
	}
	os.Exit(func() int {
		if os.Getenv(booted.Variable) != "1" {
			return m.Run() // all are skipped
		}
		folder, err := os.MkdirTemp("", "redis-vip-*")
		if err != nil {
			panic(err)
		}
		defer os.RemoveAll(folder)
		build := exec.Command("../../../packaging/build", folder)
		build.Env = append(os.Environ(), "FORMATS=deb", "ARCHES="+runtime.GOARCH)
		if said, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "build the package: %v: %s\n", err, said)
			return 1
		}
		found, err := filepath.Glob(filepath.Join(folder, "*.deb"))
		if err != nil || len(found) != 1 {
			panic(fmt.Sprint(found, err))
		}
		deb = found[0]
		// Once, so that no test waits for it.
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
		defer cancel()
		began := time.Now()
		if _, err := booted.Root(ctx); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		fmt.Printf("root file system: %v\n", time.Since(began).Round(time.Millisecond))
		return m.Run()
	}())
}

// limit bounds every wait of a test: far more than needed, so that only a fault
// reaches it.
const limit = 2 * time.Minute

// bootLimit is for three hosts, on a machine that is busy with other tests.
const bootLimit = 20 * time.Second

// start brings a trio up, whole and writable.
func start(t *testing.T, o booted.Options) (context.Context, *booted.Trio) {
	t.Helper()
	return startWith(t, booted.NewTrio, o)
}

type builder = func(context.Context, booted.Options) (*booted.Trio, error)

func startWith(t *testing.T, build builder, o booted.Options) (context.Context, *booted.Trio) {
	t.Helper()
	ctx, trio := prepareWith(t, build, o)
	if err := trio.Start(ctx); err != nil {
		t.Fatal(err)
	}
	if err := trio.WaitReady(ctx); err != nil {
		t.Fatal(err)
	}
	return ctx, trio
}

// prepare boots a trio and starts nothing.
func prepare(t *testing.T, o booted.Options) (context.Context, *booted.Trio) {
	t.Helper()
	return prepareWith(t, booted.NewTrio, o)
}

func prepareWith(t *testing.T, build builder, o booted.Options) (context.Context, *booted.Trio) {
	t.Helper()
	t.Parallel()
	booted.Require(t)
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	t.Cleanup(cancel)
	o.Package = deb
	began := time.Now()
	trio, err := build(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	took := time.Since(began)
	hosts := len(trio.Booted)
	t.Logf("%d hosts booted and installed in %v", hosts, took.Round(time.Millisecond))
	if took > bootLimit*time.Duration(hosts)/3 {
		t.Errorf("%d hosts took %v to boot", hosts, took)
	}
	t.Cleanup(func() {
		if t.Failed() {
			var timeline strings.Builder
			for _, e := range trio.Journal.All() {
				fmt.Fprintln(&timeline, e)
			}
			t.Log(timeline.String())
		}
		if err := trio.Close(); err != nil {
			t.Error(err)
		}
	})
	return ctx, trio
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
