// Package lint finds the mistakes in keepalived.conf, redis.conf, sentinel.conf and
// redis-vip.toml that keepalived -t, Redis and Sentinel say nothing about, or say where
// nobody looks.
//
// What there is to know about a host is gathered first, in a [Host]: its files, what
// they name on its disk, and, where that may be asked, what runs. The rules are pure
// functions of it, each with its row in a table.
package lint

import (
	"cmp"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"redis-vip/checks/lint/keepalived"
	"redis-vip/checks/lint/redisconf"
)

// Host is one host as the rules see it. What is nil was not given, or is not there:
// the rules about it find nothing.
type Host struct {
	Keepalived *keepalived.File
	Redis      *redisconf.File
	Sentinel   *redisconf.File
	Groups     []Group       // of redis-vip.toml
	Timeout    time.Duration // of redis-check, where redis-vip.toml does not count; zero: its default
	Other      Other
	Copies     bool // the files are not where keepalived and Redis read them
	Disk       Disk
	Units      map[string]Unit // by name, as in "redis-sentinel"; nil: not asked
	Live       *Live           // nil: not asked
}

// Other are files of another host of the same group.
type Other struct {
	Keepalived *keepalived.File
	Redis      *redisconf.File
}

// Group is one group of redis-vip.toml.
type Group struct {
	Name      string
	VIPs      []netip.Prefix
	Nodes     []netip.AddrPort
	Sentinels []netip.AddrPort
	Self      netip.AddrPort      // which of the nodes this host is; zero: not known
	Timeout   time.Duration       // of redis-check
	Password  bool                // whether there is one
	At        map[string]Position // where each key stands, and the group itself by ""
}

// at is where the key stands, or else the group.
func (g Group) at(key string) Position {
	if at, found := g.At[key]; found {
		return at
	}
	return g.At[""]
}

// Position is where something stands.
type Position struct {
	File string
	Line int // from 1; 0: the file as a whole
}

// Severity says what a finding means.
type Severity uint8

// An error breaks something, or will when it is needed. A warning may be meant.
const (
	Warning Severity = iota + 1
	Error
)

func (s Severity) String() string {
	if s == Error {
		return "error"
	}
	return "warning"
}

// MarshalText gives the severity's name.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Finding is one mistake.
type Finding struct {
	File     string   `json:"file"`
	Line     int      `json:"line"` // 0: the file as a whole
	Severity Severity `json:"severity"`
	Rule     string   `json:"rule"`
	Message  string   `json:"message"`
	Why      string   `json:"why"`
	Fix      string   `json:"fix"`
}

// A rule is one mistake that can be found. In its texts, $1 is the first word of the
// hit, and so on.
type rule struct {
	name     string // in kebab-case; unique
	severity Severity
	says     string // what is wrong
	why      string // what comes of it
	fix      string // what to write
	find     func(*Host) []hit
}

// hit is one place where a rule's mistake is.
type hit struct {
	at    Position
	words []string
}

// rules are all of them.
func rules() []rule {
	return slices.Concat(
		keepalivedRules, vipRules, scriptRules, hookRules, timingRules, vrrpRules,
		redisRules, bindRules, bootRules, sentinelRules, quorumRules, sandboxRules, liveRules,
	)
}

// Check finds the mistakes, sorted by file and line.
func Check(h *Host) []Finding {
	list := []Finding{}
	for _, r := range rules() {
		for _, hit := range r.find(h) {
			list = append(list, r.finding(hit))
		}
	}
	return Sort(list)
}

// Sort sorts findings by file and line, and leaves each in once.
func Sort(list []Finding) []Finding {
	slices.SortStableFunc(list, func(a, b Finding) int {
		return cmp.Or(strings.Compare(a.File, b.File), a.Line-b.Line, strings.Compare(a.Rule, b.Rule), strings.Compare(a.Message, b.Message))
	})
	return slices.Compact(list)
}

func (r rule) finding(h hit) Finding {
	fill := func(text string) string {
		return os.Expand(text, func(n string) string {
			if i := int(n[0] - '1'); i < len(h.words) {
				return h.words[i]
			}
			return "?"
		})
	}
	return Finding{h.at.File, h.at.Line, r.severity, r.name, fill(r.says), fill(r.why), fill(r.fix)}
}

// at is a hit at a place of any kind.
func at[P Position | keepalived.Position | redisconf.Position](place P, words ...string) hit {
	return hit{Position(place), words}
}

// group is the group that redis.conf belongs to: the one with a node at its port.
func (h *Host) group() (Group, bool) {
	port := redisPort(h.Redis)
	for _, g := range h.Groups {
		if slices.ContainsFunc(g.Nodes, func(n netip.AddrPort) bool { return n.Port() == port }) {
			return g, true
		}
	}
	return Group{}, false
}

func join[T interface{ String() string }](list []T) string {
	texts := make([]string, len(list))
	for i, v := range list {
		texts[i] = v.String()
	}
	return strings.Join(texts, ", ")
}
