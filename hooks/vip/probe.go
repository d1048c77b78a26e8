package vip

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"slices"
	"syscall"
	"time"

	"github.com/mdlayher/ethernet"
	"github.com/mdlayher/packet"
	"github.com/vishvananda/netlink"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// How often and how far apart an address is probed, and how long an answer to the
// last probe is waited for: PROBE_NUM, PROBE_MIN and ANNOUNCE_WAIT of RFC 5227,
// section 1.1. Its random delay before the first is for hosts that are switched on
// together. Here a conflict is wanted at once.
const (
	probeTimes = 3
	probeEvery = 1 * time.Second
	probeWait  = 2 * time.Second
)

// What is read of a frame: the messages that matter are far shorter.
const (
	ethernetHeaderLen = 14
	maxFrame          = 2048
)

// A prober asks on one link who else has an address, and knows an answer.
type prober struct {
	conn  *packet.Conn
	frame []byte
	to    *packet.Addr
	// holder returns who says in a frame that the address is theirs, or nil.
	holder func(ethernet.Frame) net.HardwareAddr
	ours   []net.HardwareAddr
}

// newProber opens a socket for frames such as the one that is to be sent, as far as
// the filter lets them pass.
func newProber(ifi *net.Interface, frame ethernet.Frame, filter []bpf.Instruction, holder func(ethernet.Frame) net.HardwareAddr) (*prober, error) {
	data, err := frame.MarshalBinary()
	if err != nil {
		return nil, fmt.Errorf("building a probe: %w", err)
	}
	var config packet.Config
	if filter != nil {
		if config.Filter, err = bpf.Assemble(filter); err != nil {
			return nil, fmt.Errorf("building a filter: %w", err)
		}
	}
	conn, err := packet.Listen(ifi, packet.Raw, int(frame.EtherType), &config)
	if err != nil {
		return nil, fmt.Errorf("opening a packet socket: %w", err)
	}
	return &prober{conn: conn, frame: data, to: &packet.Addr{HardwareAddr: frame.Destination}, holder: holder}, nil
}

// Probe asks the neighbours whether any of them has the address, and returns the
// hardware address of the first that says so: by answering, or by announcing it
// meanwhile (RFC 5227, section 2.1.1; for IPv6, RFC 4862, section 5.4).
//
// It changes nothing anywhere: it may run beside and after Take, and no cache learns
// from its frames. The address may be here or not. This host's own interfaces never
// count as another holder, for they answer each other where two of them are on one
// link. Not found does not prove that there is none: frames get lost, and hosts can
// be set to ignore probes, such as Linux with arp_ignore=2. Nor is a holder seen that
// has our hardware address, as a VRRP group with a virtual one has.
//
// It asks where the address is, or else where Add would put it, three times in the
// time that the context allows, a second apart at most, and ends not found 2 seconds
// after the last or when the time is up, whichever is first. That the deadline has
// passed is then no error; that the context was cancelled is. Interfaces without
// neighbours have no other holder.
func (v VIP) Probe(ctx context.Context) (holder net.HardwareAddr, found bool, err error) {
	if err := v.valid(); err != nil {
		return nil, false, err
	}
	p, err := v.prober()
	if err != nil || p == nil {
		return nil, false, err
	}
	defer p.conn.Close()
	if err := ctx.Err(); err != nil {
		return nil, false, v.notProbed("", err)
	}

	holder, err = p.ask(ctx)
	return holder, holder != nil, v.notProbed("", err)
}

// prober opens what is needed to probe for the address. It is nil where nobody else
// can have it.
func (v VIP) prober() (*prober, error) {
	k, err := dial()
	if err != nil {
		return nil, err
	}
	defer k.Close()

	link, err := v.home(k)
	if err != nil {
		return nil, err
	}
	ifi, err := neighbourly(link)
	if err != nil || ifi == nil {
		return nil, v.notProbed(link.Attrs().Name, err)
	}
	ours, err := k.hardwareAddresses()
	if err != nil {
		return nil, err
	}
	open := newARPProber
	if v.addr().Is6() {
		open = newNDPProber
	}
	p, err := open(k, ifi, v.addr())
	if err != nil {
		return nil, v.notProbed(ifi.Name, err)
	}
	p.ours = ours
	return p, nil
}

// home returns the interface that the address is on, or that Add would put it on.
func (v VIP) home(k kernel) (netlink.Link, error) {
	holders, err := k.holders(v.addr())
	switch {
	case err != nil:
		return nil, err
	case len(holders) == 0:
		return v.link(k)
	}
	link, err := k.LinkByIndex(holders[0].LinkIndex)
	if err != nil {
		return nil, fmt.Errorf("vip: looking up interface %d: %w", holders[0].LinkIndex, err)
	}
	return link, nil
}

// ask sends the probes and returns the first other holder, or nil.
func (p *prober) ask(ctx context.Context) (net.HardwareAddr, error) {
	every, wait := probeEvery, probeWait
	if deadline, ok := ctx.Deadline(); ok {
		every = min(every, time.Until(deadline)/probeTimes)
	}
	stop := context.AfterFunc(ctx, func() { _ = p.conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()

	for turn := range probeTimes {
		if _, err := p.conn.WriteTo(p.frame, p.to); err != nil && ctx.Err() == nil {
			return nil, fmt.Errorf("sending a probe: %w", err)
		}
		until := every
		if turn == probeTimes-1 {
			until = wait
		}
		if mac, err := p.listen(ctx, time.Now().Add(until)); mac != nil || err != nil {
			return mac, err
		}
	}
	return nil, nil
}

// listen returns the first other holder that is heard before the time, or nil.
func (p *prober) listen(ctx context.Context, until time.Time) (net.HardwareAddr, error) {
	_ = p.conn.SetReadDeadline(until)
	buf := make([]byte, maxFrame)
	for {
		// Here and not before SetReadDeadline, which could undo the context's.
		switch err := ctx.Err(); {
		case errors.Is(err, context.DeadlineExceeded):
			return nil, nil
		case err != nil:
			return nil, err
		}
		n, _, err := p.conn.ReadFrom(buf)
		switch {
		case err == nil:
			if mac := p.other(buf[:n]); mac != nil {
				return mac, nil
			}
		case ctx.Err() != nil: // the next turn says which
		case errors.Is(err, os.ErrDeadlineExceeded):
			return nil, nil
		default:
			return nil, fmt.Errorf("waiting for an answer: %w", err)
		}
	}
}

// other returns who else says in a frame that the address is theirs, or nil. What we
// say may come back to us, through a bond or a loop of switches.
func (p *prober) other(data []byte) net.HardwareAddr {
	var frame ethernet.Frame
	if frame.UnmarshalBinary(data) != nil {
		return nil
	}
	mac := p.holder(frame)
	if slices.ContainsFunc(p.ours, func(our net.HardwareAddr) bool { return bytes.Equal(our, mac) }) {
		return nil
	}
	return mac
}

// neighbourly returns the interface of link, or nil if there are no neighbours on it
// to ask: the same interfaces on which an address is announced to nobody.
func neighbourly(link netlink.Link) (*net.Interface, error) {
	attrs := link.Attrs()
	switch {
	case attrs.Flags&net.FlagLoopback != 0, attrs.RawFlags&unix.IFF_NOARP != 0:
		return nil, nil
	case len(attrs.HardwareAddr) != ethernetAddrLen:
		return nil, fmt.Errorf("neighbours with hardware addresses of %d bytes (%s) cannot be asked, only Ethernet's", len(attrs.HardwareAddr), attrs.EncapType)
	case attrs.RawFlags&unix.IFF_RUNNING == 0:
		return nil, errors.New("no carrier: is the cable in?")
	}
	return &net.Interface{
		Index:        attrs.Index,
		MTU:          attrs.MTU,
		Name:         attrs.Name,
		HardwareAddr: attrs.HardwareAddr,
		Flags:        attrs.Flags,
	}, nil
}

// hardwareAddresses returns those of all interfaces of this host.
func (k kernel) hardwareAddresses() ([]net.HardwareAddr, error) {
	var err error
	for range dumpTries {
		var links []netlink.Link
		links, err = k.LinkList()
		if err == nil {
			var all []net.HardwareAddr
			for _, link := range links {
				all = append(all, link.Attrs().HardwareAddr, link.Attrs().PermHWAddr)
			}
			return all, nil
		}
		if !errors.Is(err, netlink.ErrDumpInterrupted) {
			break
		}
	}
	return nil, fmt.Errorf("vip: listing this host's interfaces: %w", err)
}

// notProbed wraps an error of a probe, on the named interface if it is known.
func (v VIP) notProbed(name string, err error) error {
	if err == nil {
		return nil
	}
	what := "vip: probing for " + v.String()
	if name != "" {
		what += " on " + name
	}
	switch {
	case errors.Is(err, fs.ErrPermission):
		err = fmt.Errorf("%w: run as root or with CAP_NET_RAW", err)
	case errors.Is(err, syscall.ENETDOWN):
		err = fmt.Errorf("%w: is the interface up?", err)
	}
	return fmt.Errorf("%s: %w", what, err)
}
