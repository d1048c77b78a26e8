package vip_test

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/mdlayher/arp"
	"github.com/mdlayher/ethernet"
	"github.com/mdlayher/ndp"
	"github.com/mdlayher/packet"
	"github.com/vishvananda/netlink"
	"golang.org/x/net/ipv6"
	"golang.org/x/sys/unix"
)

// patience is how long a test waits for what must happen.
const patience = 5 * time.Second

// A frame is an Ethernet frame and when the kernel received it.
type frame struct {
	ethernet.Frame
	at time.Time
}

// A capture records what an interface receives from the moment it is made.
type capture struct{ conn *packet.Conn }

// newCapture captures frames of one EtherType on an interface of n.
func newCapture(t *testing.T, n namespace, name string, typ ethernet.EtherType) *capture {
	t.Helper()
	c := &capture{}
	must(t, n.do(func() error {
		ifi, err := net.InterfaceByName(name)
		if err != nil {
			return err
		}
		if c.conn, err = packet.Listen(ifi, packet.Raw, int(typ), nil); err != nil {
			return err
		}
		raw, err := c.conn.SyscallConn()
		if err != nil {
			return err
		}
		var sockErr error
		err = raw.Control(func(fd uintptr) {
			sockErr = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1)
		})
		return errors.Join(err, sockErr)
	}))
	t.Cleanup(func() { c.conn.Close() })
	return c
}

// next returns the next frame, or false if none came within the time.
func (c *capture) next(t *testing.T, within time.Duration) (frame, bool) {
	t.Helper()
	must(t, c.conn.SetReadDeadline(time.Now().Add(within)))
	raw, err := c.conn.SyscallConn()
	must(t, err)

	buf, oob := make([]byte, 2048), make([]byte, 128)
	var n, oobn int
	var recvErr error
	err = raw.Read(func(fd uintptr) bool {
		n, oobn, _, _, recvErr = unix.Recvmsg(int(fd), buf, oob, 0)
		return recvErr != unix.EAGAIN
	})
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return frame{}, false
	}
	must(t, errors.Join(err, recvErr))

	var f frame
	must(t, f.UnmarshalBinary(buf[:n]))
	messages, err := syscall.ParseSocketControlMessage(oob[:oobn])
	must(t, err)
	for _, m := range messages {
		if m.Header.Type == unix.SO_TIMESTAMPNS {
			f.at = time.Unix((*unix.Timespec)(unsafe.Pointer(&m.Data[0])).Unix())
		}
	}
	if f.at.IsZero() {
		t.Fatal("frame without a timestamp")
	}
	return f, true
}

// arp returns the next ARP packet, which must come.
func (c *capture) arp(t *testing.T) (frame, *arp.Packet) {
	t.Helper()
	f, ok := c.next(t, patience)
	if !ok {
		t.Fatal("no ARP frame was captured")
	}
	p := new(arp.Packet)
	must(t, p.UnmarshalBinary(f.Payload))
	return f, p
}

// advertisement returns the next neighbour advertisement for target, which must
// come, with its IPv6 header.
func (c *capture) advertisement(t *testing.T, target netip.Addr) (frame, *ipv6.Header, *ndp.NeighborAdvertisement) {
	t.Helper()
	for end := time.Now().Add(patience); ; {
		f, ok := c.next(t, time.Until(end))
		if !ok {
			t.Fatalf("no neighbour advertisement for %s was captured", target)
		}
		h, err := ipv6.ParseHeader(f.Payload)
		must(t, err)
		if h.NextHeader != unix.IPPROTO_ICMPV6 {
			continue // A multicast listener report in its hop-by-hop header.
		}
		m, err := ndp.ParseMessage(f.Payload[ipv6.HeaderLen:])
		if err != nil {
			continue
		}
		if na, ok := m.(*ndp.NeighborAdvertisement); ok && na.TargetAddress == target {
			return f, h, na
		}
	}
}

// quiet is how long a capture must see nothing until nothing more is under way.
// A cable delivers within microseconds.
const quiet = 20 * time.Millisecond

// empty fails if there is a frame that was sent before the call.
func (c *capture) empty(t *testing.T) {
	t.Helper()
	if f, ok := c.next(t, quiet); ok {
		t.Fatalf("unexpected frame: % x", f.Payload)
	}
}

// An addressEvent is one of the kernel's notices about an address.
type addressEvent struct {
	netlink.AddrUpdate
	at time.Time
}

// watch reports the address events of the test's namespace.
func watch(t *testing.T) <-chan addressEvent {
	t.Helper()
	updates, done := make(chan netlink.AddrUpdate), make(chan struct{})
	must(t, netlink.AddrSubscribe(updates, done))
	events := make(chan addressEvent, 1024)
	go func() {
		defer close(events)
		for u := range updates {
			events <- addressEvent{u, time.Now()}
		}
	}()
	t.Cleanup(func() {
		close(done)
		for range events {
		}
	})
	return events
}

// waitFor returns the first event that satisfies f.
func waitFor(t *testing.T, events <-chan addressEvent, what string, f func(addressEvent) bool) addressEvent {
	t.Helper()
	timeout := time.After(patience)
	for {
		select {
		case e := <-events:
			if f(e) {
				return e
			}
		case <-timeout:
			t.Fatalf("the kernel never reported: %s", what)
		}
	}
}

func isNew(ip netip.Addr) func(addressEvent) bool {
	return func(e addressEvent) bool {
		a, _ := netip.AddrFromSlice(e.LinkAddress.IP)
		return e.NewAddr && a.Unmap() == ip
	}
}
