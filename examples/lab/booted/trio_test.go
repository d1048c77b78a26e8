package booted_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"redis-vip/examples/lab/booted"
	"redis-vip/examples/lab/ledger"
	"redis-vip/examples/lab/netlab"
)

func TestTrioBoots(t *testing.T) {
	ctx, trio := prepare(t, booted.Options{IPv6: true})
	for _, n := range trio.Nodes {
		if state := output(t, ctx, n.Host, "systemctl", "is-system-running"); state != "running" {
			t.Errorf("%s is %s", n.Name, state)
		}
		for command, want := range map[string]string{
			"hostname":                            n.Name,
			"cat /proc/1/comm":                    "systemd",
			". /etc/os-release; echo $VERSION_ID": "12",
			"systemctl is-active redis-server redis-sentinel keepalived || true": "inactive\ninactive\ninactive",
			"systemctl is-enabled redis-server redis-sentinel":                   "enabled\nenabled",
		} {
			if got := output(t, ctx, n.Host, "sh", "-c", command); got != want {
				t.Errorf("%s: %s: %q, want %q", n.Name, command, got, want)
			}
		}
		addresses, err := n.AddressList()
		if err != nil || fmt.Sprint(addresses) != fmt.Sprint(n.Addresses) {
			t.Errorf("%s has %v, %v; want %v", n.Name, addresses, err, n.Addresses)
		}
	}
}

// The stock units run with nothing added to them.
func TestTrioRunsStockUnits(t *testing.T) {
	ctx, trio := start(t, booted.Options{})
	for _, n := range trio.Nodes {
		if state := output(t, ctx, n.Host, "systemctl", "is-system-running"); state != "running" {
			t.Errorf("%s is %s", n.Name, state)
		}
		for _, unit := range []string{"redis-server", "redis-sentinel"} {
			properties := output(t, ctx, n.Host, "systemctl", "show", unit, "--property=ActiveState,DropInPaths,FragmentPath")
			if want := "FragmentPath=/lib/systemd/system/" + unit + ".service\nActiveState=active"; !sameLines(properties, want, "DropInPaths=") {
				t.Errorf("%s: %s: %s", n.Name, unit, properties)
			}
			pid := output(t, ctx, n.Host, "systemctl", "show", "--value", "--property=MainPID", unit)
			status := output(t, ctx, n.Host, "cat", "/proc/"+pid+"/status")
			for _, want := range []string{"CapBnd:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2"} {
				if !strings.Contains(status, want) {
					t.Errorf("%s: %s runs without %q:\n%s", n.Name, unit, want, status)
				}
			}
			if own, its := output(t, ctx, n.Host, "readlink", "/proc/1/ns/user"), output(t, ctx, n.Host, "readlink", "/proc/"+pid+"/ns/user"); own == its {
				t.Errorf("%s: %s runs without PrivateUsers", n.Name, unit)
			}
		}
		for _, unit := range trio.Units {
			if got := output(t, ctx, n.Host, "systemctl", "is-active", unit); got != "active" {
				t.Errorf("%s: %s is %s", n.Name, unit, got)
			}
		}
	}
	for identifier, text := range map[string]string{
		"systemd": "Started redis-sentinel.service", "redis-server": "Ready to accept connections", "redis-sentinel": "+monitor master mymaster",
	} {
		for _, n := range trio.Nodes {
			awaitEntry(t, ctx, trio, n, identifier, text)
		}
	}
	book := trio.Ledger(ledger.Config{})
	defer book.Stop()
	if err := book.WaitAcknowledged(ctx, 1000); err != nil {
		t.Fatal(err)
	}
	book.Stop()
	holder, err := trio.Holder()
	if err != nil {
		t.Fatal(err)
	}
	if missing, err := book.Missing(ctx, holder.Redis); err != nil || len(missing) > 0 {
		t.Errorf("%d writes are gone: %v", len(missing), err)
	}
}

// sameLines tells whether a text has the lines of two others, in any order.
func sameLines(text string, others ...string) bool {
	count := map[string]int{}
	for _, line := range strings.Split(text, "\n") {
		count[line]++
	}
	for _, line := range strings.Split(strings.Join(others, "\n"), "\n") {
		count[line]--
	}
	for _, n := range count {
		if n != 0 {
			return false
		}
	}
	return true
}

func awaitEntry(t *testing.T, ctx context.Context, trio *booted.Trio, n *booted.Node, identifier, text string) {
	t.Helper()
	limited, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	if _, err := trio.Journal.Wait(limited, func(e netlab.Entry) bool {
		return e.Host == n.Name && e.Identifier == identifier && strings.Contains(e.Message, text)
	}); err != nil {
		t.Errorf("%s: no entry %q of %s: %v", n.Name, text, identifier, err)
	}
}

func TestTrioCablesAreCut(t *testing.T) {
	ctx, trio := start(t, booted.Options{})
	book := trio.Ledger(ledger.Config{})
	defer book.Stop()
	if err := book.WaitAcknowledged(ctx, 300); err != nil {
		t.Fatal(err)
	}
	holder, err := trio.Holder()
	if err != nil {
		t.Fatal(err)
	}
	if err := trio.CutBoth(trio.Client, holder.Host.Host); err != nil {
		t.Fatal(err)
	}
	before := book.Report().Acknowledged
	limited, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	if err := book.WaitAcknowledged(limited, 100); err == nil {
		t.Errorf("writes go on through a cut cable: %d, %d", before, book.Report().Acknowledged)
	}
	if err := trio.HealAll(); err != nil {
		t.Fatal(err)
	}
	if err := book.WaitAcknowledged(ctx, 300); err != nil {
		t.Error(err)
	}
}

// A reboot, a power loss and a shutdown take a replica's host away and bring it
// back, with what it is to start at boot and nothing that a boot takes away.
func TestTrioHostsComeBack(t *testing.T) {
	ctx, trio := start(t, booted.Options{})
	book := trio.Ledger(ledger.Config{})
	defer book.Stop()
	if err := book.WaitAcknowledged(ctx, 300); err != nil {
		t.Fatal(err)
	}
	n := trio.Nodes[2]
	stray := vip(t, "192.168.0.77/24")
	for name, fault := range map[string]func() error{
		"reboot": func() error { return n.Reboot(ctx) },
		"power loss": func() error {
			if err := n.Kill(ctx); err != nil {
				return err
			}
			if _, err := n.Output(ctx, "true"); err == nil {
				t.Error("a host without power runs commands")
			}
			return n.PowerOn(ctx)
		},
		"shutdown": func() error {
			if err := n.PowerOff(ctx); err != nil {
				return err
			}
			return n.PowerOn(ctx)
		},
	} {
		if err := n.AddAddress(stray); err != nil {
			t.Fatal(err)
		}
		was := output(t, ctx, n.Host, "cat", "/proc/sys/kernel/random/boot_id")
		began := time.Now()
		if err := fault(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		t.Logf("%s: up again in %v", name, time.Since(began).Round(time.Millisecond))
		if is := output(t, ctx, n.Host, "cat", "/proc/sys/kernel/random/boot_id"); is == was {
			t.Errorf("%s: the same boot", name)
		}
		if holds, err := n.Holds(stray.Addr()); err != nil || holds {
			t.Errorf("%s: an address survived it: %v", name, err)
		}
		if err := trio.WaitReady(ctx); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, unit := range trio.Units {
			if got := output(t, ctx, n.Host, "systemctl", "is-active", unit); got != "active" {
				t.Errorf("%s: %s is %s", name, unit, got)
			}
		}
		// The journal goes on.
		mark := "after the " + name
		output(t, ctx, n.Host, "systemd-cat", "--identifier=mark", "echo", mark)
		awaitEntry(t, ctx, trio, n, "mark", mark)
	}
	if err := book.WaitAcknowledged(ctx, 300); err != nil {
		t.Error(err)
	}
}
