package config

import (
	"fmt"
	"net/netip"
	"strings"
)

// problem is why a value is refused. Its zero value: it is not.
type problem struct{ what, remedy string }

// parseNode reads "192.168.0.1", "192.168.0.1:6379", "[fd00::1]" or
// "[fd00::1]:6379".
func parseNode(text string, defaultPort uint16) (netip.AddrPort, problem) {
	example := fmt.Sprintf(`write it as "192.168.0.1:%d" or "[fd00::1]:%d"`, defaultPort, defaultPort)
	var out netip.AddrPort
	if inner, ok := strings.CutPrefix(text, "["); ok && strings.HasSuffix(inner, "]") {
		ip, err := netip.ParseAddr(strings.TrimSuffix(inner, "]"))
		if err != nil || !ip.Is6() {
			return out, problem{fmt.Sprintf("%q is not an IPv6 address", text), example}
		}
		out = netip.AddrPortFrom(ip, defaultPort)
	} else if ip, err := netip.ParseAddr(text); err == nil {
		if ip.Is6() {
			// fd00::1:6379 is an address too, and not the one that was meant.
			return out, problem{
				fmt.Sprintf("%q does not show where the address ends and the port begins", text),
				fmt.Sprintf(`write it as "[fd00::1]:%d"`, defaultPort),
			}
		}
		out = netip.AddrPortFrom(ip, defaultPort)
	} else if out, err = netip.ParseAddrPort(text); err != nil {
		host, port, found := text, "", false
		if i := strings.LastIndexByte(text, ':'); i >= 0 {
			host, port, found = text[:i], text[i+1:], true
		}
		switch _, err := netip.ParseAddr(strings.Trim(host, "[]")); {
		case err == nil && found:
			return out, problem{fmt.Sprintf("%q has no valid port: %q", text, port), "a port is a number from 1 to 65535"}
		case looksLikeName(host):
			return out, problem{
				fmt.Sprintf("%q is a host name", text),
				"write the IP address: a resolver has no bound and no place in a failover",
			}
		}
		return out, problem{fmt.Sprintf("%q is not an address", text), example}
	}
	if out.Port() == 0 {
		return out, problem{fmt.Sprintf("%q has port 0", text), "a port is a number from 1 to 65535"}
	}
	return out, unusable(out.Addr(), text)
}

// parseVIP reads "192.168.0.4/24", or a bare address, which stands alone.
func parseVIP(text string) (netip.Prefix, problem) {
	var none netip.Prefix
	if ip, err := netip.ParseAddr(text); err == nil {
		return netip.PrefixFrom(ip, ip.BitLen()), unusable(ip, text)
	}
	vip, err := netip.ParsePrefix(text)
	if err != nil {
		host, bits, _ := strings.Cut(text, "/")
		ip, err := netip.ParseAddr(host)
		switch {
		case err == nil && ip.Zone() == "":
			return none, problem{
				fmt.Sprintf("%q has no valid prefix length: %q", text, bits),
				fmt.Sprintf("the length is the number of the subnet's bits, 1 to %d, as in 24", ip.BitLen()),
			}
		case err != nil && looksLikeName(host):
			return none, problem{
				fmt.Sprintf("%q is a host name", text),
				"write the IP address: a resolver has no bound and no place in a failover",
			}
		}
		return none, problem{fmt.Sprintf("%q is not an address with its prefix length", text), `write it as "192.168.0.4/24" or "fd00::4/64"`}
	}
	if p := unusable(vip.Addr(), text); p.what != "" {
		return none, p
	}
	ip := vip.Addr()
	switch {
	case vip.Bits() == 0:
		return none, problem{fmt.Sprintf("%q has the prefix length 0", text), "write the length of its subnet, as in /24"}
	case ip.BitLen()-vip.Bits() > 1 && ip == vip.Masked().Addr():
		return none, problem{fmt.Sprintf("%q is the address of a whole network", text), "write the address that clients connect to"}
	case ip.Is4() && ip.BitLen()-vip.Bits() > 1 && !vip.Contains(ip.Next()):
		return none, problem{fmt.Sprintf("%q is the broadcast address of its network", text), "write the address that clients connect to"}
	}
	return vip, problem{}
}

// unusable refuses addresses that no server can have, or that do not mean the
// same on every host.
func unusable(ip netip.Addr, text string) problem {
	switch {
	case ip.Zone() != "":
		return problem{fmt.Sprintf("%q names an interface", text), "the file is the same on every host: use an address without %…"}
	case ip.Is4In6():
		return problem{fmt.Sprintf("%q is an IPv4 address in IPv6 form", text), "write " + ip.Unmap().String()}
	case ip.IsUnspecified():
		return problem{fmt.Sprintf("%q is the address of no host", text), "write the one that the other hosts connect to"}
	case ip.IsMulticast(), ip == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return problem{fmt.Sprintf("%q is an address of many hosts", text), "write the address of one"}
	}
	return problem{}
}

// looksLikeName is true for what could only be resolved.
func looksLikeName(host string) bool {
	letters := false
	for _, r := range host {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r == '_':
			letters = true
		case r >= '0' && r <= '9', r == '.', r == '-':
		default:
			return false
		}
	}
	return letters
}
