package netlab_test

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"redis-vip/examples/lab/netlab"
)

func TestCaptureSeesARP(t *testing.T) {
	ctx, lab := newLab(t)
	a, b, c := lab.Host("a"), lab.Host("b"), lab.Host("c")
	frames, err := c.Capture(ctx)
	if err != nil {
		t.Fatal(err)
	}
	before := time.Now()
	echo(t, b, "10.0.0.2:7")
	if !reaches(t, a, "10.0.0.2:7") {
		t.Fatal("b does not answer a")
	}
	// c sees the question, which goes to all, and not the answer.
	f, err := frames.Wait(ctx, func(f netlab.Frame) bool { return f.Kind == netlab.ARPRequest })
	if err != nil {
		t.Fatal(err)
	}
	if f.SenderIP != a.Addresses[0].Addr() || f.TargetIP != b.Addresses[0].Addr() ||
		f.SenderMAC.String() != a.MAC.String() || f.From.String() != a.MAC.String() ||
		f.To.String() != "ff:ff:ff:ff:ff:ff" {
		t.Errorf("%+v", f)
	}
	if f.At.Before(before) || f.At.After(time.Now()) {
		t.Errorf("captured at %v, not between %v and now", f.At, before)
	}
}

func TestCaptureSeesNeighbourAdvertisement(t *testing.T) {
	ctx, lab := newLab(t)
	a, b := lab.Host("a"), lab.Host("b")
	frames, err := a.Capture(ctx)
	if err != nil {
		t.Fatal(err)
	}
	echo(t, b, "[fd00::2]:7")
	if !reaches(t, a, "[fd00::2]:7") {
		t.Fatal("b does not answer a")
	}
	f, err := frames.Wait(ctx, func(f netlab.Frame) bool { return f.Kind == netlab.NeighbourAdvertisement })
	if err != nil {
		t.Fatal(err)
	}
	if f.TargetIP != netip.MustParseAddr("fd00::2") || f.SenderMAC.String() != b.MAC.String() || !f.Override {
		t.Errorf("%+v", f)
	}
	if f.To.String() != a.MAC.String() {
		t.Errorf("sent to %v", f.To)
	}
}

func TestAddressesComeAndGo(t *testing.T) {
	ctx, lab := newLab(t)
	a := lab.Host("a")
	events, err := a.WatchAddresses(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []netip.Prefix{
		netip.MustParsePrefix("10.0.0.10/24"),
		netip.MustParsePrefix("fd00::10/64"),
	} {
		if err := a.AddAddress(p); err != nil {
			t.Fatal(err)
		}
		if holds, err := a.Holds(p.Addr()); !holds {
			t.Errorf("a does not hold %v: %v", p, err)
		}
		list, err := a.AddressList()
		if err != nil || len(list) != len(a.Addresses)+1 {
			t.Errorf("addresses of a: %v, %v", list, err)
		}
		came := seen(t, ctx, events, p, true)
		if err := a.RemoveAddress(p); err != nil {
			t.Fatal(err)
		}
		if went := seen(t, ctx, events, p, false); !came.Before(went) {
			t.Errorf("%v came at %v and went at %v", p, came, went)
		}
	}
}

// seen waits for an address event and returns its time.
func seen(t *testing.T, ctx context.Context, events *netlab.Record[netlab.AddressEvent], p netip.Prefix, added bool) time.Time {
	t.Helper()
	e, err := events.Wait(ctx, func(e netlab.AddressEvent) bool { return e.Address == p && e.Added == added })
	if err != nil {
		t.Fatalf("%v, added %v: %v", p, added, err)
	}
	return e.At
}
