package main

import (
	"errors"
	"fmt"
	"time"

	"redis-vip/examples/sim/world"
)

// regression is a schedule that once broke a promise, as small as it got.
type regression struct {
	why string
	world.Schedule
}

// known runs all regressions.
func known() (failed error) {
	var r world.Runner
	defer r.Close()
	for _, k := range regressions {
		if err := r.Run(k.Schedule).Err(); err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w\n%s", k.why, err, k.Schedule))
		}
	}
	fmt.Printf("%d regressions\n", len(regressions))
	return failed
}

const ms = time.Millisecond

var regressions = []regression{
	{
		"a standby that had let go of its master was taken for a stranger's replica: no node was fit",
		world.Schedule{Setup: world.Setup{Architecture: world.Pair, Seed: 525, Persistence: world.NoPersistence, Backlog: 16384, CopyTime: 20 * ms, Keys: 0, Gateway: true, Swapped: true}, Faults: []world.Fault{
			{Kind: world.Unlinked, At: 6591 * ms, For: 1 * ms, On: 1, Much: 0.52},
			{Kind: world.Reboot, At: 7000 * ms, For: 1 * ms, On: 0, Much: 0.21},
		}},
	},
	{
		"a master that had restarted with less emptied the standby that still waited for it",
		world.Schedule{Setup: world.Setup{Architecture: world.Witness, Seed: 5004, Persistence: world.Snapshots, Backlog: 16384, CopyTime: 300 * ms, Keys: 1000, Witnesses: 3}, Faults: []world.Fault{
			{Kind: world.PowerLoss, At: 18309 * ms, For: 1390 * ms, On: 0, Much: 0.67},
			{Kind: world.Promoted, At: 27470 * ms, For: 1 * ms, On: 0, Much: 0.72},
			{Kind: world.RedisKilled, At: 27646 * ms, For: 1 * ms, On: 1, Much: 0.92},
		}},
	},
	{
		"a master for the time of a save was followed, and then followed one that was none any more: a ring",
		world.Schedule{Setup: world.Setup{Architecture: world.Pair, Seed: 6311, Persistence: world.Snapshots, Backlog: 256 << 20, CopyTime: 4000 * ms, Keys: 1000, Gateway: true, Swapped: true}, Faults: []world.Fault{
			{Kind: world.Reboot, At: 12000 * ms, For: 184 * ms, On: 0, Much: 0.86},
			{Kind: world.RingMade, At: 13000 * ms, For: 1 * ms, On: 1, Much: 0.96},
			{Kind: world.RedisKilled, At: 15000 * ms, For: 1 * ms, On: 1, Much: 0.57},
		}},
	},
	{
		"two masters for the time of a save saved themselves from each other for ever",
		world.Schedule{Setup: world.Setup{Architecture: world.Witness, Seed: 5034, Persistence: world.Snapshots, Backlog: 16384, CopyTime: 4000 * ms, Keys: 1000, Witnesses: 1}, Faults: []world.Fault{
			{Kind: world.RedisKilled, At: 1000 * ms, For: 2000 * ms, On: 0, Much: 0.14},
			{Kind: world.RedisKilled, At: 6766 * ms, For: 1000 * ms, On: 0, Much: 0.55},
			{Kind: world.RedisKilled, At: 6958 * ms, For: 250 * ms, On: 1, Much: 0.03},
		}},
	},
	{
		"Sentinel made a fenced master a replica, which stayed paused for a day",
		world.Schedule{Setup: world.Setup{Architecture: world.Sentinel, Seed: 547, Persistence: world.AppendOnly, Backlog: 16384, CopyTime: 4000 * ms, Keys: 1000}, Faults: []world.Fault{
			{Kind: world.CutOff, At: 1000 * ms, For: 9000 * ms, On: 1, Much: 0.3},
			{Kind: world.SentinelFailover, At: 2000 * ms, For: 1 * ms, On: 2, Much: 0.36},
			{Kind: world.CutOff, At: 3000 * ms, For: 19000 * ms, On: 2, Much: 0.35},
		}},
	},
	{
		"a standby whose keepalived was dead was blamed for what its Redis threw away",
		world.Schedule{Setup: world.Setup{Architecture: world.Witness, Seed: 1795238722353410842, Persistence: world.NoPersistence, Backlog: 268435456, CopyTime: 20 * ms, Keys: 1000, Gateway: false, Witnesses: 1, Swapped: false}, Faults: []world.Fault{
			{Kind: world.CutOneWay, At: 1000 * ms, For: 26000 * ms, On: 1, To: 0, Much: 0.48},
			{Kind: world.KeepalivedKilled, At: 1000 * ms, For: 31000 * ms, On: 1, To: 0, Much: 0.06},
			{Kind: world.RedisStopped, At: 4000 * ms, For: 1 * ms, On: 0, To: 0, Much: 0.68},
		}},
	},
	{
		"a node that copied the wrong master was sent to the right one, and what it had was not saved",
		world.Schedule{Setup: world.Setup{Architecture: world.Sentinel, Seed: 1795238949496385802, Persistence: world.Snapshots, Backlog: 16384, CopyTime: 300 * ms, Keys: 1000, Swapped: true}, Faults: []world.Fault{
			{Kind: world.HostFrozen, At: 4000 * ms, For: 8000 * ms, On: 1, Much: 0.84},
			{Kind: world.PowerLoss, At: 7000 * ms, For: 1 * ms, On: 0, Much: 0.2},
			{Kind: world.SentinelFailover, At: 9000 * ms, For: 1 * ms, On: 0, Much: 0.17},
			{Kind: world.PowerLoss, At: 9000 * ms, For: 1 * ms, On: 2, Much: 0.33},
		}},
	},
	{
		"a master of Sentinel's making remembered that it was a replica, and that the other one had all that it has",
		world.Schedule{Setup: world.Setup{Architecture: world.Sentinel, Seed: 1795238949496466841, Persistence: world.Snapshots, Backlog: 2048, CopyTime: 20 * ms}, Faults: []world.Fault{
			{Kind: world.HostFrozen, At: 19000 * ms, For: 10000 * ms, On: 2, Much: 0.45},
			{Kind: world.SentinelFailover, At: 18000 * ms, For: 1 * ms, On: 1, Much: 0.61},
			{Kind: world.SentinelFailover, At: 27646 * ms, For: 1 * ms, On: 1, Much: 0.94},
			{Kind: world.RedisStopped, At: 29000 * ms, For: 1 * ms, On: 0, Much: 0.33},
		}},
	},
	{
		"a demotion whose VIP came back at the end of its time left its writers waiting for a minute",
		world.Schedule{Setup: world.Setup{Architecture: world.Pair, Seed: 4037, Persistence: world.NoPersistence, Backlog: 256 << 20, CopyTime: 20 * ms, Gateway: true, Swapped: true}, Faults: []world.Fault{
			{Kind: world.Reboot, At: 1000 * ms, For: 16000 * ms, On: 0, Much: 0.46},
			{Kind: world.Maintenance, At: 5000 * ms, For: 6546 * ms, On: 1, Much: 0.27},
		}},
	},
	{
		"a promotion that was killed left the writers waiting that a demotion had stopped",
		world.Schedule{Setup: world.Setup{Architecture: world.Pair, Seed: 4752, Persistence: world.AppendOnly, Backlog: 2048, CopyTime: 300 * ms}, Faults: []world.Fault{
			{Kind: world.Maintenance, At: 20000 * ms, For: 3000 * ms, On: 1, Much: 0.97},
			{Kind: world.Maintenance, At: 22225 * ms, For: 646 * ms, On: 0, Much: 0.27},
			{Kind: world.HooksKilled, At: 26000 * ms, For: 1 * ms, On: 0, Much: 0.56},
		}},
	},
	{
		"a master that a demotion had stopped was made a replica by hand, and applied nothing for a minute",
		world.Schedule{Setup: world.Setup{Architecture: world.Pair, Seed: 4728, Persistence: world.NoPersistence, Backlog: 256 << 20, CopyTime: 300 * ms, Keys: 1000, Swapped: true}, Faults: []world.Fault{
			{Kind: world.CutOneWay, At: 1000 * ms, For: 16000 * ms, On: 0, To: 1, Much: 0.88},
			{Kind: world.RingMade, At: 10000 * ms, For: 1 * ms, On: 0, Much: 0.08},
		}},
	},
	{
		"a master that had lost the VIP, alone with the witness, could not be elected without it, nor have it unelected",
		world.Schedule{Setup: world.Setup{Architecture: world.Witness, Seed: 743, Persistence: world.Snapshots, Backlog: 16384, CopyTime: 4000 * ms, Witnesses: 1, Swapped: true}, Faults: []world.Fault{
			{Kind: world.KeepalivedCrash, At: 1000 * ms, For: 1 * ms, On: 0, Much: 0.67},
			{Kind: world.Reboot, At: 1000 * ms, For: 29000 * ms, On: 1, Much: 0.92},
		}},
	},
	{
		"a Redis that restarted while its hook waited for the votes was promoted with what it had left",
		world.Schedule{Setup: world.Setup{Architecture: world.Witness, Seed: 1795244929656701492, Persistence: world.NoPersistence, Backlog: 256 << 20, CopyTime: 20 * ms, Witnesses: 1}, Faults: []world.Fault{
			{Kind: world.KeepalivedKilled, At: 4000 * ms, For: 1 * ms, On: 0, Much: 0.96},
			{Kind: world.CutOneWay, At: 4000 * ms, For: 4000 * ms, On: 1, To: 4, Much: 0.96},
			{Kind: world.RedisKilled, At: 7557 * ms, For: 1 * ms, On: 1, Much: 0.22},
		}},
	},
	{
		"a fenced master that the only Sentinel left made a replica stayed paused",
		world.Schedule{Setup: world.Setup{Architecture: world.Sentinel, Seed: 1795245441495766551, Persistence: world.NoPersistence, Backlog: 2048, CopyTime: 20 * ms, Swapped: true}, Faults: []world.Fault{
			{Kind: world.HostFrozen, At: 1000 * ms, For: 10000 * ms, On: 0, Much: 0.32},
			{Kind: world.SentinelFrozen, At: 3000 * ms, For: 38000 * ms, On: 1, Much: 0.81},
			{Kind: world.SentinelFrozen, At: 8000 * ms, For: 29000 * ms, On: 0, Much: 0.52},
		}},
	},
	{
		"a clock that was set ahead made a Redis that had just restarted look as if it had waited for the other",
		world.Schedule{Setup: world.Setup{Architecture: world.Pair, Seed: 1795248971910950527, Persistence: world.NoPersistence, Backlog: 16384, CopyTime: 300 * ms, Keys: 1000, Swapped: true}, Faults: []world.Fault{
			{Kind: world.RedisStopped, At: 23000 * ms, For: 55 * ms, On: 0, Much: 0.65},
			{Kind: world.ClockSet, At: 25000 * ms, For: 422 * ms, On: 0, Much: 0.96},
		}},
	},
	{
		"a node that had waited alone went first as soon as it saw the one that had more",
		world.Schedule{Setup: world.Setup{Architecture: world.Pair, Seed: 1795248971911148176, Persistence: world.Snapshots, Backlog: 2048, CopyTime: 4000 * ms, Keys: 1000, Gateway: true}, Faults: []world.Fault{
			{Kind: world.RedisKilled, At: 11127 * ms, For: 1 * ms, On: 0, Much: 0.13},
			{Kind: world.CutOff, At: 13813 * ms, For: 26000 * ms, On: 1, Much: 0.38},
		}},
	},
	{
		"a demotion left a replica paused that somebody else had linked, while its time went by",
		world.Schedule{Setup: world.Setup{Architecture: world.Pair, Seed: 1795252624704579886, Persistence: world.AppendOnly, Backlog: 256 << 20, CopyTime: 20 * ms, Keys: 1000, Gateway: true}, Faults: []world.Fault{
			{Kind: world.KeepalivedCrash, At: 3000 * ms, For: 1 * ms, On: 0, Much: 0.21},
			{Kind: world.Slow, At: 5000 * ms, For: 16000 * ms, On: 1, To: 0, Much: 0.71},
			{Kind: world.RingMade, At: 4000 * ms, For: 1 * ms, On: 0, Much: 0.48},
		}},
	},
	{
		"a replica that had long heard nothing, on a link that was up, went first when its master died",
		world.Schedule{Setup: world.Setup{Architecture: world.Witness, Seed: 1795252624704661766, Persistence: world.Snapshots, Backlog: 256 << 20, CopyTime: 20 * ms, Keys: 1000, Witnesses: 1, Swapped: true}, Faults: []world.Fault{
			{Kind: world.Lossy, At: 3445 * ms, For: 2000 * ms, On: 1, To: 0, Much: 0.99},
			{Kind: world.RedisKilled, At: 37000 * ms, For: 3000 * ms, On: 0, Much: 0.58},
		}},
	},
	{
		"so did one that had hung for half a minute",
		world.Schedule{Setup: world.Setup{Architecture: world.Pair, Seed: 1795252624704959524, Persistence: world.Snapshots, Backlog: 16384, CopyTime: 300 * ms, Gateway: true, Swapped: true}, Faults: []world.Fault{
			{Kind: world.RedisHangs, At: 6369 * ms, For: 30912 * ms, On: 1},
			{Kind: world.KeepalivedStopped, At: 6463 * ms, For: 2000 * ms, On: 0, Much: 0.53},
			{Kind: world.RedisKilled, At: 37000 * ms, For: 5000 * ms, On: 0, Much: 0.52},
		}},
	},
	{
		"a master went on by what its replica acknowledged, which had the lease and was about to be the master",
		world.Schedule{Setup: world.Setup{Architecture: world.Witness, Seed: 1795252624704708950, Persistence: world.AppendOnly, Backlog: 16384, CopyTime: 4000 * ms, Witnesses: 3}, Faults: []world.Fault{
			{Kind: world.CutOneWay, At: 1500 * ms, For: 799 * ms, On: 0, To: 1, Much: 0.15},
			{Kind: world.CutOneWay, At: 7653 * ms, For: 11000 * ms, On: 0, To: 4, Much: 0.48},
			{Kind: world.PowerLoss, At: 9308 * ms, For: 2919 * ms, On: 0, Much: 0.25},
			{Kind: world.Cut, At: 14353 * ms, For: 173 * ms, On: 1, To: 0, Much: 0.66},
			{Kind: world.Lossy, At: 23648 * ms, For: 13000 * ms, On: 1, To: 0, Much: 0.92},
		}},
	},
	{
		"one that had hung waited for what it might have missed, though the other was there and had less, which went first in the end",
		world.Schedule{Setup: world.Setup{Architecture: world.Pair, Seed: 1795258210878270761, Persistence: world.NoPersistence, Backlog: 256 << 20, CopyTime: 300 * ms, Keys: 1000, Swapped: true}, Faults: []world.Fault{
			{Kind: world.RedisKilled, At: 1000 * ms, For: 1 * ms, On: 0, Much: 0.41},
			{Kind: world.RedisHangs, At: 1000 * ms, For: 27000 * ms, On: 1, Much: 0.71},
			{Kind: world.RedisHangs, At: 12000 * ms, For: 3000 * ms, On: 1, Much: 0.91},
		}},
	},
	{
		"a host stood still between a save and REPLICAOF: what the old master took meanwhile, since its own hook let it, was nowhere",
		world.Schedule{Setup: world.Setup{Architecture: world.Pair, Seed: 1795258210878451598, Persistence: world.Snapshots, Backlog: 2048, CopyTime: 4000 * ms}, Faults: []world.Fault{
			{Kind: world.KeepalivedFrozen, At: 732 * ms, For: 9663 * ms, On: 0, Much: 0.53},
			{Kind: world.HostFrozen, At: 7585 * ms, For: 10367 * ms, On: 0, Much: 0.62},
			{Kind: world.HostFrozen, At: 19280 * ms, For: 3455 * ms, On: 0, Much: 0.91},
		}},
	},
	{
		"a replica that lost its link in the middle of a hand-over went on, though its master had more",
		world.Schedule{Setup: world.Setup{Architecture: world.Pair, Seed: 1795258210878232121, Persistence: world.NoPersistence, Backlog: 2048, CopyTime: 20 * ms, Gateway: true, Swapped: true}, Faults: []world.Fault{
			{Kind: world.KeepalivedKilled, At: 2929 * ms, For: 8000 * ms, On: 1, Much: 0.42},
			{Kind: world.Cut, At: 3000 * ms, For: 6419 * ms, On: 0, To: 1, Much: 0.74},
			{Kind: world.KeepalivedKilled, At: 5000 * ms, For: 5932 * ms, On: 0, Much: 0.28},
			{Kind: world.Unlinked, At: 14679 * ms, For: 1 * ms, On: 1, Much: 0.48},
		}},
	},
	{
		"a hook waited for a witness, as that of a master with the VIP: meanwhile the other node took over, and it made a master of this one again, with nobody's writers paused",
		world.Schedule{Setup: world.Setup{Architecture: world.Witness, Seed: 7569, Persistence: world.NoPersistence, Backlog: 16384, CopyTime: 20 * ms, Keys: 1000, Overwrites: true, Witnesses: 3, Swapped: true}, Faults: []world.Fault{
			{Kind: world.CutOff, At: 13269 * ms, For: 2318 * ms, On: 0, Much: 0.07},
			{Kind: world.CutOff, At: 21929 * ms, For: 2850 * ms, On: 1, Much: 0.55},
			{Kind: world.CutOff, At: 21981 * ms, For: 7272 * ms, On: 0, Much: 0.14},
			{Kind: world.CutOff, At: 25000 * ms, For: 6000 * ms, On: 6, Much: 0.62},
			{Kind: world.CutOff, At: 28000 * ms, For: 1500 * ms, On: 0, Much: 0.51},
		}},
	},
	{
		"a run waited for a silent host, and sent its node to a master that had restarted with nothing meanwhile",
		world.Schedule{Setup: world.Setup{Architecture: world.Sentinel, Seed: 1795281888772836396, Persistence: world.Snapshots, Backlog: 256 << 20, CopyTime: 20 * ms, Overwrites: true, Swapped: true}, Faults: []world.Fault{
			{Kind: world.RedisKilled, At: 13871 * ms, For: 691 * ms, On: 0, Much: 0.82},
			{Kind: world.Cut, At: 14816 * ms, For: 4000 * ms, On: 0, To: 2, Much: 0.62},
			{Kind: world.RedisKilled, At: 16441 * ms, For: 1 * ms, On: 1, Much: 0.64},
		}},
	},
	{
		"a master that was told to copy its replica, which had less, was sent away by that and not listened to",
		world.Schedule{Setup: world.Setup{Architecture: world.Pair, Seed: 1795277482538731504, Persistence: world.NoPersistence, Backlog: 16384, CopyTime: 4000 * ms}, Faults: []world.Fault{
			{Kind: world.CutOff, At: 4000 * ms, For: 251 * ms, On: 1, Much: 0.22},
			{Kind: world.Lossy, At: 9599 * ms, For: 125 * ms, On: 1, To: 0, Much: 0.98},
			{Kind: world.RingMade, At: 14000 * ms, For: 2500 * ms, On: 0, Much: 0.93},
		}},
	},
	{
		"a replica that had been promoted died before anybody had noted that, and took its data for what its master had",
		world.Schedule{Setup: world.Setup{Architecture: world.Pair, Seed: 1795277482538577079, Persistence: world.AppendOnly, Backlog: 16384, CopyTime: 4000 * ms, Keys: 1000}, Faults: []world.Fault{
			{Kind: world.Cut, At: 12272 * ms, For: 3000 * ms, On: 1, To: 0, Much: 0.94},
			{Kind: world.Promoted, At: 14000 * ms, For: 1 * ms, On: 1, Much: 0.57},
			{Kind: world.Reboot, At: 15226 * ms, For: 1 * ms, On: 1, Much: 0.25},
		}},
	},
	{
		"an old master that waited for its successor had its own hook let it go on, as long as it had the lease: two masters",
		world.Schedule{Setup: world.Setup{Architecture: world.Witness, Seed: 1795287860975425761, Persistence: world.NoPersistence, Backlog: 256 << 20, CopyTime: 4000 * ms, Keys: 1000, Witnesses: 1}, Faults: []world.Fault{
			{Kind: world.HostFrozen, At: 1229 * ms, For: 2372 * ms, On: 4, Much: 0.82},
			{Kind: world.Lossy, At: 22117 * ms, For: 15000 * ms, On: 0, To: 1, Much: 0.89},
		}},
	},
	{
		"a replica acknowledged and was too slow to answer, the gateway was dead: the VIP was left to a master whose writers waited",
		world.Schedule{Setup: world.Setup{Architecture: world.Pair, Seed: 1795287860976210557, Persistence: world.AppendOnly, Backlog: 16384, CopyTime: 300 * ms, Keys: 1000, Gateway: true, Swapped: true}, Faults: []world.Fault{
			{Kind: world.PowerLoss, At: 1000 * ms, For: 24000 * ms, On: 4, Much: 0.62},
			{Kind: world.PowerLoss, At: 2000 * ms, For: 1 * ms, On: 1, Much: 0.63},
			{Kind: world.Maintenance, At: 5000 * ms, For: 1000 * ms, On: 0, Much: 0.42},
			{Kind: world.Slow, At: 8924 * ms, For: 10000 * ms, On: 0, To: 1, Much: 0.63},
		}},
	},
	{
		"not the rules, but the promise of newer data: it took a node for within reach that was cut off between two looks at the network",
		world.Schedule{Setup: world.Setup{Architecture: world.Pair, Seed: 1795303474234128754, Persistence: world.NoPersistence, Backlog: 256 << 20, CopyTime: 20 * ms, Keys: 1000, Overwrites: true, Gateway: true, Swapped: true}, Faults: []world.Fault{
			{Kind: world.CutOff, At: 2956 * ms, For: 7000 * ms, On: 1, Much: 0.63},
			{Kind: world.CutOff, At: 3070 * ms, For: 8000 * ms, On: 0, Much: 0.48},
			{Kind: world.Unlinked, At: 4000 * ms, For: 1 * ms, On: 0, Much: 0.02},
			{Kind: world.CutOff, At: 16131 * ms, For: 497 * ms, On: 0, Much: 0.69},
		}},
	},
}
