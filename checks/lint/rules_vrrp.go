package lint

import (
	"net/netip"
	"slices"

	"redis-vip/checks/lint/keepalived"
)

var vrrpRules = []rule{
	{
		"peer-is-self", Error, "unicast_peer names this host: $1", "Adverts go to this host and not to the other: both become MASTER.", "write the other host's address", peerIsSelf,
	},
	{
		"peer-is-stranger", Warning, "unicast_peer $1 is none of the nodes $2", "Adverts go where nobody waits for them: both hosts become MASTER.", "write the other node's address", peerIsStranger,
	},
	{
		"peer-missing", Error, "unicast_peer does not name $1", "It hears no adverts from here, and becomes MASTER as well.", "write $1 into unicast_peer", peerMissing,
	},
	{
		"vrid-differs", Error, "virtual_router_id is $1 here and $2 in $3", "The hosts do not listen to each other: both become MASTER.", "write the same number on both", differs("virtual_router_id", ""),
	},
	{
		"advert-int-differs", Error, "advert_int is $1 here and $2 in $3", "VRRPv2 drops adverts with another interval: both hosts become MASTER.", "write the same number on both", advertIntDiffers,
	},
	{
		"auth-differs", Error, "authentication is not the same as in $1", "The hosts refuse each other's adverts: both become MASTER.", "write the same auth_type and auth_pass on both", authDiffers,
	},
	{
		"vips-differ", Error, "virtual_ipaddress is not the same as in $1", "Which address is served depends on the host.", "write the same addresses on both", vipsDiffer,
	},
}

// peers visits the unicast_peer of each instance.
func (h *Host) peers(visit func(v, block *keepalived.Statement, peers []netip.Addr)) {
	for _, v := range instances(h.Keepalived) {
		for _, block := range v.All("unicast_peer") {
			var list []netip.Addr
			for _, s := range block.Body {
				addr, err := netip.ParseAddr(s.Words[0])
				if err != nil {
					list = nil
					break
				}
				list = append(list, addr.Unmap())
			}
			if len(list) > 0 {
				visit(v, block, list)
			}
		}
	}
}

// self is the address that the instance sends from: what it says, or else the node that
// this host is.
func (h *Host) self(v *keepalived.Statement) (netip.Addr, bool) {
	if s := v.Last("unicast_src_ip"); s != nil {
		addr, err := netip.ParseAddr(s.Value(1))
		return addr.Unmap(), err == nil
	}
	g, found := h.vrrpGroup(v)
	return g.Self.Addr(), found && g.Self.IsValid()
}

// vrrpGroup is the group whose VIP the instance has.
func (h *Host) vrrpGroup(v *keepalived.Statement) (Group, bool) {
	one := &keepalived.File{Statements: []*keepalived.Statement{v}}
	list, _ := virtuals(one)
	for _, g := range h.Groups {
		for _, vip := range g.VIPs {
			if slices.ContainsFunc(list, func(a virtual) bool { return a.addr == vip.Addr() }) {
				return g, true
			}
		}
	}
	return Group{}, false
}

func peerIsSelf(h *Host) (hits []hit) {
	h.peers(func(v, block *keepalived.Statement, peers []netip.Addr) {
		self, known := h.self(v)
		if i := slices.Index(peers, self); known && i >= 0 {
			hits = append(hits, at(block.Body[i].Position, self.String()))
		}
	})
	return hits
}

// strangers are the peers that are no nodes. Where VRRP has a network of its own, no
// address is a node's, and nothing can be said.
func (h *Host) strangers(v *keepalived.Statement, peers []netip.Addr) (indices []int, nodes []netip.Addr) {
	g, found := h.vrrpGroup(v)
	for _, n := range g.Nodes {
		nodes = append(nodes, n.Addr())
	}
	if self, known := h.self(v); !found || known && !slices.Contains(nodes, self) {
		return nil, nil
	}
	for i, peer := range peers {
		if !slices.Contains(nodes, peer) {
			indices = append(indices, i)
		}
	}
	return indices, nodes
}

func peerIsStranger(h *Host) (hits []hit) {
	h.peers(func(v, block *keepalived.Statement, peers []netip.Addr) {
		indices, nodes := h.strangers(v, peers)
		for _, i := range indices {
			hits = append(hits, at(block.Body[i].Position, peers[i].String(), join(nodes)))
		}
	})
	return hits
}

func peerMissing(h *Host) (hits []hit) {
	h.peers(func(v, block *keepalived.Statement, peers []netip.Addr) {
		self, known := h.self(v)
		indices, nodes := h.strangers(v, peers)
		if !known || len(indices) > 0 || slices.Contains(peers, self) {
			return // another rule's mistake
		}
		for _, node := range nodes {
			if node != self && !slices.Contains(peers, node) {
				hits = append(hits, at(block.Position, node.String()))
			}
		}
	})
	return hits
}

// others visits each instance with the one of the other host: that of the same name,
// or the only one.
func (h *Host) others(visit func(here, there *keepalived.Statement)) {
	here, there := instances(h.Keepalived), instances(h.Other.Keepalived)
	for _, v := range here {
		i := slices.IndexFunc(there, func(o *keepalived.Statement) bool { return o.Value(1) == v.Value(1) })
		switch {
		case i >= 0:
			visit(v, there[i])
		case len(here) == 1 && len(there) == 1:
			visit(v, there[0])
		}
	}
}

func differs(keyword, standard string) func(*Host) []hit {
	return func(h *Host) (hits []hit) {
		h.others(func(here, there *keepalived.Statement) {
			a, b := here.Last(keyword), there.Last(keyword)
			x, y := valueOr(a, standard), valueOr(b, standard)
			if x != y && x != "" && y != "" && !keepalived.Open(x+y) {
				hits = append(hits, at(placeOr(a, here), x, y, h.Other.Keepalived.File))
			}
		})
		return hits
	}
}

// advertIntDiffers is about VRRPv2: version 3 takes the master's interval.
func advertIntDiffers(h *Host) []hit {
	if global(h.Keepalived, "vrrp_version").Value(1) == "3" || slices.ContainsFunc(instances(h.Keepalived), func(v *keepalived.Statement) bool { return v.Last("version").Value(1) == "3" }) {
		return nil
	}
	return differs("advert_int", "1")(h)
}

func valueOr(s *keepalived.Statement, standard string) string {
	if s == nil {
		return standard
	}
	return s.Value(1)
}

func placeOr(s, block *keepalived.Statement) keepalived.Position {
	if s == nil {
		return block.Position
	}
	return s.Position
}

// authDiffers says no password.
func authDiffers(h *Host) (hits []hit) {
	h.others(func(here, there *keepalived.Statement) {
		a, b := here.Last("authentication"), there.Last("authentication")
		for _, keyword := range []string{"auth_type", "auth_pass"} {
			x, y := a.Last(keyword).Value(1), b.Last(keyword).Value(1)
			if x != y && !keepalived.Open(x+y) {
				hits = append(hits, at(placeOr(a.Last(keyword), here), h.Other.Keepalived.File))
				return
			}
		}
	})
	return hits
}

func vipsDiffer(h *Host) (hits []hit) {
	h.others(func(here, there *keepalived.Statement) {
		addresses := func(v *keepalived.Statement) (texts []string, complete bool) {
			list, complete := virtuals(&keepalived.File{Statements: []*keepalived.Statement{v}})
			for _, a := range list {
				texts = append(texts, a.addr.String())
			}
			slices.Sort(texts)
			return texts, complete
		}
		a, whole := addresses(here)
		b, wholeToo := addresses(there)
		if whole && wholeToo && !slices.Equal(a, b) {
			hits = append(hits, at(placeOr(here.Last("virtual_ipaddress"), here), h.Other.Keepalived.File))
		}
	})
	return hits
}
