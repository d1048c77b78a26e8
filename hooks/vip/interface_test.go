package vip_test

import (
	"testing"

	"github.com/vishvananda/netlink"

	"redis-vip/hooks/vip"
)

func TestInterfaceChoice(t *testing.T) {
	// In place of an interface's first address: it is not up.
	const notUp = "down"
	for name, tt := range map[string]struct {
		interfaces [][]string
		vip        string
		want       int // Index into interfaces; -1 for the loopback.
	}{
		"the only one":             {[][]string{{"10.0.0.1/24"}, {"192.0.2.1/24"}}, "192.0.2.4/24", 1},
		"a /32":                    {[][]string{{"10.0.0.1/24"}, {"192.0.2.1/24"}}, "192.0.2.4/32", 1},
		"second subnet":            {[][]string{{"10.0.0.1/24"}, {"10.9.0.1/24", "192.0.2.1/24"}}, "192.0.2.4/24", 1},
		"secondary address":        {[][]string{{"10.0.0.1/24"}, {"192.0.2.1/24", "192.0.2.2/24"}}, "192.0.2.4/24", 1},
		"longest prefix":           {[][]string{{"10.0.0.1/8"}, {"10.0.0.2/24"}, {"10.0.0.3/16"}}, "10.0.0.4/8", 1},
		"up before longest prefix": {[][]string{{notUp, "10.0.0.2/24"}, {"10.0.0.3/16"}}, "10.0.0.4/24", 1},
		"oldest of equals":         {[][]string{{"192.0.2.1/24"}, {"192.0.2.2/24"}}, "192.0.2.4/24", 0},
		"not a similar text":       {[][]string{{"110.0.0.1/24"}, {"10.0.0.1/24"}}, "10.0.0.4/24", 1},
		"a /32 holds only itself":  {[][]string{{"192.0.2.1/32"}, {"192.0.2.1/24"}}, "192.0.2.4/24", 1},
		"IPv6":                     {[][]string{{"2001:db8:1::1/64"}, {"2001:db8:2::1/64"}}, "2001:db8:2::4/64", 1},
		"IPv6 /128":                {[][]string{{"2001:db8:1::1/64"}, {"2001:db8:2::1/64"}}, "2001:db8:2::4/128", 1},
		"loopback for want of one": {[][]string{{"10.0.0.1/24"}}, "127.0.0.4/8", -1},
	} {
		t.Run(name, func(t *testing.T) {
			enter(t)
			names := []string{}
			for _, addrs := range tt.interfaces {
				isDown := addrs[0] == notUp
				if isDown {
					addrs = addrs[1:]
				}
				n := iface(t, addrs...)
				if isDown {
					down(t, n)
				}
				names = append(names, n)
			}
			want := "lo"
			if tt.want >= 0 {
				want = names[tt.want]
			}
			changed(t, true)(at(tt.vip).Add())
			for _, n := range append(names, "lo") {
				for _, c := range cidrs(t, n) {
					if c == tt.vip && n != want {
						t.Errorf("%s was added to %s, not to %s", c, n, want)
					}
				}
			}
			held(t, at(tt.vip), true)
		})
	}
}

// The loopback is not chosen while any other interface fits, however long its
// prefix.
func TestInterfaceBeforeLoopback(t *testing.T) {
	enter(t)
	address(t, "lo", "192.0.2.1/28")
	name := iface(t, "192.0.2.2/24")
	changed(t, true)(at("192.0.2.4/24").Add())
	equal(t, "addresses", cidrs(t, name), []string{"192.0.2.2/24", "192.0.2.4/32"})
}

func TestInterfacePointToPoint(t *testing.T) {
	enter(t)
	name := iface(t, "10.0.0.1/24")
	ptp := iface(t)
	a, err := netlink.ParseAddr("10.9.9.9/32")
	must(t, err)
	a.Peer, err = netlink.ParseIPNet("192.0.2.2/24")
	must(t, err)
	must(t, netlink.AddrAdd(link(t, ptp), a))

	held(t, at("10.9.9.9/32"), true)
	held(t, at("192.0.2.2/32"), false) // That is the peer.
	changed(t, true)(at("192.0.2.4/32").Add())
	changed(t, true)(at("10.9.9.9/32").Remove())
	equal(t, "addresses", cidrs(t, ptp), []string{"192.0.2.4/32"})
	equal(t, "addresses", cidrs(t, name), []string{"10.0.0.1/24"})
}

func TestNoInterface(t *testing.T) {
	enter(t)
	name := iface(t, "10.0.0.1/24")
	for _, tt := range []struct {
		vip    vip.VIP
		remedy string
	}{
		{at("192.168.0.4/24"), `no interface here has an address in 192.168.0.0/24: set interface = "…" in the group`},
		{at("192.168.0.4/32"), `no interface here has an address whose subnet contains 192.168.0.4: set interface = "…" in the group`},
		{at("2001:db8::4/64"), `no interface here has an address in 2001:db8::/64: set interface = "…" in the group`},
		{at("fe80::4/64"), `set interface = "…" in the group`},
		{on("eth77", "10.0.0.4/24"), `there is no eth77 on this host: correct interface = "eth77" in the group`},
	} {
		_, err := tt.vip.Add()
		fails(t, err, vip.ErrNoInterface, tt.remedy)
		_, err = tt.vip.Take(bounded(t))
		fails(t, err, vip.ErrNoInterface, tt.remedy)
		held(t, tt.vip, false)
	}
	equal(t, "addresses", cidrs(t, name), []string{"10.0.0.1/24"})
}

func TestInterfaceDown(t *testing.T) {
	enter(t)
	name := iface(t, "192.0.2.1/24")
	down(t, name)
	for _, v := range []vip.VIP{on(name, "192.0.2.4/24"), at("192.0.2.4/24"), on(name, "2001:db8::4/64")} {
		_, err := v.Add()
		fails(t, err, vip.ErrInterfaceDown, "ip link set "+name+" up")
		_, err = v.Take(bounded(t))
		fails(t, err, vip.ErrInterfaceDown, "ip link set "+name+" up")
		held(t, v, false)
	}
	// An address that is there already can still be taken off.
	changed(t, true)(at("192.0.2.1/24").Remove())
}
