// Package metrics writes what a run saw for node_exporter's textfile collector.
package metrics

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"redis-vip/checks"
	"redis-vip/checks/node"
)

// Name is the name of a metric. All are gauges: a run knows what is, and nothing of
// the runs before it.
type Name string

// The metrics. Those that end in _info are 1, and say it by a label.
const (
	Build         Name = "redis_vip_build_info"
	LastRun       Name = "redis_vip_last_run_timestamp_seconds"
	RunTime       Name = "redis_vip_last_run_duration_seconds"
	Fit           Name = "redis_vip_fit"
	Reason        Name = "redis_vip_reason_info"
	Drift         Name = "redis_vip_drift"
	VIPHere       Name = "redis_vip_vip_here"
	Up            Name = "redis_vip_redis_up"
	Role          Name = "redis_vip_role"
	Keys          Name = "redis_vip_keys"
	Offset        Name = "redis_vip_replication_offset_bytes"
	LinkUp        Name = "redis_vip_master_link_up"
	LastIO        Name = "redis_vip_master_last_io_seconds"
	ReplicaOnline Name = "redis_vip_replica_online"
	ReplicaLag    Name = "redis_vip_replica_lag_seconds"
	ReplicaBehind Name = "redis_vip_replica_lag_bytes"
	Fenced        Name = "redis_vip_fenced"
	Votes         Name = "redis_vip_votes"
	LeaseHeld     Name = "redis_vip_lease_held"
	LeaseLeft     Name = "redis_vip_lease_left_seconds"
	Witnesses     Name = "redis_vip_lease_witnesses"
	Reached       Name = "redis_vip_lease_witnesses_reached"
	Course        Name = "redis_vip_course_info"
	Reconciled    Name = "redis_vip_reconcile_success"
	Transition    Name = "redis_vip_last_transition_timestamp_seconds"
	Waiting       Name = "redis_vip_preserved_files_waiting"
)

// families are all metrics, in the order of the file, with what is said of them there.
var families = []struct {
	name Name
	help string
}{
	{Build, "The version of redis-vip."},
	{LastRun, "When this was seen, in seconds since 1970."},
	{RunTime, "How long the look at Redis took."},
	{Fit, "Whether this node is fit to hold the VIP."},
	{Reason, "Why: the reason of the verdict."},
	{Drift, "Whether Redis's role is not what the VIP asks for although a hook could mend it."},
	{VIPHere, "Whether the VIP is on this host; absent where that is not known."},
	{Up, "Whether the local Redis answers, whatever it says."},
	{Role, "Whether the local Redis has this role."},
	{Keys, "Keys in all databases of the local Redis."},
	{Offset, "master_repl_offset of the local Redis."},
	{LinkUp, "Of a replica: whether its link to the master is up."},
	{LastIO, "Of a replica whose link is up: time since it heard its master."},
	{ReplicaOnline, "Of a master: whether this replica is online."},
	{ReplicaLag, "Of a master: time since this replica's last acknowledgement."},
	{ReplicaBehind, "Of a master: how far this replica's acknowledgement is behind."},
	{Fenced, "Whether redis-vip keeps the writers of this node waiting."},
	{Votes, "Votes of three, with witnesses, that this node has for being the master."},
	{LeaseHeld, "Whether the witnesses grant this node the lease."},
	{LeaseLeft, "How long this node may go on by the lease that it was last granted."},
	{Witnesses, "Witnesses that are configured."},
	{Reached, "Witnesses that answered; absent where none had to be asked."},
	{Course, "Under Sentinel: what the answers of the Sentinels come to."},
	{Reconciled, "Under Sentinel: whether the last reconcile reached its goal."},
	{Transition, "When the last transition in the history ended, in seconds since 1970."},
	{Waiting, "Files of preserved writes on this host that were not replayed to their end."},
}

// Sample is one value.
type Sample struct {
	Name   Name    `json:"n"`
	Label  string  `json:"l,omitempty"` // beside group and node, which all have; empty: none
	Is     string  `json:"i,omitempty"` // its value
	Number float64 `json:"v"`
}

// List are samples in any order.
type List []Sample

// Set adds a sample.
func (l *List) Set(name Name, value float64) { *l = append(*l, Sample{Name: name, Number: value}) }

// With adds a sample with a label.
func (l *List) With(name Name, label, is string, value float64) {
	*l = append(*l, Sample{name, label, is, value})
}

// Info adds a sample whose label says it all.
func (l *List) Info(name Name, label, is string) { l.With(name, label, is, 1) }

// Time adds a moment.
func (l *List) Time(name Name, at time.Time) { l.Set(name, float64(at.UnixMilli())/1000) }

// Truth is 1 for true.
func Truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// Of is what the facts and the verdict say as numbers. What is not known is absent,
// not zero.
func Of(f checks.Facts, v checks.Verdict, at time.Time) (l List) {
	l.Time(LastRun, at)
	l.Set(RunTime, f.Took.Seconds())
	l.Set(Fit, Truth(v.Fit))
	l.Info(Reason, "reason", v.Reason.String())
	l.Set(Drift, Truth(v.Drift))
	l.Set(Up, Truth(f.Class.Answers()))
	for _, role := range []node.Role{node.Master, node.Replica, node.NoRole} {
		l.With(Role, "role", role.String(), Truth(f.Role == role))
	}
	if f.VIP != checks.Unasked {
		l.Set(VIPHere, Truth(f.VIP == checks.Here))
	}
	if f.Role != node.NoRole {
		l.Set(Keys, float64(f.Keys))
		l.Set(Offset, float64(f.Offset))
	}
	if f.Role == node.Replica {
		l.Set(LinkUp, Truth(f.Upstream.Up && !f.Upstream.Syncing))
		if f.Upstream.Up && f.Upstream.LastIO >= 0 {
			l.Set(LastIO, f.Upstream.LastIO.Seconds())
		}
	}
	if f.Role == node.Master {
		l.replicas(f)
	}
	if f.Lease.Witnesses > 0 {
		l.votes(f)
	}
	return l
}

// replicas: two of them may have the same address, while one that was cut off comes
// back; the one that is online is meant.
func (l *List) replicas(f checks.Facts) {
	best := make(map[string]node.Downstream)
	for _, d := range f.Downstream {
		if old, found := best[d.Addr.String()]; d.Addr.IsValid() && (!found || old.State != "online") {
			best[d.Addr.String()] = d
		}
	}
	for addr, d := range best {
		l.With(ReplicaOnline, "replica", addr, Truth(d.State == "online"))
		l.With(ReplicaLag, "replica", addr, d.Lag.Seconds())
		l.With(ReplicaBehind, "replica", addr, float64(max(f.Offset-d.Offset, 0)))
	}
}

func (l *List) votes(f checks.Facts) {
	second := f.Role == node.Master && f.Entitled() || f.Role == node.Replica && f.Succeeds()
	l.Set(Votes, 1+Truth(second))
	l.Set(LeaseHeld, Truth(f.Lease.Mine))
	l.Set(LeaseLeft, f.Lease.Left.Seconds())
	l.Set(Witnesses, float64(f.Lease.Witnesses))
	if f.Lease.Asked {
		l.Set(Reached, float64(f.Lease.Reached))
	}
}

// Text is the list in Prometheus's text format, each sample with the name of the group
// and of this node.
//
// It is https://prometheus.io/docs/instrumenting/exposition_formats/, of which a dozen
// lines are enough here; the library for it would be a part of every health check.
func (l List) Text(group, node string) []byte {
	var text strings.Builder
	for _, family := range families {
		said := false
		for _, s := range l {
			if s.Name != family.name {
				continue
			}
			if !said {
				fmt.Fprintf(&text, "# HELP %s %s\n# TYPE %s gauge\n", s.Name, family.help, s.Name)
				said = true
			}
			fmt.Fprintf(&text, "%s{group=%s,node=%s", s.Name, quote(group), quote(node))
			if s.Label != "" {
				fmt.Fprintf(&text, ",%s=%s", s.Label, quote(s.Is))
			}
			fmt.Fprintf(&text, "} %s\n", strconv.FormatFloat(s.Number, 'f', -1, 64))
		}
	}
	return []byte(text.String())
}

var escape = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

func quote(s string) string { return `"` + escape.Replace(s) + `"` }
