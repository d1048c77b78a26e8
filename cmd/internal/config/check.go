package config

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"redis-vip/hooks/preserve"
)

// checker turns texts into values and collects every problem on the way.
type checker struct {
	problems []error
}

func (c *checker) fail(p place, what, remedy string) {
	c.problems = append(c.problems, p.error(what, remedy))
}

func (c *checker) err() error { return errors.Join(c.problems...) }

// group checks what can be checked without opening a file.
func (c *checker) group(name string, raw fileGroup, from origin) Group {
	g := Group{
		Name: name, Interface: raw.Interface, Username: raw.Username, SentinelUsername: raw.SentinelUsername,
		WitnessUsername: raw.WitnessUsername,
		origin:          from,
	}
	c.name(name, from)
	g.Nodes = c.nodes(raw.Nodes, DefaultNodePort, from.place("nodes"))
	g.VIPs = c.vips(raw.VIPs, from.place("vips"))
	g.Sentinels = c.nodes(raw.Sentinels, DefaultSentinelPort, from.place("sentinels"))
	if len(raw.Nodes) == 0 {
		c.fail(from.place("nodes"), "no nodes", `list every Redis of the group: nodes = ["192.168.0.1:6379", "192.168.0.2:6379"]`)
	}
	g.Timeout = c.duration(raw.Timeout, DefaultTimeout, from.place("timeout"))
	g.PeerTimeout = c.duration(raw.PeerTimeout, DefaultPeerTimeout, from.place("peer_timeout"))
	g.HookTimeout = c.duration(raw.HookTimeout, DefaultHookTimeout, from.place("hook_timeout"))
	g.BootWait = c.duration(raw.BootWait, DefaultBootWait, from.place("boot_wait"))
	g.FenceAfter = c.duration(raw.FenceAfter, DefaultFenceAfter, from.place("fence_after"))
	g.Gateway = c.gateway(raw.Gateway, from.place("gateway"))
	g.Witnesses = c.nodes(raw.Witnesses, DefaultNodePort, from.place("witnesses"))
	c.witnesses(g, from.place("witnesses"))
	if err := g.Preserve.UnmarshalText([]byte(cmp.Or(raw.Preserve, preserve.Require.String()))); err != nil {
		c.fail(from.place("preserve"), fmt.Sprintf("%q is no such policy", raw.Preserve), `write "require", "try" or "off"`)
	}
	if g.Keep = cmp.Or(raw.Keep, DefaultKeep); g.Keep < 0 {
		c.fail(from.place("keep"), fmt.Sprintf("%d is no number of files", raw.Keep), "write one from 1 on")
	}
	g.Socket = c.path(raw.Socket, from.place("socket"))
	c.path(raw.PasswordFile, from.place("password_file"))
	c.path(raw.SentinelPasswordFile, from.place("sentinel_password_file"))
	c.path(raw.WitnessPasswordFile, from.place("witness_password_file"))
	if n := len(raw.Socket); n > 107 {
		c.fail(from.place("socket"), fmt.Sprintf("is %d bytes long", n), "the kernel takes no more than 107 for a socket")
	}
	// The kernel's own rule (dev_valid_name), so that a typo is found here.
	if i := raw.Interface; len(i) > 15 || i == "." || i == ".." || strings.ContainsAny(i, "/: \t\n") {
		c.fail(from.place("interface"), fmt.Sprintf("%q cannot be the name of an interface", i), "see ip link")
	}
	if t := raw.TLS; t != nil {
		c.path(t.CA, from.place("tls.ca"))
		c.path(t.Cert, from.place("tls.cert"))
		c.path(t.Key, from.place("tls.key"))
		switch {
		case t.Cert != "" && t.Key == "":
			c.fail(from.place("tls.cert"), "has no key", "name its private key as key")
		case t.Key != "" && t.Cert == "":
			c.fail(from.place("tls.key"), "has no certificate", "name its certificate as cert")
		}
	}
	return g
}

// name allows what Sentinel allows for a master, less what would be no name of
// a file.
func (c *checker) name(name string, from origin) {
	p := from.place("")
	bad := func(what string) {
		if from.doc == nil {
			p = from.place("group")
		}
		c.fail(p, what, "use letters, digits, and . - _ inside, at most 64, as in [group.mymaster]")
	}
	if name == "" {
		bad("the name of the group is empty")
		return
	}
	for _, r := range name {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune(".-_", r) {
			bad(fmt.Sprintf("the name of the group %q contains %q", name, r))
			return
		}
	}
	if name[0] == '.' || name[0] == '-' || len(name) > 64 {
		bad(fmt.Sprintf("%q cannot be the name of a group", name))
	}
}

func (c *checker) nodes(texts []string, port uint16, p place) []netip.AddrPort {
	out := make([]netip.AddrPort, 0, len(texts))
	for i, text := range texts {
		node, bad := parseNode(text, port)
		switch {
		case bad.what != "":
			c.fail(p.at(i), bad.what, bad.remedy)
		case slices.Contains(out, node):
			c.fail(p.at(i), fmt.Sprintf("%s is listed twice", node), "remove one")
		default:
			out = append(out, node)
		}
	}
	return out
}

func (c *checker) vips(texts []string, p place) []netip.Prefix {
	out := make([]netip.Prefix, 0, len(texts))
	for i, text := range texts {
		vip, bad := parseVIP(text)
		if bad.what != "" {
			c.fail(p.at(i), bad.what, bad.remedy)
			continue
		}
		out = append(out, vip)
	}
	return out
}

// gateway needs its port: there is no usual one.
func (c *checker) gateway(text string, p place) netip.AddrPort {
	if text == "" {
		return netip.AddrPort{}
	}
	gateway, bad := parseNode(text, 0)
	switch {
	case bad.what != "":
		c.fail(p, bad.what, bad.remedy)
	case gateway.Port() == 0:
		c.fail(p, fmt.Sprintf("%q has no port", text), `name one that answers or refuses, as in "192.168.0.254:53"`)
	}
	return gateway
}

// witnesses refuses what would be no third vote.
func (c *checker) witnesses(g Group, p place) {
	switch n := len(g.Witnesses); {
	case n == 0:
		return
	case n%2 == 0:
		c.fail(p, fmt.Sprintf("are %d", n), "name one, or three: of an even number more must live for a majority, and none is gained")
	case len(g.Sentinels) > 0:
		c.fail(p, "are for a pair under keepalived", "take them out: under Sentinel its own majority decides")
	case len(g.Nodes) != 2:
		c.fail(p, fmt.Sprintf("are for a pair, and there are %d nodes", len(g.Nodes)), "take them out, or use Sentinel")
	}
	for i, witness := range g.Witnesses {
		if !witness.Addr().IsLoopback() && slices.ContainsFunc(g.Nodes, func(n netip.AddrPort) bool { return n.Addr() == witness.Addr() }) {
			c.fail(p.at(i), fmt.Sprintf("%s is on the host of a node", witness), "a third host has the third vote")
		}
	}
}

// Below a millisecond or so nothing answers; Sentinel kills its scripts after
// a minute, and no failover waits that long.
const (
	shortest = 10 * time.Millisecond
	longest  = 55 * time.Second
)

func (c *checker) duration(text string, otherwise time.Duration, p place) time.Duration {
	if text == "" {
		return otherwise
	}
	const remedy = `write a number and its unit, from 10ms to 55s, as in "900ms"`
	d, err := time.ParseDuration(text)
	switch {
	case err != nil && strings.Trim(text, "0123456789.") == "":
		c.fail(p, fmt.Sprintf("%q has no unit", text), remedy)
	case err != nil:
		c.fail(p, fmt.Sprintf("%q is not a duration", text), remedy)
	case d <= 0:
		c.fail(p, fmt.Sprintf("%q is not positive", text), remedy)
	case d < shortest:
		c.fail(p, fmt.Sprintf("%q is too short for any answer", text), remedy)
	case d > longest:
		c.fail(p, fmt.Sprintf("%q is too long", text), remedy)
	default:
		return d
	}
	return otherwise
}

// path refuses what would depend on the directory a program is started in.
func (c *checker) path(text string, p place) string {
	if text == "" {
		return ""
	}
	if !filepath.IsAbs(text) {
		c.fail(p, fmt.Sprintf("%q is a relative path", text), "write the whole path, from / on")
		return ""
	}
	return filepath.Clean(text)
}

// across checks what no group can see alone: each address has one purpose. The
// lists are short, and groups with problems of their own take part as far as
// they were understood.
func (c *checker) across(groups []Group) {
	// A value that failed is missing in the parsed list, so its index is not
	// the one in the file: those groups have been reported already.
	if len(c.problems) > 0 {
		return
	}
	for i, g := range groups {
		for j, vip := range g.VIPs {
			p := g.origin.place("vips").at(j)
			ip := vip.Addr()
			if other, ok := firstVIP(groups, ip, i, j); ok {
				c.fail(p, fmt.Sprintf("%s is listed twice%s", ip, in(other, g)), "a VIP belongs to one group, once")
				continue
			}
			for _, other := range groups {
				if slices.ContainsFunc(other.Nodes, func(n netip.AddrPort) bool { return n.Addr() == ip }) {
					c.fail(p, fmt.Sprintf("%s is the address of a node%s", ip, in(other, g)),
						"a VIP moves between the hosts: use an address that no host owns")
					break
				}
				if slices.ContainsFunc(other.Sentinels, func(s netip.AddrPort) bool { return s.Addr() == ip }) {
					c.fail(p, fmt.Sprintf("%s is the address of a Sentinel%s", ip, in(other, g)),
						"a VIP moves between the hosts: use an address that no host owns")
					break
				}
			}
		}
		for j, node := range g.Nodes {
			for _, other := range groups[:i] {
				if slices.Contains(other.Nodes, node) {
					c.fail(g.origin.place("nodes").at(j), fmt.Sprintf("%s is a node of the group %s too", node, other.Name),
						"a Redis belongs to one group")
				}
			}
		}
	}
}

// firstVIP finds an earlier use of ip as a VIP than the j-th of groups[i].
func firstVIP(groups []Group, ip netip.Addr, i, j int) (Group, bool) {
	for k, g := range groups[:i+1] {
		for l, vip := range g.VIPs {
			if (k < i || l < j) && vip.Addr() == ip {
				return g, true
			}
		}
	}
	return Group{}, false
}

func in(other, g Group) string {
	if other.Name == g.Name {
		return ""
	}
	return " (group " + other.Name + ")"
}
