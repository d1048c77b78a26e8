package config

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Self finds this host among the nodes by its addresses (those of all its
// interfaces; zones and IPv4 in IPv6 form do not matter) and returns the
// others as peers, in the order of the file.
//
// An [Overrides.Node] decides instead, unless it is the address of another
// host while a node's address is here: then someone copied it. It fails with an
// *[Error] where no node or more than one is here.
func (g Group) Self(addresses []netip.Addr) (self netip.AddrPort, peers []netip.AddrPort, err error) {
	here := make([]netip.Addr, 0, len(addresses))
	for _, a := range addresses {
		here = append(here, a.Unmap().WithZone(""))
	}
	var mine []netip.AddrPort
	for _, n := range g.Nodes {
		if slices.Contains(here, n.Addr()) {
			mine = append(mine, n)
		}
	}
	nodes := g.origin.place("nodes")
	switch {
	case g.node.IsValid():
		// A host behind address translation has no node's address: believe it.
		if len(mine) > 0 && !slices.Contains(mine, g.node) {
			return self, nil, g.origin.nodeFlag().error(
				fmt.Sprintf("%s is another host: this one has %s", g.node, join(mine)),
				"remove it, or say which node this host is")
		}
		self = g.node
	case len(mine) == 0:
		return self, nil, nodes.error(
			fmt.Sprintf("this host is none of the nodes %s: its addresses are %s", join(g.Nodes), join(here)),
			"correct nodes, or say which node this host is with "+flagLabel("node"))
	case len(mine) > 1:
		return self, nil, nodes.error(
			fmt.Sprintf("this host is more than one of the nodes: %s", join(mine)),
			"say which one is meant with "+flagLabel("node"))
	default:
		self = mine[0]
	}
	for _, n := range g.Nodes {
		if n != self {
			peers = append(peers, n)
		}
	}
	return self, peers, nil
}

// nodeFlag is the place of the one value that the file cannot hold.
func (o origin) nodeFlag() place {
	return place{origin{overridden: map[string]bool{"node": true}}, "node", -1}
}

// chooseNode sets which node this host is, by override.
func (c *checker) chooseNode(g *Group, text string) {
	p := g.origin.nodeFlag()
	ip, err := netip.ParseAddr(text)
	if err != nil {
		node, bad := parseNode(text, DefaultNodePort)
		if bad.what != "" {
			c.fail(p, bad.what, bad.remedy)
			return
		}
		if strings.HasPrefix(text, "[") && strings.HasSuffix(text, "]") {
			ip = node.Addr()
		} else {
			if !slices.Contains(g.Nodes, node) {
				c.fail(p, fmt.Sprintf("%s is none of the nodes %s", node, join(g.Nodes)), "name one of them")
				return
			}
			g.node = node
			return
		}
	}
	var found []netip.AddrPort
	for _, n := range g.Nodes {
		if n.Addr() == ip {
			found = append(found, n)
		}
	}
	switch len(found) {
	case 0:
		c.fail(p, fmt.Sprintf("%s is none of the nodes %s", ip, join(g.Nodes)), "name one of them")
	case 1:
		g.node = found[0]
	default:
		c.fail(p, fmt.Sprintf("%s is more than one of the nodes: %s", ip, join(found)), "name one with its port")
	}
}

func join[T fmt.Stringer](list []T) string {
	texts := make([]string, len(list))
	for i, v := range list {
		texts[i] = v.String()
	}
	if len(texts) == 0 {
		return "(none)"
	}
	return strings.Join(texts, ", ")
}
