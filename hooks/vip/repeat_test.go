package vip_test

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/mdlayher/ethernet"
	"github.com/mdlayher/ndp"
	"golang.org/x/net/ipv6"
	"golang.org/x/sys/unix"

	"redis-vip/hooks/vip"
)

func TestRepeat(t *testing.T) {
	enter(t)
	peer := newNamespace(t)
	here, there := cable(t, peer)
	v := on(here, "192.0.2.4/24")
	changed(t, true)(v.Add())
	c := newCapture(t, peer, there, ethernet.EtherTypeARP)

	const times, every = 3, 50 * time.Millisecond
	start := time.Now()
	must(t, v.Repeat(bounded(t), times, every))
	for i := range times {
		// The ticker keeps its own pace, whatever each announcement takes.
		if d := c.gratuitous(t, v.Prefix.Addr(), mac(t, here)).Sub(start); d < time.Duration(i+1)*every {
			t.Errorf("announcement %d after %v", i+1, d)
		}
	}
	c.empty(t)
}

// Once the address is gone nothing more is announced.
func TestRepeatStops(t *testing.T) {
	const every = 10 * time.Millisecond
	for _, s := range []string{"192.0.2.4/24", "2001:db8::4/64"} {
		t.Run(s, func(t *testing.T) {
			enter(t)
			here, peer := current(t), newNamespace(t)
			name, there := cable(t, peer)
			v := on(name, s)
			changed(t, true)(v.Add())
			c := newCapture(t, peer, there, etherType(v.Prefix.Addr()))
			tap := newCapture(t, here, name, unix.ETH_P_ALL)
			ctx := bounded(t)

			result := make(chan error, 1)
			go func() {
				result <- here.do(func() error { return v.Repeat(ctx, 1000, every) })
			}()
			for range 2 {
				c.announcement(t, v.Prefix.Addr(), mac(t, name))
			}
			changed(t, true)(v.Remove())
			removed := time.Now()
			fails(t, <-result, vip.ErrNotHeld, s)
			if d := time.Since(removed); d > time.Second {
				t.Errorf("Repeat went on for %v", d)
			}

			for {
				f, ok := tap.next(t, quiet)
				if !ok {
					break
				}
				// One may have been on its way out.
				if late := f.at.Sub(removed); late > every/2 && announces(f, v.Prefix.Addr()) {
					t.Errorf("announced %v after the removal", late)
				}
			}
		})
	}
}

// announces reports whether f is an ARP packet or an advertisement for ip.
func announces(f frame, ip netip.Addr) bool {
	if ip.Is4() || f.EtherType != ethernet.EtherTypeIPv6 {
		return ip.Is4() && f.EtherType == ethernet.EtherTypeARP
	}
	m, err := ndp.ParseMessage(f.Payload[ipv6.HeaderLen:])
	na, ok := m.(*ndp.NeighborAdvertisement)
	return err == nil && ok && na.TargetAddress == ip
}

func TestRepeatCancelled(t *testing.T) {
	enter(t)
	v := on(iface(t), "192.0.2.4/24")
	changed(t, true)(v.Add())
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	start := time.Now()
	fails(t, v.Repeat(ctx, vip.RepeatTimes, vip.RepeatEvery), context.DeadlineExceeded, "")
	if d := time.Since(start); d >= vip.RepeatEvery {
		t.Errorf("returned after %v", d)
	}
}
