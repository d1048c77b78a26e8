package netlab_test

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"redis-vip/examples/lab/netlab"
)

func TestMain(m *testing.M) {
	netlab.Init()
	if os.Getenv(doomed) != "" {
		fmt.Fprintln(os.Stderr, runDoomed())
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// limit bounds every wait of a test: far more than needed, so that only a
// fault reaches it.
const limit = 20 * time.Second

// newLab boots hosts a, b and c, with addresses 10.0.0.1 to 10.0.0.3.
func newLab(t *testing.T) (context.Context, *netlab.Lab) {
	t.Helper()
	t.Parallel()
	netlab.Require(t)
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	t.Cleanup(cancel)
	var plans []netlab.Plan
	for i, name := range []string{"a", "b", "c"} {
		plans = append(plans, netlab.Plan{Name: name, Addresses: []netip.Prefix{
			netip.MustParsePrefix(fmt.Sprintf("10.0.0.%d/24", i+1)),
			netip.MustParsePrefix(fmt.Sprintf("fd00::%d/64", i+1)),
		}})
	}
	lab, err := netlab.New(ctx, plans...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := lab.Close(); err != nil {
			t.Error(err)
		}
	})
	return ctx, lab
}

// echo serves UDP on a host: what arrives goes back to its sender.
func echo(t *testing.T, h *netlab.Host, address string) {
	t.Helper()
	var conn net.PacketConn
	if err := h.Inside(func() (err error) {
		conn, err = net.ListenPacket("udp", address)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	go func() {
		b := make([]byte, 64)
		for {
			n, from, err := conn.ReadFrom(b)
			if err != nil {
				return
			}
			conn.WriteTo(b[:n], from)
		}
	}()
}

// answers tells whether a datagram from h to the address comes back.
func answers(t *testing.T, h *netlab.Host, address string) bool {
	t.Helper()
	conn, err := h.DialContext(t.Context(), "udp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(300 * time.Millisecond))
	conn.Write([]byte("?"))
	_, err = conn.Read(make([]byte, 1))
	return err == nil
}

// reaches is the same where an answer is wanted: a machine may stand still for longer than
// answers waits, and ARP begins anew after a cut.
func reaches(t *testing.T, h *netlab.Host, address string) bool {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); {
		if answers(t, h, address) {
			return true
		}
	}
	return false
}

func TestHostsReachEachOther(t *testing.T) {
	_, lab := newLab(t)
	for _, address := range []string{"10.0.0.2:7", "[fd00::2]:7"} {
		echo(t, lab.Host("b"), address)
		for _, from := range []string{"a", "c"} {
			if !reaches(t, lab.Host(from), address) {
				t.Errorf("%s gets no answer from %s", from, address)
			}
		}
	}
}

func TestCablesAreCutInEitherDirection(t *testing.T) {
	ctx, lab := newLab(t)
	a, b, c := lab.Host("a"), lab.Host("b"), lab.Host("c")
	echo(t, b, "10.0.0.2:7")

	expect := func(state string, fromA, fromC bool) {
		t.Helper()
		for from, want := range map[*netlab.Host]bool{a: fromA, c: fromC} {
			ask := answers
			if want {
				ask = reaches
			}
			if got := ask(t, from, "10.0.0.2:7"); got != want {
				t.Errorf("%s: b answers %s: %v, want %v", state, from.Name, got, want)
			}
		}
		for _, h := range lab.Hosts() {
			carrier, err := h.Output(ctx, "cat", "/sys/class/net/eth0/carrier")
			if err != nil || carrier != "1\n" {
				t.Errorf("%s: carrier of %s: %q, %v", state, h.Name, carrier, err)
			}
		}
	}
	do := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	expect("at first", true, true)
	do(lab.Cut(a, b))
	expect("a → b cut", false, true)
	do(lab.Heal(a, b))
	expect("healed", true, true)

	// One direction means one direction: what a sends still reaches b.
	do(lab.Cut(b, a))
	expect("b → a cut", false, true)
	frames, err := b.Capture(ctx)
	do(err)
	_, err = a.Output(ctx, "ip", "neigh", "flush", "dev", "eth0")
	do(err)
	answers(t, a, "10.0.0.2:7")
	if _, err := frames.Wait(ctx, func(f netlab.Frame) bool {
		return f.Kind == netlab.ARPRequest && f.SenderIP == a.Addresses[0].Addr()
	}); err != nil {
		t.Errorf("ARP from a does not reach b although only b → a is cut: %v", err)
	}
	do(lab.Isolate(b))
	expect("b isolated", false, false)
	do(lab.CutBoth(a, b)) // already cut: no error
	do(lab.HealAll())
	expect("all healed", true, true)
}

// Of ten datagrams seven arrive, and of their ten answers seven: some half come back.
func TestFramesAreLost(t *testing.T) {
	_, lab := newLab(t)
	a, b := lab.Host("a"), lab.Host("b")
	echo(t, b, "10.0.0.2:7")
	back := func() (n int) {
		t.Helper()
		conn, err := a.DialContext(t.Context(), "udp", "10.0.0.2:7")
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		for range 100 {
			conn.Write([]byte("?"))
		}
		for ; err == nil; n++ {
			conn.SetDeadline(time.Now().Add(300 * time.Millisecond))
			_, err = conn.Read(make([]byte, 1))
		}
		return n - 1
	}
	answers(t, a, "10.0.0.2:7") // they know each other
	if err := lab.Lose(a, b); err != nil {
		t.Fatal(err)
	}
	if n := back(); n < 20 || n > 80 {
		t.Errorf("%d of 100 come back", n)
	}
	if err := lab.Heal(a, b); err != nil {
		t.Fatal(err)
	}
	if n := back(); n != 100 {
		t.Errorf("healed: %d of 100 come back", n)
	}
}

func TestUnpluggedHostLosesItsCarrier(t *testing.T) {
	ctx, lab := newLab(t)
	a := lab.Host("a")
	carrier := func() string {
		out, err := a.Output(ctx, "cat", "/sys/class/net/eth0/carrier")
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	if err := lab.Unplug(a); err != nil {
		t.Fatal(err)
	}
	if got := carrier(); got != "0\n" {
		t.Errorf("carrier after Unplug: %q", got)
	}
	if err := lab.Plug(ctx, a); err != nil {
		t.Fatal(err)
	}
	if got := carrier(); got != "1\n" {
		t.Errorf("carrier after Plug: %q", got)
	}
}
