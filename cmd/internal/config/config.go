package config

import (
	"crypto/tls"
	"net/netip"
	"time"

	"redis-vip/hooks/preserve"
)

// Where the programs look, and how long they wait, when nothing else is said.
const (
	DefaultPath        = "/etc/redis-vip/redis-vip.toml"
	DefaultGroup       = "default" // the group made of flags alone
	DefaultStateDir    = "/var/lib/redis-vip"
	DefaultRunDir      = "/run/redis-vip"
	DefaultTimeout     = 900 * time.Millisecond // below keepalived's shortest interval, 1 s
	DefaultPeerTimeout = 250 * time.Millisecond
	DefaultHookTimeout = 10 * time.Second
	DefaultBootWait    = 30 * time.Second
	DefaultFenceAfter  = 5 * time.Second
	DefaultKeep        = 10 // preserved files of a group

	// DefaultNodePort and DefaultSentinelPort complete an address without one.
	DefaultNodePort     = 6379
	DefaultSentinelPort = 26379
)

// Group is one set of Redis nodes behind one set of virtual addresses. Every
// value has been checked; defaults are filled in.
type Group struct {
	// Name is the name Sentinel knows the master by. It is safe as the name of
	// a file.
	Name string
	// VIPs are the virtual addresses. The address part keeps its host bits:
	// 192.168.0.4/24 stays that. May be empty: see [Group.NeedVIPs].
	VIPs []netip.Prefix
	// Nodes are all Redis servers of the group, this host's among them, in the
	// order of the file. At least one. See [Group.Self].
	Nodes []netip.AddrPort
	// Interface carries the VIPs. Empty: the one whose subnet holds them.
	Interface string
	// Socket is the absolute path of the local Redis's Unix socket, or empty.
	Socket string
	// Username is the ACL user on the nodes. Empty: the default user.
	Username string
	// Password is zero where none is configured.
	Password Secret
	// TLS is nil where connections are plain. It names no server unless
	// server_name does: clone it and set ServerName to the node's address.
	TLS *tls.Config
	// Sentinels are where to ask first; the others are discovered. Empty: the
	// group is not under Sentinel, and nothing of it is reconciled.
	Sentinels        []netip.AddrPort
	SentinelUsername string
	SentinelPassword Secret
	// Timeout bounds one run of redis-check, PeerTimeout its wait for one peer,
	// HookTimeout one run of a hook.
	Timeout, PeerTimeout, HookTimeout time.Duration
	// BootWait is how long a node that restarted waits for one that may have
	// newer data.
	BootWait time.Duration
	// FenceAfter is how long a host with the VIP bears that it reaches no
	// majority of the Sentinels.
	FenceAfter time.Duration
	// Gateway is a TCP endpoint that answers, or refuses, as long as this host
	// is not cut off. Zero: none, and a dead peer looks like a cut cable.
	Gateway netip.AddrPort
	// Witnesses hold the lease of a pair: one, or three or five of which a
	// majority decides. Empty: nobody votes, and a split has two masters.
	Witnesses       []netip.AddrPort
	WitnessUsername string
	WitnessPassword Secret
	// Preserve says what a demotion does about writes that the new master
	// lacks, Keep how many files of them are kept.
	Preserve preserve.Policy
	Keep     int
	// StateDir survives a reboot, RunDir does not. Both absolute.
	StateDir, RunDir string

	node   netip.AddrPort // Overrides.Node: which node this host is; zero: by its addresses
	origin origin         // to point at the line when a later check fails
}

// NeedSentinels is nil if the group is under Sentinel, else an *[Error].
func (g Group) NeedSentinels() error {
	if len(g.Sentinels) > 0 {
		return nil
	}
	return g.origin.place("sentinels").error("no sentinels", `name at least one in the group: sentinels = ["192.168.0.1:26379"]`)
}

// NeedVIPs is nil if the group has at least one VIP, else an *[Error] that
// points at the group. redis-check can do without; everything that reads its
// goal from the address cannot.
func (g Group) NeedVIPs() error {
	if len(g.VIPs) > 0 {
		return nil
	}
	return g.origin.place("vips").error("no vips", `add vips = ["192.168.0.4/24"] to the group`)
}

// Source says where a configuration came from.
type Source struct {
	// File is the file that was read, or empty if flags alone were enough.
	File string
	// LastGood is true if File is the last good copy because the real file is
	// broken. Warnings then begins with the reason.
	LastGood bool
	// Warnings is what the operator should know although the program can go
	// on. The same warning returns at every run until its cause is gone:
	// redis-check must log it once per change.
	Warnings []error
}

// Options say how a program wants its configuration.
type Options struct {
	// Fallback lets the last good copy serve where the file is broken, and
	// keeps that copy up to date. Never for a program that touches addresses.
	Fallback bool
}

// Load reads the configuration of one group: the one that o.Group names, or
// the only one. It fails with one or more joined *[Error].
func Load(o Overrides, opts Options) (Group, Source, error) {
	l := loader{overrides: o, standard: DefaultPath}
	groups, source, err := l.load(opts)
	if err != nil {
		return Group{}, source, err
	}
	return groups[0], source, nil
}

// LoadAll is [Load] for every group of the file, sorted by name, or for the
// one that o.Group names.
func LoadAll(o Overrides, opts Options) ([]Group, Source, error) {
	l := loader{overrides: o, standard: DefaultPath, all: true}
	return l.load(opts)
}
