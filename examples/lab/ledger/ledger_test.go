package ledger_test

import (
	"context"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"redis-vip/examples/lab/client"
	"redis-vip/examples/lab/ledger"
	"redis-vip/examples/lab/netlab"
)

func TestMain(m *testing.M) {
	netlab.Init()
	os.Exit(m.Run())
}

const address = "10.0.0.1:6379"

// server runs a Redis on a host of its own.
func server(t *testing.T) (context.Context, *netlab.Host, *netlab.Process, *redis.Client) {
	t.Helper()
	t.Parallel()
	netlab.Require(t, "redis-server")
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	lab, err := netlab.New(ctx, netlab.Plan{Name: "redis", Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.0.1/24")}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { lab.Close() })
	h := lab.Host("redis")
	p, err := h.Start(ctx, netlab.Command{Args: []string{"redis-server", "--protected-mode", "no", "--save", ""}, Dir: "/tmp"})
	if err != nil {
		t.Fatal(err)
	}
	c := client.New(address, h.DialContext, time.Second, 0)
	t.Cleanup(func() { c.Close() })
	if err := netlab.Until(ctx, func(ctx context.Context) error { return c.Ping(ctx).Err() }); err != nil {
		t.Fatal(err)
	}
	return ctx, h, p, c
}

func open(t *testing.T, h *netlab.Host, c ledger.Config) *ledger.Ledger {
	c.Address, c.Dial = address, h.DialContext
	l := ledger.Open(c)
	t.Cleanup(l.Stop)
	return l
}

// patience is longer than a busy machine stands still: then no fault was made.
const patience = 5 * time.Second

// A ledger that cannot find a loss proves nothing.
func TestLedgerFindsExactlyWhatIsLost(t *testing.T) {
	ctx, h, _, c := server(t)
	l := open(t, h, ledger.Config{Timeout: patience, Gap: patience})
	if err := l.WaitAcknowledged(ctx, 2500); err != nil {
		t.Fatal(err)
	}
	l.Stop()

	report := l.Report()
	if size := c.DBSize(ctx).Val(); int64(report.Acknowledged) != size {
		t.Errorf("%d acknowledged, %d keys", report.Acknowledged, size)
	}
	if len(report.Errors) != 0 || len(report.Gaps) != 0 {
		t.Errorf("a sound server: %+v", report)
	}
	expect := func(state string, want int) []string {
		t.Helper()
		missing, err := l.Missing(ctx, c)
		if err != nil {
			t.Fatal(err)
		}
		if len(missing) != want {
			t.Errorf("%s: %d missing, want %d", state, len(missing), want)
		}
		return missing
	}
	expect("at first", 0)
	const victim = "w:1:7"
	if n := c.Del(ctx, victim).Val(); n != 1 {
		t.Fatalf("there is no key %s", victim)
	}
	if missing := expect("one key removed", 1); len(missing) == 1 && missing[0] != victim {
		t.Errorf("%s is missing, not %s", victim, missing[0])
	}
	c.FlushAll(ctx)
	expect("all keys removed", report.Acknowledged)
}

func TestLedgerKeepsItsPace(t *testing.T) {
	ctx, h, _, _ := server(t)
	const rate, n = 1000, 1500
	l := open(t, h, ledger.Config{Rate: rate})
	started := time.Now()
	if err := l.WaitAcknowledged(ctx, n); err != nil {
		t.Fatal(err)
	}
	// Not faster, ever. Slower it may be, on a busy machine.
	if got, least := time.Since(started), n*time.Second/rate-100*time.Millisecond; got < least {
		t.Errorf("%d writes took %v, want at least %v", n, got, least)
	}
}

func TestLedgerMeasuresAnOutage(t *testing.T) {
	ctx, h, p, _ := server(t)
	l := open(t, h, ledger.Config{Timeout: 500 * time.Millisecond, Gap: time.Second})
	if err := l.WaitAcknowledged(ctx, 200); err != nil {
		t.Fatal(err)
	}
	hung := time.Now()
	if err := p.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	// As long as several time-outs.
	if err := netlab.Until(ctx, func(context.Context) error {
		if l.Report().Errors["time-out"] >= 9 {
			return nil
		}
		return context.DeadlineExceeded
	}); err != nil {
		t.Fatalf("no time-outs: %+v", l.Report())
	}
	woken := time.Now()
	if err := p.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	if err := l.WaitAcknowledged(ctx, 200); err != nil {
		t.Fatal(err)
	}
	l.Stop()
	report := l.Report()
	if len(report.Gaps) != 1 || report.Gaps[0] != report.Outage {
		t.Fatalf("want one gap, which is the outage: %+v", report)
	}
	const slack = time.Second
	if from := report.Outage.From; from.Before(hung.Add(-slack)) || from.After(hung.Add(slack)) {
		t.Errorf("the outage began %v after the server hung", from.Sub(hung))
	}
	if to := report.Outage.To; to.Before(woken) || to.After(woken.Add(slack)) {
		t.Errorf("the outage ended %v after the server woke", to.Sub(woken))
	}
}

// Writing that never resumes is the worst outage, not none.
func TestOutageMayBeUnfinished(t *testing.T) {
	ctx, h, p, _ := server(t)
	l := open(t, h, ledger.Config{})
	if err := l.WaitAcknowledged(ctx, 100); err != nil {
		t.Fatal(err)
	}
	if err := p.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	killed := time.Now()
	if err := netlab.Until(ctx, func(context.Context) error {
		if l.Report().Errors["refused"] >= 50 {
			return nil
		}
		return context.DeadlineExceeded
	}); err != nil {
		t.Fatalf("no refusals: %+v", l.Report())
	}
	l.Stop()
	if got, least := l.Report().Outage.Duration(), time.Since(killed)-50*time.Millisecond; got < least {
		t.Errorf("the outage is %v, want at least %v", got, least)
	}
}
