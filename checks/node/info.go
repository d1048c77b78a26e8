package node

import (
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// What is kept of an INFO at most. A configuration file has the longest name (PATH_MAX).
const (
	mostReplicas = 1024
	longestText  = 4096 // bytes
)

// parseInfo fills f from an answer to INFO: `name:value` lines, `# Section`
// headers. Lines it does not know, or cannot read, are passed over: a field that
// is missing keeps its zero value.
func (f *Facts) parseInfo(info string) {
	var backlog int64
	for line := range strings.Lines(info) {
		name, value, found := strings.Cut(strings.TrimRight(line, "\r\n"), ":")
		if !found {
			continue
		}
		switch name {
		case "role":
			f.Role = parseRole(value)
		case "run_id":
			f.RunID = text(value)
		case "redis_version":
			f.Version = text(value)
		case "valkey_version": // its redis_version is 7.2.4 for ever
			f.Version = text("Valkey " + value)
		case "process_id":
			f.PID = int(max(integer(value), 0))
		case "uptime_in_seconds":
			f.Uptime = max(seconds(value), 0)
		case "server_time_usec":
			f.Fraction = time.Duration(max(integer(value), 0)%1_000_000) * time.Microsecond
		case "config_file":
			f.ConfigFile = text(value)
		case "master_replid":
			f.ReplID = text(value)
		case "master_replid2":
			f.ReplID2 = text(value)
		case "master_repl_offset":
			f.Offset = integer(value)
		case "second_repl_offset":
			f.SecondOff = integer(value)
		case "repl_backlog_active":
			f.Backlog = value == "1"
		case "repl_backlog_first_byte_offset":
			f.BacklogFrom = integer(value)
		case "repl_backlog_size":
			backlog = integer(value)
		case "master_failover_state":
			f.Failover = text(value)
		case "master_host":
			f.Upstream.Host = text(value)
		case "master_port":
			f.Upstream.Port = port(value)
		case "master_link_status":
			f.Upstream.Up = value == "up"
		case "master_sync_in_progress":
			f.Upstream.Syncing = value == "1"
		case "master_last_io_seconds_ago":
			f.Upstream.LastIO = Since(integer(value))
		case "master_link_down_since_seconds":
			f.Upstream.DownSince = Since(integer(value))
		case "slave_repl_offset":
			f.Upstream.Offset = integer(value)
		default:
			switch {
			case numbered(name, "slave") && pair(value, "type") == "rdb-channel":
				// A second connection, for a copy, of a replica that has a line of its
				// own: Valkey from 8 on, with dual-channel-replication-enabled.
			case numbered(name, "slave") && len(f.Downstream) < mostReplicas:
				f.Downstream = append(f.Downstream, parseDownstream(value))
			case numbered(name, "db"):
				keys := max(integer(pair(value, "keys")), 0)
				f.Keys = min(f.Keys, math.MaxInt64-keys) + keys
			}
		}
	}
	// It is longer for a replica that is there and behind: without its connection, that is
	// cut off (replication.c, incrementalTrimReplicationBacklog).
	if f.BacklogFrom > 0 && backlog > 0 {
		f.BacklogFrom = max(f.BacklogFrom, f.Offset-backlog+1)
	}
}

// text is a value that is shown to people: one that a terminal might obey is none.
func text(value string) string {
	odd := func(r rune) bool { return r == utf8.RuneError || !unicode.IsPrint(r) }
	if len(value) > longestText || strings.ContainsFunc(value, odd) {
		return ""
	}
	return value
}

func parseRole(s string) Role {
	switch s {
	case "master":
		return Master
	case "slave", "replica":
		return Replica
	}
	return NoRole
}

// parseDownstream reads `ip=192.168.0.2,port=6379,state=online,offset=42,lag=0`.
func parseDownstream(value string) Downstream {
	d := Downstream{
		State:  text(pair(value, "state")),
		Offset: integer(pair(value, "offset")),
		Lag:    Lag(integer(pair(value, "lag"))),
	}
	if ip, err := netip.ParseAddr(pair(value, "ip")); err == nil {
		d.Addr = netip.AddrPortFrom(ip.Unmap(), port(pair(value, "port")))
	}
	return d
}

// pair returns the value of key in `a=1,b=2`.
func pair(list, key string) string {
	for item := range strings.SplitSeq(list, ",") {
		if name, value, _ := strings.Cut(item, "="); name == key {
			return value
		}
	}
	return ""
}

// numbered says whether name is prefix and a number, as in slave0 and db15.
func numbered(name, prefix string) bool {
	digits, found := strings.CutPrefix(name, prefix)
	return found && digits != "" && strings.Trim(digits, "0123456789") == ""
}

func integer(s string) int64 {
	n, _ := strconv.ParseInt(s, 10, 64)
	return n
}

func port(s string) uint16 {
	n, _ := strconv.ParseUint(s, 10, 16)
	return uint16(n)
}

// seconds reads a whole number of seconds; one too large for a Duration is cut.
func seconds(s string) time.Duration { return whole(integer(s)) }

func whole(seconds int64) time.Duration {
	return time.Duration(min(seconds, math.MaxInt64/int64(time.Second))) * time.Second
}

// Since is how long ago something was that Redis counts in whole seconds, where -1 is
// never. Redis counts by the time of day: after the clock was set back, what was before
// lies ahead. It counts as just now, until the clock has caught up.
func Since(seconds int64) time.Duration {
	if seconds < -1 {
		return 0
	}
	return whole(seconds)
}

// Lag is the same for an acknowledgement. One that lies ahead is not known to be
// recent: the next one is a second away.
func Lag(seconds int64) time.Duration {
	if seconds < 0 {
		return math.MaxInt64
	}
	return whole(seconds)
}
