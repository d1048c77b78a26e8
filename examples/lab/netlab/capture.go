package netlab

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/mdlayher/packet"
	"golang.org/x/sys/unix"
)

// FrameKind tells what a frame says.
type FrameKind int

// The kinds of frames that tell who has an address.
const (
	ARPRequest FrameKind = iota + 1
	ARPReply
	NeighbourAdvertisement
)

func (k FrameKind) String() string {
	return [...]string{"?", "ARP request", "ARP reply", "neighbour advertisement"}[k]
}

// Frame is a captured frame that tells who has an address.
type Frame struct {
	At       time.Time // when it arrived, by the kernel
	Kind     FrameKind
	From, To net.HardwareAddr // of the Ethernet header

	SenderMAC net.HardwareAddr // ARP's own; for NDP the target link-layer address option
	SenderIP  netip.Addr       // ARP: whose MAC address it is; NDP: the source
	TargetIP  netip.Addr       // ARP: who is asked; NDP: whose MAC address it is
	Override  bool             // NDP: replaces what a neighbour had stored
}

// Capture records from now on, until ctx ends, the ARP and neighbour
// advertisement frames that arrive at the host.
func (h *Host) Capture(ctx context.Context) (*Record[Frame], error) {
	var conn *packet.Conn
	err := h.Inside(func() error {
		eth, err := net.InterfaceByName(nic)
		if err != nil {
			return err
		}
		conn, err = packet.Listen(eth, packet.Raw, unix.ETH_P_ALL, nil)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("%s: capture: %w", h.Name, err)
	}
	raw, err := conn.SyscallConn()
	if err == nil {
		err = askForTimes(raw)
	}
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("%s: capture: %w", h.Name, err)
	}
	context.AfterFunc(ctx, func() { conn.Close() })

	frames := newRecord[Frame]()
	go func() {
		defer conn.Close()
		b, control := make([]byte, 64<<10), make([]byte, 128)
		for {
			var n, cn int
			var from unix.Sockaddr
			var received error
			if err := raw.Read(func(fd uintptr) bool {
				n, cn, _, from, received = unix.Recvmsg(int(fd), b, control, 0)
				return received != unix.EAGAIN
			}); err != nil || received != nil {
				if ctx.Err() == nil {
					h.Note("the capture broke off: %v", errors.Join(err, received))
				}
				return
			}
			// The socket sees what the host sends as well.
			if ll, ok := from.(*unix.SockaddrLinklayer); ok && ll.Pkttype == unix.PACKET_OUTGOING {
				continue
			}
			if f, ok := decode(b[:n]); ok {
				f.At = kernelTime(control[:cn])
				frames.Add(f)
			}
		}
	}()
	return frames, nil
}

// decode reads a frame, and tells whether it is of a kind we want.
func decode(b []byte) (Frame, bool) {
	const header = 14
	if len(b) < header {
		return Frame{}, false
	}
	f := Frame{To: mac(b[0:]), From: mac(b[6:])}
	switch binary.BigEndian.Uint16(b[12:]) {
	case unix.ETH_P_ARP:
		return f, f.decodeARP(b[header:])
	case unix.ETH_P_IPV6:
		return f, f.decodeNA(b[header:])
	}
	return f, false
}

// decodeARP reads an ARP packet for IPv4 over Ethernet, RFC 826.
func (f *Frame) decodeARP(b []byte) bool {
	if len(b) < 28 {
		return false
	}
	switch binary.BigEndian.Uint16(b[6:]) {
	case 1:
		f.Kind = ARPRequest
	case 2:
		f.Kind = ARPReply
	default:
		return false
	}
	f.SenderMAC = mac(b[8:])
	f.SenderIP, _ = netip.AddrFromSlice(b[14:18])
	f.TargetIP, _ = netip.AddrFromSlice(b[24:28])
	return true
}

// decodeNA reads an IPv6 packet with a neighbour advertisement, RFC 4861 4.4.
func (f *Frame) decodeNA(b []byte) bool {
	const header, icmpv6, advertisement, override = 40, 58, 136, 0x20
	if len(b) < header+24 || b[6] != icmpv6 || b[header] != advertisement {
		return false
	}
	f.Kind = NeighbourAdvertisement
	f.SenderIP, _ = netip.AddrFromSlice(b[8:24])
	b = b[header:]
	f.Override = b[4]&override != 0
	f.TargetIP, _ = netip.AddrFromSlice(b[8:24])
	// Option 2 is the target's link-layer address.
	if option := b[24:]; len(option) >= 8 && option[0] == 2 {
		f.SenderMAC = mac(option[2:])
	}
	return true
}

func mac(b []byte) net.HardwareAddr {
	return append(net.HardwareAddr(nil), b[:6]...)
}
