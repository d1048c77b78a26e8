package node

import (
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// Role is what a server says it is.
type Role uint8

// The roles. Redis calls a replica "slave" on the wire.
const (
	NoRole Role = iota // not known
	Master
	Replica
)

var roleNames = [...]string{NoRole: "unknown", Master: "master", Replica: "replica"}

func (r Role) String() string { return roleNames[r] }

// MarshalText gives the role's name.
func (r Role) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads a role's name.
func (r *Role) UnmarshalText(text []byte) error {
	for i, name := range roleNames {
		if name == string(text) {
			*r = Role(i)
			return nil
		}
	}
	return fmt.Errorf("%q is no role", text)
}

// Facts is what one look at a server showed. Where Class does not answer, only
// Class, Problem and Took mean anything.
type Facts struct {
	Class   Class         `json:"class"`
	Problem string        `json:"problem,omitempty"` // the error behind Class, in the server's or the system's words
	Took    time.Duration `json:"-"`

	RunID      string        `json:"run_id,omitempty"`  // new at every start of the process: tells servers apart
	Version    string        `json:"version,omitempty"` // "7.0.15", "Valkey 9.1.2"
	PID        int           `json:"-"`                 // of the process, as its server counts processes
	Uptime     time.Duration `json:"-"`
	Fraction   time.Duration `json:"-"`                     // of the current second, by the server's clock: its seconds are truncated
	ConfigFile string        `json:"config_file,omitempty"` // empty: started without one
	Keys       int64         `json:"keys"`                  // in all databases

	Role        Role         `json:"role"`
	ReplID      string       `json:"replid,omitempty"`
	ReplID2     string       `json:"replid2,omitempty"`        // the history it continued from, up to SecondOffset
	Offset      int64        `json:"offset"`                   // master_repl_offset, bytes
	SecondOff   int64        `json:"second_offset,omitempty"`  // second_repl_offset, bytes; -1: none
	Backlog     bool         `json:"backlog"`                  // repl_backlog_active; without one, a master does not count its writes
	BacklogFrom int64        `json:"backlog_from,omitempty"`   // what a replica can still go on from on a new connection
	Failover    string       `json:"failover_state,omitempty"` // master_failover_state: "no-failover" or a FAILOVER in progress
	Upstream    Upstream     `json:"upstream,omitzero"`
	Downstream  []Downstream `json:"replicas,omitempty"`
}

// Upstream is a replica's view of its master.
type Upstream struct {
	Host      string        `json:"host,omitempty"` // as configured: an address or a name
	Port      uint16        `json:"port,omitempty"`
	Up        bool          `json:"up"`      // master_link_status; a hung master keeps it up
	Syncing   bool          `json:"syncing"` // a full copy is being transferred
	LastIO    time.Duration `json:"-"`       // since the master was last heard; -1s: never on this link
	DownSince time.Duration `json:"-"`       // since the link was lost; -1s: it never was up
	Offset    int64         `json:"offset"`  // slave_repl_offset: what was applied, bytes
}

// Link says in a word how the link is.
func (u Upstream) Link() string {
	switch {
	case u.Syncing:
		return "syncing"
	case u.Up:
		return "up"
	default:
		return "down"
	}
}

// Downstream is a master's view of one replica.
type Downstream struct {
	Addr   netip.AddrPort `json:"addr"`
	State  string         `json:"state"` // "online" once it streams
	Offset int64          `json:"offset"`
	Lag    time.Duration  `json:"-"` // since its last acknowledgement
}

// Nobody is where nothing listens: who follows it keeps its data and takes no writes.
// A Redis that never boots as a master does. Who saves all the data of a server says
// that it listens there: see [Facts.Saved].
var Nobody = netip.MustParseAddrPort("127.0.0.1:1")

// Saved says whether all the data of this server is being saved, which is done before
// it has to follow another one.
func (f Facts) Saved() bool {
	return slices.ContainsFunc(f.Downstream, func(d Downstream) bool { return d.Addr == Nobody })
}

// Follows says whether this is a replica of the server at addr.
func (f Facts) Follows(addr netip.AddrPort) bool {
	if f.Role != Replica || f.Upstream.Port != addr.Port() {
		return false
	}
	host, err := netip.ParseAddr(f.Upstream.Host)
	return err == nil && host.Unmap() == addr.Addr().Unmap()
}
