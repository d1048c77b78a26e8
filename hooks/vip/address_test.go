package vip_test

import (
	"errors"
	"io/fs"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"redis-vip/hooks/vip"
)

func TestHeldIsExact(t *testing.T) {
	enter(t)
	name := iface(t, "10.0.0.10/24", "110.0.0.1/24", "10.0.0.100/32", "2001:db8::10/64")
	for s, want := range map[string]bool{
		"10.0.0.10/24":     true,
		"10.0.0.10/32":     true, // The prefix length is no part of the identity.
		"10.0.0.10/8":      true,
		"110.0.0.1/24":     true,
		"10.0.0.1/24":      false,
		"10.0.0.0/24":      false,
		"0.0.0.10/24":      false,
		"127.0.0.1/32":     true,
		"2001:db8::10/128": true,
		"2001:db8::1/64":   false,
	} {
		held(t, at(s), want)
	}

	// Nor is removing and adding any less exact.
	before := cidrs(t, name)
	changed(t, false)(at("10.0.0.1/24").Remove())
	changed(t, false)(at("10.0.0.0/24").Remove())
	equal(t, "addresses", cidrs(t, name), before)
	changed(t, true)(at("10.0.0.1/24").Add())
	changed(t, true)(at("10.0.0.10/8").Remove())
	equal(t, "addresses", cidrs(t, name), []string{"110.0.0.1/24", "10.0.0.100/32", "10.0.0.1/32", "2001:db8::10/64"})
}

func TestAddAndRemoveAreIdempotent(t *testing.T) {
	enter(t)
	name := iface(t, "192.0.2.1/24", "2001:db8::1/64")
	before := cidrs(t, name)
	for s, as := range map[string]string{
		"192.0.2.4/24": "192.0.2.4/32", // the subnet is there
		"192.0.2.4/16": "192.0.2.4/16", // this one is not
		"192.0.2.4/32": "192.0.2.4/32", "2001:db8::4/64": "2001:db8::4/64", "2001:db8::4/128": "2001:db8::4/128",
	} {
		v := at(s)
		changed(t, false)(v.Remove())
		changed(t, true)(v.Add())
		changed(t, false)(v.Add())
		held(t, v, true)
		var found int
		for _, c := range cidrs(t, name) {
			if c == as {
				found++
			}
		}
		equal(t, "entries of "+s, found, 1)
		changed(t, true)(v.Remove())
		changed(t, false)(v.Remove())
		held(t, v, false)
		equal(t, "addresses", cidrs(t, name), before)
	}
}

// Where nothing else brings the subnet of the VIP, it does itself.
func TestAddBringsItsSubnet(t *testing.T) {
	enter(t)
	name := iface(t, "192.0.2.1/24")
	changed(t, true)(on(name, "198.51.100.4/24").Add())
	equal(t, "addresses", cidrs(t, name), []string{"192.0.2.1/24", "198.51.100.4/24"})
}

// What is here already is not added a second time with another prefix length
// or on another interface, and is removed wherever it is.
func TestHeldElsewhere(t *testing.T) {
	enter(t)
	a, b := iface(t, "192.0.2.1/24", "192.0.2.4/32"), iface(t, "198.51.100.1/24")
	v := on(b, "192.0.2.4/24")
	changed(t, false)(v.Add())
	equal(t, "addresses", cidrs(t, b), []string{"198.51.100.1/24"})

	address(t, b, "192.0.2.4/24")
	changed(t, true)(v.Remove())
	equal(t, "addresses", cidrs(t, a), []string{"192.0.2.1/24"})
	equal(t, "addresses", cidrs(t, b), []string{"198.51.100.1/24"})
}

// The VIP must not become the source of this host's own connections.
func TestSourceAddress(t *testing.T) {
	enter(t)
	iface(t, "192.0.2.1/24", "2001:db8::1/64")
	for s, dst := range map[string]string{
		"192.0.2.4/24":   "192.0.2.9",
		"192.0.2.5/32":   "192.0.2.9",
		"2001:db8::a/64": "2001:db8::9", // Shares more bits with ::9 than ::1 does.
	} {
		changed(t, true)(at(s).Add())
		c, err := net.Dial("udp", net.JoinHostPort(dst, "9"))
		must(t, err)
		src := netip.MustParseAddrPort(c.LocalAddr().String()).Addr()
		c.Close()
		if src == at(s).Prefix.Addr() {
			t.Errorf("a connection to %s comes from the VIP %s", dst, src)
		}
	}
}

// A carrier that goes and comes has the network's manager take the host's own address
// away and put it back. Meanwhile the kernel makes a secondary one of the same subnet the
// primary (promote_secondaries, which systemd sets), and it would stay that.
func TestSourceAddressAfterAFlap(t *testing.T) {
	enter(t)
	name := iface(t, "192.0.2.1/24")
	must(t, os.WriteFile("/proc/sys/net/ipv4/conf/"+name+"/promote_secondaries", []byte("1"), 0o644))
	v := at("192.0.2.4/24")
	changed(t, true)(v.Add())
	own, err := netlink.ParseAddr("192.0.2.1/24")
	must(t, err)
	must(t, netlink.AddrDel(link(t, name), own))
	held(t, v, true)
	must(t, netlink.AddrAdd(link(t, name), own))
	c, err := net.Dial("udp", "192.0.2.9:9")
	must(t, err)
	defer c.Close()
	if src := netip.MustParseAddrPort(c.LocalAddr().String()).Addr(); src == v.Prefix.Addr() {
		t.Errorf("a connection comes from the VIP %s", src)
	}
}

func TestIPv6Flags(t *testing.T) {
	enter(t)
	name := iface(t, "2001:db8::1/64")
	for _, s := range []string{"2001:db8::4/64", "2001:db8::5/128"} {
		changed(t, true)(at(s).Add())
		for _, a := range addresses(t, name) {
			if a.IPNet.String() != s {
				continue
			}
			if a.Flags&unix.IFA_F_NODAD == 0 || a.PreferedLft != 0 || uint32(a.ValidLft) != 0xffffffff {
				t.Errorf("%s: flags %#x, preferred %d s, valid %d s", s, a.Flags, a.PreferedLft, uint32(a.ValidLft))
			}
		}
	}
}

// An address that lost duplicate address detection is on the interface but of
// no use: it is not held, and adding it replaces it.
func TestDuplicate(t *testing.T) {
	enter(t)
	peer := newNamespace(t)
	here, there := cable(t, peer)
	v := on(here, "2001:db8::4/64")
	must(t, peer.do(func() error {
		l, err := netlink.LinkByName(there)
		if err != nil {
			return err
		}
		a, _ := netlink.ParseAddr("2001:db8::4/64")
		a.Flags = unix.IFA_F_NODAD
		return netlink.AddrAdd(l, a)
	}))

	events := watch(t)
	a, err := netlink.ParseAddr("2001:db8::4/64")
	must(t, err)
	must(t, netlink.AddrAdd(link(t, here), a))
	waitFor(t, events, "duplicate address detection failed", func(e addressEvent) bool {
		return e.Flags&unix.IFA_F_DADFAILED != 0
	})
	held(t, v, false)
	changed(t, true)(v.Add())
	held(t, v, true)
	changed(t, true)(v.Remove())
	equal(t, "addresses", cidrs(t, here), []string{})
}

// With promote_secondaries off, the kernel deletes secondary addresses with
// their primary one. Ours must never take the host's own along.
func TestRemoveKeepsOthers(t *testing.T) {
	const v = "192.0.2.4/24"
	for name, tt := range map[string]struct{ before, after []string }{
		"secondary":      {[]string{"192.0.2.1/24", v, "192.0.2.9/24"}, []string{"192.0.2.1/24", "192.0.2.9/24"}},
		"primary":        {[]string{v, "192.0.2.1/24", "192.0.2.9/24"}, []string{"192.0.2.1/24", "192.0.2.9/24"}},
		"single /32":     {[]string{"192.0.2.4/32", "192.0.2.1/24", "192.0.2.9/24"}, []string{"192.0.2.1/24", "192.0.2.9/24"}},
		"other length":   {[]string{v, "192.0.2.1/25", "192.0.2.9/25"}, []string{"192.0.2.1/25", "192.0.2.9/25"}},
		"other subnets":  {[]string{v, "192.0.2.1/24", "10.0.0.1/24", "10.0.0.2/24"}, []string{"10.0.0.1/24", "192.0.2.1/24", "10.0.0.2/24"}},
		"two lengths":    {[]string{v, "192.0.2.4/32", "192.0.2.1/24"}, []string{"192.0.2.1/24"}},
		"primary, alone": {[]string{v}, []string{}},
	} {
		t.Run(name, func(t *testing.T) {
			enter(t)
			sysctl(t, "0", "ipv4/conf/all/promote_secondaries")
			sysctl(t, "0", "ipv4/conf/default/promote_secondaries")
			other := iface(t, "192.0.2.77/24", "192.0.2.78/24")
			name := iface(t, tt.before...)
			sysctl(t, "0", "ipv4/conf", name, "promote_secondaries")
			gateway := len(tt.after) > 0
			if gateway {
				must(t, netlink.RouteAdd(&netlink.Route{LinkIndex: link(t, name).Attrs().Index, Gw: net.IPv4(192, 0, 2, 254)}))
			}
			events := watch(t)

			changed(t, true)(at(v).Remove())

			equal(t, "addresses", cidrs(t, name), tt.after)
			equal(t, "addresses of another interface", cidrs(t, other), []string{"192.0.2.77/24", "192.0.2.78/24"})
			routes, err := netlink.RouteList(link(t, name), netlink.FAMILY_V4)
			must(t, err)
			var defaults int
			for _, r := range routes {
				if r.Gw != nil {
					defaults++
				}
			}
			if gateway && defaults != 1 {
				t.Errorf("default route is gone: %v", routes)
			}
			// Not even for a moment.
			address(t, name, "203.0.113.1/24")
			waitFor(t, events, "the end", func(e addressEvent) bool {
				if ip := e.LinkAddress.IP.String(); !e.NewAddr && ip != "192.0.2.4" {
					t.Errorf("%s was deleted", ip)
				}
				return isNew(netip.MustParseAddr("203.0.113.1"))(e)
			})
		})
	}
}

func TestConcurrentAddAndRemove(t *testing.T) {
	enter(t)
	name := iface(t, "192.0.2.1/24", "2001:db8::1/64")
	here := current(t)
	before := cidrs(t, name)
	for _, v := range []vip.VIP{at("192.0.2.4/24"), at("192.0.2.4/32"), at("2001:db8::4/64")} {
		for _, last := range []bool{true, false} {
			var wg sync.WaitGroup
			start := make(chan struct{})
			for range 200 {
				add := rand.IntN(2) == 0
				wg.Go(func() {
					err := here.do(func() error {
						<-start
						var err error
						if add {
							_, err = v.Add()
						} else {
							_, err = v.Remove()
						}
						return err
					})
					if err != nil {
						t.Error(err)
					}
				})
			}
			close(start)
			wg.Wait()

			var err error
			if last {
				_, err = v.Add()
			} else {
				_, err = v.Remove()
			}
			must(t, err)
			held(t, v, last)
			want := len(before)
			if last {
				want++
			}
			equal(t, "number of addresses", len(cidrs(t, name)), want)
		}
	}
	equal(t, "addresses", cidrs(t, name), before)
}

// withoutCapability gives up one capability of the test's thread, which ends
// with the test.
func withoutCapability(t *testing.T, capability uint) {
	t.Helper()
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	must(t, unix.Capget(&header, &data[0]))
	data[capability/32].Effective &^= 1 << (capability % 32)
	must(t, unix.Capset(&header, &data[0]))
}

func TestWithoutNetAdmin(t *testing.T) {
	enter(t)
	name := iface(t, "192.0.2.1/24", "192.0.2.5/24", "2001:db8::1/64", "2001:db8::5/64")
	withoutCapability(t, unix.CAP_NET_ADMIN)
	before := cidrs(t, name)
	for _, s := range []string{"192.0.2.4/24", "2001:db8::4/64"} {
		_, err := at(s).Add()
		fails(t, err, fs.ErrPermission, "CAP_NET_ADMIN")
		_, err = at(s).Take(bounded(t))
		fails(t, err, fs.ErrPermission, "CAP_NET_ADMIN")
	}
	// The first is the primary address of another.
	for _, s := range []string{"192.0.2.1/24", "192.0.2.5/24", "2001:db8::5/64"} {
		held(t, at(s), true)
		_, err := at(s).Remove()
		fails(t, err, fs.ErrPermission, "CAP_NET_ADMIN")
	}
	equal(t, "addresses", cidrs(t, name), before)
}

// Without the right to announce, the address is still brought up: neighbours
// find it when their caches expire.
func TestWithoutNetRaw(t *testing.T) {
	enter(t)
	here, _ := cable(t, newNamespace(t))
	withoutCapability(t, unix.CAP_NET_RAW)
	for _, s := range []string{"192.0.2.4/24", "2001:db8::4/64"} {
		v := on(here, s)
		for _, want := range []bool{true, false} {
			got, err := v.Take(bounded(t))
			equal(t, "changed", got, want)
			fails(t, err, vip.ErrNotAnnounced, "CAP_NET_RAW")
			fails(t, err, fs.ErrPermission, "")
			held(t, v, true)
		}
	}
}

func TestIPv6Disabled(t *testing.T) {
	enter(t)
	name := iface(t)
	sysctl(t, "1", "ipv6/conf", name, "disable_ipv6")
	_, err := on(name, "2001:db8::4/64").Add()
	if err == nil || errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "disable_ipv6=0") {
		t.Fatalf("unexpected error: %v", err)
	}
}

func TestInvalid(t *testing.T) {
	mapped := vip.VIP{Prefix: netip.PrefixFrom(netip.MustParseAddr("::ffff:192.0.2.4"), 120)}
	for _, v := range []vip.VIP{{}, mapped, at("0.0.0.0/24"), at("224.0.0.1/24"), at("255.255.255.255/32"), at("::/64"), at("ff02::1/128")} {
		_, held := v.Held()
		_, add := v.Add()
		_, remove := v.Remove()
		_, take := v.Take(t.Context())
		for _, err := range []error{held, add, remove, take, v.Announce(t.Context())} {
			if err == nil {
				t.Errorf("%q was accepted", v)
			}
		}
	}
}
