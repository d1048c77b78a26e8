package lint

import (
	"strconv"
	"time"

	"redis-vip/checks/lint/redisconf"
)

// Where a time is too long or too short.
const (
	longDownAfter  = 10 * time.Second
	shortDownAfter = 1500 * time.Millisecond // see downAfterShort
	longFailover   = time.Minute
)

const (
	standardDownAfter = 30 * time.Second // SENTINEL_DEFAULT_DOWN_AFTER
	standardFailover  = 3 * time.Minute  // SENTINEL_DEFAULT_FAILOVER_TIMEOUT
)

var quorumRules = []rule{
	{
		"quorum-too-high", Error, "quorum $1 with $2 Sentinels", "They are never enough to call a master down: there is no failover.", "write the majority: $3", quorumTooHigh,
	},
	{
		"quorum-all", Warning, "quorum $1 with $2 Sentinels", "When one of them is dead, as on a host that is lost, the others are too few: there is no failover.", "write the majority: $3", quorumAll,
	},
	{
		"quorum-one", Warning, "quorum 1", "The false alarm of one Sentinel, as one that is cut off, starts a failover.", "write the majority of the Sentinels", quorumOne,
	},
	{
		"sentinels-few", Warning, "$1 Sentinels", "A failover needs a majority of all: with two, both. When a host is lost there is none.", "run a third Sentinel, on a host of its own", sentinelsFew,
	},
	{
		"down-after-long", Warning, "down-after-milliseconds is $1", "A dead master is called dead after $2: until then there is no master.", "write sentinel down-after-milliseconds $3 2000", downAfterLong,
	},
	{
		"down-after-short", Warning, "down-after-milliseconds is $1", "After a failover a Sentinel may wait a second before it connects to the new master. It takes that one for down then, with what the others said of the old one, and fails over again.", "write sentinel down-after-milliseconds $2 2000", downAfterShort,
	},
	{
		"failover-timeout-long", Warning, "failover-timeout is $1", "A failover that does not succeed is tried again after twice that.", "write sentinel failover-timeout $2 10000", failoverTimeoutLong,
	},
}

// quorums are the masters whose quorum is wrong for the number of Sentinels.
func quorums(h *Host, wrong func(quorum, sentinels int) bool) (hits []hit) {
	for _, m := range monitors(h) {
		if n, known := h.sentinels(m); known && wrong(m.quorum, n) {
			hits = append(hits, at(m.Position, strconv.Itoa(m.quorum), strconv.Itoa(n), strconv.Itoa(n/2+1)))
		}
	}
	return hits
}

func quorumTooHigh(h *Host) []hit {
	return quorums(h, func(quorum, n int) bool { return quorum > n })
}

func quorumAll(h *Host) []hit {
	return quorums(h, func(quorum, n int) bool { return quorum == n && n > 2 })
}

func quorumOne(h *Host) (hits []hit) {
	for _, m := range monitors(h) {
		if n, known := h.sentinels(m); m.quorum == 1 && (!known || n > 1) {
			hits = append(hits, at(m.Position))
		}
	}
	return hits
}

func sentinelsFew(h *Host) (hits []hit) {
	for _, m := range monitors(h) {
		if n, known := h.sentinels(m); known && n < 3 {
			hits = append(hits, at(m.Position, strconv.Itoa(n)))
		}
	}
	return hits
}

// times visits a time of each master, in milliseconds, and where it is set.
func times(h *Host, option string, standard time.Duration, visit func(m monitor, place redisconf.Position, d time.Duration)) {
	for _, m := range monitors(h) {
		place, value := m.Position, standard
		if list := h.Sentinel.Of(option, m.name); len(list) > 0 {
			d := list[len(list)-1]
			n, err := strconv.Atoi(d.Arg(2))
			if err != nil {
				continue
			}
			place, value = d.Position, time.Duration(n)*time.Millisecond
		}
		visit(m, place, value)
	}
}

func downAfterLong(h *Host) (hits []hit) {
	times(h, "down-after-milliseconds", standardDownAfter, func(m monitor, place redisconf.Position, d time.Duration) {
		if d > longDownAfter {
			hits = append(hits, at(place, strconv.FormatInt(d.Milliseconds(), 10), d.String(), m.name))
		}
	})
	return hits
}

// downAfterShort is a time in which a Sentinel may not have asked the new master once. When
// it switches, it forgets its connection and counts from then on, but not when it last tried
// to connect to the old master (sentinelResetMaster), and it tries once a second and at a
// timer's turn of up to 0.1 s (sentinelReconnectInstance). What the others said of the old
// master counts for five seconds more (SRI_MASTER_DOWN): it alone is enough for ODOWN.
func downAfterShort(h *Host) (hits []hit) {
	times(h, "down-after-milliseconds", standardDownAfter, func(m monitor, place redisconf.Position, d time.Duration) {
		if d < shortDownAfter {
			hits = append(hits, at(place, strconv.FormatInt(d.Milliseconds(), 10), m.name))
		}
	})
	return hits
}

func failoverTimeoutLong(h *Host) (hits []hit) {
	times(h, "failover-timeout", standardFailover, func(m monitor, place redisconf.Position, d time.Duration) {
		if d > longFailover {
			hits = append(hits, at(place, strconv.FormatInt(d.Milliseconds(), 10), m.name))
		}
	})
	return hits
}
