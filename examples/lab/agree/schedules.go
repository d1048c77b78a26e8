// Package agree plays schedules in the simulator and on real hosts, and says where what
// an operator sees of the two is not the same.
package agree

import (
	"time"

	"redis-vip/examples/sim/world"
)

// Case is a schedule that both worlds can play.
type Case struct {
	Name  string
	Title string // what happens, in a few words
	world.Schedule
}

const (
	ms = time.Millisecond
	s  = time.Second
)

// What examples/active-standby, examples/active-standby-witness and
// examples/sentinel-vip are in the model. There is little data: a full copy takes moments.
var (
	pair     = world.Setup{Architecture: world.Pair, Backlog: 256 << 20, CopyTime: 20 * ms, Little: true}
	witness  = world.Setup{Architecture: world.Witness, Backlog: 256 << 20, CopyTime: 20 * ms, Little: true, Witnesses: 1}
	sentinel = world.Setup{Architecture: world.Sentinel, Backlog: 256 << 20, CopyTime: 20 * ms, Little: true}
)

func onDisk(u world.Setup) world.Setup {
	u.Persistence = world.AppendOnly
	return u
}

func faults(u world.Setup, list ...world.Fault) world.Schedule {
	return world.Schedule{Setup: u, Faults: list}
}

// Cases are all of them. The first node is the active one; a fault of a moment is what
// somebody does by hand, and our programs undo.
func Cases() []Case {
	return []Case{
		{"pair-redis-killed", "Redis is killed on the active host, and starts 10 s later, empty", faults(pair,
			world.Fault{Kind: world.RedisKilled, At: 3 * s, For: 10 * s})},
		{"pair-redis-hangs", "Redis hangs on the active host for 12 s", faults(pair,
			world.Fault{Kind: world.RedisHangs, At: 3 * s, For: 12 * s})},
		{"pair-hooks-killed", "keepalived is stopped on the active host for 10 s, and our programs are killed on the other as it takes over", faults(pair,
			world.Fault{Kind: world.KeepalivedStopped, At: 3 * s, For: 10 * s},
			world.Fault{Kind: world.HooksKilled, At: 3070 * ms, For: 1 * ms, On: 1})},
		{"pair-keepalived-killed", "keepalived is killed on the active host, and leaves its address behind for 10 s", faults(pair,
			world.Fault{Kind: world.KeepalivedKilled, At: 3 * s, For: 10 * s})},
		{"pair-keepalived-frozen", "keepalived is frozen on the active host for 10 s", faults(pair,
			world.Fault{Kind: world.KeepalivedFrozen, At: 3 * s, For: 10 * s})},
		{"pair-split", "the hosts do not see each other for 12 s", faults(pair,
			world.Fault{Kind: world.Cut, At: 3 * s, For: 12 * s, To: 1})},
		{"pair-power-loss", "the active host loses power for 10 s", faults(onDisk(pair),
			world.Fault{Kind: world.PowerLoss, At: 3 * s, For: 10 * s})},
		{"pair-by-hand", "somebody makes the standby a master, then the master its replica, then unlinks the standby; and then Redis is killed on the active host", faults(pair,
			world.Fault{Kind: world.Promoted, At: 3 * s, For: 1 * ms, On: 1},
			world.Fault{Kind: world.RingMade, At: 10 * s, For: 1 * ms},
			world.Fault{Kind: world.Unlinked, At: 17 * s, For: 1 * ms, On: 1},
			world.Fault{Kind: world.RedisKilled, At: 25 * s, For: 8 * s})},
		{"witness-host-frozen", "the active host is frozen for 10 s", faults(witness,
			world.Fault{Kind: world.HostFrozen, At: 3 * s, For: 10 * s})},
		{"witness-one-way", "the active host does not see the witness for 16 s, and from 4 s on nothing gets from it to the other for 9 s", faults(witness,
			world.Fault{Kind: world.Cut, At: 3 * s, For: 16 * s, To: 4},
			world.Fault{Kind: world.CutOneWay, At: 7 * s, For: 9 * s, To: 1})},
		{"sentinel-hangs", "Sentinel is killed on the active of three hosts for 15 s, and after 3 s Redis hangs for 10 s", faults(sentinel,
			world.Fault{Kind: world.SentinelKilled, At: 3 * s, For: 15 * s},
			world.Fault{Kind: world.RedisHangs, At: 6 * s, For: 10 * s})},
		{"sentinel-failover", "somebody has Sentinel fail over", faults(sentinel,
			world.Fault{Kind: world.SentinelFailover, At: 3 * s, For: 1 * ms})},
		{"sentinel-cut-off", "the active of three hosts sees nobody for 15 s", faults(sentinel,
			world.Fault{Kind: world.CutOff, At: 3 * s, For: 15 * s})},
		{"sentinel-restarted", "Redis is stopped on the active of three hosts, and starts again at once, empty", faults(sentinel,
			world.Fault{Kind: world.RedisStopped, At: 3 * s, For: 500 * ms})},
	}
}
