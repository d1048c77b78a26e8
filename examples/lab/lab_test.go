package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"redis-vip/examples/lab/ledger"
	"redis-vip/examples/lab/netlab"
	"redis-vip/examples/lab/site"
)

// programs is the folder with our programs, built for the tests.
var programs string

func TestMain(m *testing.M) {
	netlab.Init()
	os.Exit(func() int {
		folder, err := os.MkdirTemp("", "redis-vip-*")
		if err != nil {
			panic(err)
		}
		defer os.RemoveAll(folder)
		build := exec.Command("go", "build", "-trimpath", "-tags", "urfave_cli_no_docs", "-o", folder, "redis-vip/cmd/...", "redis-vip/examples/lab")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		build.Stderr = os.Stderr
		if err := build.Run(); err != nil {
			fmt.Fprintln(os.Stderr, "build the programs:", err)
			return 1
		}
		programs = folder
		return m.Run()
	}())
}

// ledgerDefaults are three writers, 1500 writes a second.
var ledgerDefaults ledger.Config

// limit bounds every wait of a test: far more than needed, so that only a fault
// reaches it.
const limit = 90 * time.Second

type builder = func(context.Context, site.Options) (*site.Site, error)

// start brings an architecture up, whole and writable, in a lab of the test's own.
// Labs run side by side.
func start(t *testing.T, build builder, o site.Options) (context.Context, *site.Site) {
	t.Helper()
	ctx, s := prepare(t, build, o)
	if err := s.Start(ctx); err != nil {
		t.Fatal(err)
	}
	if err := s.WaitReady(ctx); err != nil {
		t.Fatal(err)
	}
	return ctx, s
}

// prepare builds an architecture and starts nothing.
func prepare(t *testing.T, build builder, o site.Options) (context.Context, *site.Site) {
	t.Helper()
	netlab.Require(t, "redis-server", "redis-sentinel", "keepalived")
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	t.Cleanup(cancel)
	o.Programs = programs
	s, err := build(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			var timeline strings.Builder
			for _, e := range s.Journal.All() {
				fmt.Fprintln(&timeline, e)
				if len(e.Fields) > 0 && e.Priority < 7 {
					fmt.Fprintln(&timeline, "   ", e.Fields)
				}
			}
			t.Log(timeline.String())
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return ctx, s
}

// failover makes a fault on the active node under load, and returns what it cost:
// the ledger's report and the acknowledged writes that are gone.
func failover(t *testing.T, ctx context.Context, s *site.Site, fault func(context.Context, *site.Node) error) (ledger.Report, []string) {
	t.Helper()
	active, err := s.Holder()
	if err != nil {
		t.Fatal(err)
	}
	book := s.Ledger(ledger.Config{})
	defer book.Stop()
	if err := book.WaitAcknowledged(ctx, 1000); err != nil {
		t.Fatal(err)
	}
	if err := fault(ctx, active); err != nil {
		t.Fatal(err)
	}
	if err := netlab.Until(ctx, func(context.Context) error {
		holder, err := s.Holder()
		if err == nil && holder == active {
			err = fmt.Errorf("%s still has the VIP", active.Name)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if err := book.WaitAcknowledged(ctx, 1000); err != nil {
		t.Fatal(err)
	}
	book.Stop()
	holder, err := s.Holder()
	if err != nil {
		t.Fatal(err)
	}
	missing, err := book.Missing(ctx, holder.Redis)
	if err != nil {
		t.Fatal(err)
	}
	report := book.Report()
	t.Logf("outage %v, %d acknowledged, %d lost, errors %v", report.Outage.Duration(), report.Acknowledged, len(missing), report.Errors)
	return report, missing
}
