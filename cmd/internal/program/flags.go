package program

import (
	"errors"
	"net/netip"
	"path/filepath"
	"strings"
	"time"

	"redis-vip/checks"
	"redis-vip/checks/host"
	"redis-vip/checks/node"
	"redis-vip/cmd/internal/config"
	"redis-vip/hooks"
	"redis-vip/hooks/vip"

	"github.com/urfave/cli/v2"
)

// common are the flags of every program that reads the configuration. Each has a
// variable, REDIS_VIP_ and its name: Sentinel gives its script no arguments of the
// operator's own. Secrets have a file or a variable, never a flag: the whole host
// can read a command line.
func common(more ...cli.Flag) []cli.Flag {
	flags := []cli.Flag{
		&cli.StringFlag{Name: "config", Usage: "read `FILE` instead of " + config.DefaultPath},
		&cli.StringFlag{Name: "group", Usage: "the `NAME` of the group; needed only where the file has several"},
		&cli.StringFlag{Name: "node", Usage: "which of the nodes this host is, as `ADDRESS[:PORT]`; needed only where several are on one host"},
		&cli.StringFlag{Name: "nodes", Usage: "the Redis servers, as `ADDRESS[:PORT],…`"},
		&cli.StringFlag{Name: "vips", Usage: "the service addresses, as `ADDRESS[/LENGTH],…`"},
		&cli.StringFlag{Name: "interface", Usage: "where the VIP goes, if not where its subnet is: `NAME`"},
		&cli.StringFlag{Name: "socket", Usage: "reach the local Redis through the unix socket `PATH`"},
		&cli.StringFlag{Name: "username", Usage: "ACL `USER`"},
		&cli.StringFlag{Name: "password-file", Usage: "`FILE` that holds the password; or put it in REDIS_VIP_PASSWORD or REDISCLI_AUTH"},
		&cli.BoolFlag{Name: "tls", Usage: "use TLS"},
		&cli.StringFlag{Name: "tls-ca", Usage: "use TLS and trust the authority in `FILE`"},
		&cli.StringFlag{Name: "tls-cert", Usage: "client certificate `FILE`"},
		&cli.StringFlag{Name: "tls-key", Usage: "its key `FILE`"},
		&cli.StringFlag{Name: "tls-server-name", Usage: "the certificate is for `NAME`, not for the address"},
		&cli.StringFlag{Name: "sentinels", Usage: "the Sentinels, as `ADDRESS[:PORT],…`; every node's port 26379 if not given"},
		&cli.StringFlag{Name: "sentinel-username", Usage: "ACL `USER` on the Sentinels"},
		&cli.StringFlag{Name: "sentinel-password-file", Usage: "`FILE` that holds the Sentinels' password; or put it in REDIS_VIP_SENTINEL_PASSWORD"},
		&cli.StringFlag{Name: "timeout", Usage: "of one question to the local Redis, and of redis-check as a whole: `DURATION`"},
		&cli.StringFlag{Name: "peer-timeout", Usage: "of one question to another node: `DURATION`"},
		&cli.StringFlag{Name: "hook-timeout", Usage: "of a hook as a whole: `DURATION`"},
		&cli.StringFlag{Name: "state-dir", Usage: "what has to survive a reboot is kept in `DIR`"},
		&cli.StringFlag{Name: "run-dir", Usage: "locks and the last verdict are kept in `DIR`"},
	}
	for _, flag := range flags {
		variable := []string{"REDIS_VIP_" + strings.ToUpper(strings.ReplaceAll(flag.Names()[0], "-", "_"))}
		switch f := flag.(type) {
		case *cli.StringFlag:
			f.EnvVars = variable
		case *cli.BoolFlag:
			f.EnvVars = variable
		}
	}
	return append(flags, more...)
}

func overrides(c *cli.Context) config.Overrides {
	return config.Overrides{
		Config: c.String("config"), Group: c.String("group"), Node: c.String("node"),
		Nodes: c.String("nodes"), VIPs: c.String("vips"), Interface: c.String("interface"), Socket: c.String("socket"),
		Username: c.String("username"), PasswordFile: c.String("password-file"),
		TLS: c.Bool("tls"), TLSCA: c.String("tls-ca"), TLSCert: c.String("tls-cert"), TLSKey: c.String("tls-key"),
		TLSServerName: c.String("tls-server-name"), Sentinels: c.String("sentinels"),
		SentinelUsername: c.String("sentinel-username"), SentinelPasswordFile: c.String("sentinel-password-file"),
		Timeout: c.String("timeout"), PeerTimeout: c.String("peer-timeout"), HookTimeout: c.String("hook-timeout"),
		StateDir: c.String("state-dir"), RunDir: c.String("run-dir"),
	}
}

// A seat is a group as this host sees it: which node it is, and which are the
// others.
type seat struct {
	config.Group
	self     netip.AddrPort
	peers    []netip.AddrPort
	warnings []error // to be told to the operator, loudly
}

// sit loads the configuration and finds this host in it. With fallback, a broken
// file is replaced by its last good copy: a typo in the common file must not take
// the service down on every host in the same second.
func sit(o config.Overrides, fallback bool) (seat, error) {
	group, source, err := config.Load(o, config.Options{Fallback: fallback})
	if err != nil {
		return seat{}, usageError{err}
	}
	addresses, err := host.Addresses()
	if err != nil {
		return seat{}, err
	}
	self, peers, err := group.Self(addresses)
	if err != nil {
		return seat{}, usageError{err}
	}
	return seat{group, self, peers, source.Warnings}, nil
}

// endpoint is how the node at addr is reached; the local one by its socket, where
// there is one.
func (s seat) endpoint(addr netip.AddrPort) node.Endpoint {
	e := node.Endpoint{Addr: addr, Username: s.Username, Password: s.Password.Reveal(), TLS: s.TLS}
	if addr == s.self {
		e.Socket = s.Socket
	}
	return e
}

func (s seat) local() hooks.Redis {
	return hooks.Redis{Endpoint: s.endpoint(s.self), Address: s.self, Timeout: s.Timeout}
}

func (s seat) others() []hooks.Server {
	var servers []hooks.Server
	for _, peer := range s.peers {
		servers = append(servers, hooks.Redis{Endpoint: s.endpoint(peer), Address: peer, Timeout: s.PeerTimeout})
	}
	return servers
}

func (s seat) sentinels() []hooks.Sentinel {
	var list []hooks.Sentinel
	for _, addr := range s.Sentinels {
		e := node.Endpoint{Addr: addr, Username: s.SentinelUsername, Password: s.SentinelPassword.Reveal(), TLS: s.TLS}
		list = append(list, hooks.RedisSentinel{Endpoint: e, Timeout: s.Timeout})
	}
	return list
}

func (s seat) vips() []vip.VIP {
	var list []vip.VIP
	for _, prefix := range s.VIPs {
		list = append(list, vip.VIP{Prefix: prefix, Interface: s.Interface})
	}
	return list
}

// where says whether any VIP of the group is on this host.
func (s seat) where() checks.Presence {
	if len(s.VIPs) == 0 {
		return checks.Unasked
	}
	var addresses []netip.Addr
	for _, prefix := range s.VIPs {
		addresses = append(addresses, prefix.Addr())
	}
	held, err := host.Holds(addresses...)
	switch {
	case err != nil:
		return checks.Unasked
	case held:
		return checks.Here
	default:
		return checks.Absent
	}
}

func (s seat) lock() hooks.Lock {
	return hooks.Lock{Path: filepath.Join(s.RunDir, s.Name+".lock")}
}

// retry is how long a hook waits before it tries a step again, and so how late it
// can notice that the VIP has moved, or that a master has appeared.
const retry = 50 * time.Millisecond

// oneLine joins warnings for a log field.
func oneLine(errs []error) string {
	return strings.ReplaceAll(errors.Join(errs...).Error(), "\n", "; ")
}
