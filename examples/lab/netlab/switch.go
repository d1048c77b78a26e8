package netlab

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"sync"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
)

// bridge is the switch's own name in its namespace.
const bridge = "switch"

// networkSwitch joins the hosts: a bridge in a namespace without a process.
// The namespace lives as long as this process holds it open.
type networkSwitch struct {
	namespace netns.NsHandle
	links     *netlink.Handle
	bridge    netlink.Link

	mu   sync.Mutex
	hurt map[damage]map[cable]bool
}

// cable is one direction between two hosts.
type cable struct{ from, to string }

// damage is what can be wrong with a cable, as a set of nftables.
type damage string

const (
	severed damage = "cut"   // nothing passes
	leaky   damage = "lossy" // three of ten frames are lost
)

// damages drop what passes from one port to another. They work on frames, so ARP
// and neighbour discovery are cut as well, and every host's link stays up:
// this is a fault in the network, not in a host.
const damages = `table bridge lab {
	set cut { type ifname . ifname; }
	set lossy { type ifname . ifname; }
	chain forward {
		type filter hook forward priority 0; policy accept;
		iifname . oifname @cut drop
		iifname . oifname @lossy numgen random mod 10 < 3 drop
	}
}`

func newSwitch() (_ *networkSwitch, err error) {
	s := &networkSwitch{namespace: netns.None(), hurt: map[damage]map[cable]bool{severed: {}, leaky: {}}}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	if err := s.open(); err != nil {
		return nil, err
	}
	if s.links, err = netlink.NewHandleAt(s.namespace); err != nil {
		return nil, err
	}
	// Without snooping, multicast goes everywhere, like on a plain switch.
	snooping := false
	attributes := netlink.NewLinkAttrs()
	attributes.Name = bridge
	s.bridge = &netlink.Bridge{LinkAttrs: attributes, MulticastSnooping: &snooping}
	if err := s.links.LinkAdd(s.bridge); err != nil {
		return nil, fmt.Errorf("add the bridge: %w", err)
	}
	if err := s.links.LinkSetUp(s.bridge); err != nil {
		return nil, err
	}
	return s, s.filter(damages)
}

// open makes the namespace.
func (s *networkSwitch) open() error {
	home, err := netns.Get()
	if err != nil {
		return err
	}
	defer home.Close()
	// Entering one's own namespace changes nothing; inside brings the thread
	// back from the new one.
	return inside(home, func() (err error) {
		if s.namespace, err = netns.New(); err != nil {
			return err
		}
		// The switch has no word of its own to say on the wire.
		err = os.WriteFile("/proc/sys/net/ipv6/conf/default/disable_ipv6", []byte("1"), 0)
		if errors.Is(err, fs.ErrNotExist) { // a kernel without IPv6
			return nil
		}
		return err
	})
}

// plug lays a cable from a port of the switch, named as the host, to the
// host's eth0.
func (s *networkSwitch) plug(ctx context.Context, h *Host) error {
	attributes := netlink.NewLinkAttrs()
	attributes.Name = h.Name
	attributes.MasterIndex = s.bridge.Attrs().Index
	port := &netlink.Veth{
		LinkAttrs: attributes, PeerName: nic,
		PeerHardwareAddr: h.MAC, PeerNamespace: netlink.NsFd(int(h.namespace)),
	}
	if err := s.links.LinkAdd(port); err != nil {
		return fmt.Errorf("add the cable: %w", err)
	}
	for _, name := range []string{"lo", nic} {
		link, err := h.links.LinkByName(name)
		if err != nil {
			return err
		}
		if err := h.links.LinkSetUp(link); err != nil {
			return err
		}
	}
	return s.enable(ctx, h)
}

// enable switches a host's port on. The kernel brings both ends of a cable to
// work a little later, and drops what comes before.
func (s *networkSwitch) enable(ctx context.Context, h *Host) error {
	port, err := s.links.LinkByName(h.Name)
	if err != nil {
		return err
	}
	if err := s.links.LinkSetUp(port); err != nil {
		return err
	}
	if err := Until(ctx, works(s.links, h.Name)); err != nil {
		return err
	}
	return Until(ctx, works(h.links, nic))
}

// works returns a condition: that a link passes frames.
func works(links *netlink.Handle, name string) func(context.Context) error {
	return func(context.Context) error {
		link, err := links.LinkByName(name)
		if err == nil && link.Attrs().OperState != netlink.OperUp {
			err = fmt.Errorf("%s is %v", name, link.Attrs().OperState)
		}
		return err
	}
}

// change does damage to cables, or mends it, all at once.
func (s *networkSwitch) change(d damage, hurt bool, cables []cable) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var elements []string
	for _, c := range cables {
		if s.hurt[d][c] != hurt {
			elements = append(elements, fmt.Sprintf("%q . %q", c.from, c.to))
		}
	}
	if len(elements) == 0 {
		return nil
	}
	verb := "delete"
	if hurt {
		verb = "add"
	}
	if err := s.filter(fmt.Sprintf("%s element bridge lab %s { %s }", verb, d, strings.Join(elements, ", "))); err != nil {
		return err
	}
	for _, c := range cables {
		s.hurt[d][c] = hurt
	}
	return nil
}

func (s *networkSwitch) mend(cables []cable) error {
	return errors.Join(s.change(severed, false, cables), s.change(leaky, false, cables))
}

// filter gives nft(8) a script, which it applies as a whole or not at all.
func (s *networkSwitch) filter(script string) error {
	return inside(s.namespace, func() error {
		nft := exec.Command("nft", "-f", "-")
		nft.Stdin = strings.NewReader(script)
		if out, err := nft.CombinedOutput(); err != nil {
			return fmt.Errorf("nft: %w: %s", err, out)
		}
		return nil
	})
}

func (s *networkSwitch) close() error {
	if s.links != nil {
		s.links.Close()
	}
	if !s.namespace.IsOpen() {
		return nil
	}
	return s.namespace.Close()
}

// Cut cuts the cable from one host to another, in this direction only. Both
// links stay up.
func (l *Lab) Cut(from, to *Host) error {
	l.Note("cut the cable %s → %s", from.Name, to.Name)
	return l.network.change(severed, true, []cable{{from.Name, to.Name}})
}

// CutBoth cuts the cable between two hosts.
func (l *Lab) CutBoth(a, b *Host) error {
	l.Note("cut the cable %s ↔ %s", a.Name, b.Name)
	return l.network.change(severed, true, []cable{{a.Name, b.Name}, {b.Name, a.Name}})
}

// Isolate cuts a host off from all others. Its link stays up.
func (l *Lab) Isolate(h *Host) error {
	l.Note("cut %s off from all", h.Name)
	return l.network.change(severed, true, l.cables(func(c cable) bool { return c.from == h.Name || c.to == h.Name }))
}

// Lose loses three of ten frames between two hosts, at random.
func (l *Lab) Lose(a, b *Host) error {
	l.Note("lose frames %s ↔ %s", a.Name, b.Name)
	return l.network.change(leaky, true, []cable{{a.Name, b.Name}, {b.Name, a.Name}})
}

// Heal mends the cable between two hosts, in both directions.
func (l *Lab) Heal(a, b *Host) error {
	l.Note("mend the cable %s ↔ %s", a.Name, b.Name)
	return l.network.mend([]cable{{a.Name, b.Name}, {b.Name, a.Name}})
}

// HealAll mends every cable.
func (l *Lab) HealAll() error {
	l.Note("mend all cables")
	return l.network.mend(l.cables(func(cable) bool { return true }))
}

// cables lists the directed cables that match.
func (l *Lab) cables(match func(cable) bool) []cable {
	var found []cable
	for _, a := range l.hosts {
		for _, b := range l.hosts {
			if c := (cable{a.Name, b.Name}); a != b && match(c) {
				found = append(found, c)
			}
		}
	}
	return found
}

// Unplug takes a host's carrier away, as when its cable is pulled out: unlike
// after a cut, the host itself notices.
func (l *Lab) Unplug(h *Host) error {
	l.Note("unplug %s", h.Name)
	port, err := l.network.links.LinkByName(h.Name)
	if err != nil {
		return err
	}
	return l.network.links.LinkSetDown(port)
}

// Plug gives the carrier back.
func (l *Lab) Plug(ctx context.Context, h *Host) error {
	l.Note("plug %s in", h.Name)
	return l.network.enable(ctx, h)
}
