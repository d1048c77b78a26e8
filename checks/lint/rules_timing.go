package lint

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"redis-vip/checks/lint/keepalived"
)

// Where a time is so long that somebody waits for it at night.
const (
	slowCheck    = 20 * time.Second // until a dead Redis is given up
	slowTakeover = 10 * time.Second // until a dead host is
)

var timingRules = []rule{
	{
		"check-deadline", Error, "redis-check may take $1, and keepalived ends it after $2",
		"A check that is ended counts as failed, and nobody is told why: the VIP moves for a Redis that was only slow.",
		"write timeout $3 into the vrrp_script, or a shorter timeout into redis-vip.toml", checkDeadline,
	},
	{
		"script-number", Error, "$1 $2 makes no sense", "keepalived passes over it, or takes 1 or a default: not what is written.", "write a whole number of $3, 1 or more", scriptNumber,
	},
	{
		"check-overlap", Warning, "timeout $1 is longer than interval $2", "A check that hangs is still there when the next one starts: keepalived 2.1.3 to 2.3.2 run both.",
		"write a timeout that is not longer than interval", checkOverlap,
	},
	{
		"check-slow", Warning, "a dead Redis is given up after $1: interval × fall", "All that time clients have no master.", "write interval 2 and fall 2", checkSlow,
	},
	{
		"advert-slow", Warning, "advert_int $1", "A host that dies is missed after three times that, and some more: $2.", "write advert_int 1", advertSlow,
	},
}

func checkDeadline(h *Host) (hits []hit) {
	for _, block := range h.Keepalived.All("vrrp_script") {
		limit, ok := scriptTimeout(block)
		for _, s := range scripts(h.Keepalived) {
			if !ok || s.Statement != block.Last("script") || !s.isOurs(ourCheck) {
				continue
			}
			if takes := h.checkTimeout(s); takes >= limit && takes > 0 {
				place := s.Position
				if t := block.Last("timeout"); t != nil {
					place = t.Position
				}
				hits = append(hits, at(place, takes.String(), limit.String(), fmt.Sprint(int(takes/time.Second)+1)))
			}
		}
	}
	return hits
}

// scriptTimeout is when keepalived ends a script: after its interval if nothing is said.
func scriptTimeout(block *keepalived.Statement) (time.Duration, bool) {
	interval, ok := seconds(block.Last("interval"), time.Second)
	if !ok {
		return 0, false
	}
	timeout, ok := seconds(block.Last("timeout"), interval)
	return max(timeout, time.Second), ok // keepalived makes 1 of 0
}

// standardTimeout is that of redis-check where nobody says another.
const standardTimeout = 900 * time.Millisecond

// checkTimeout is how long a redis-check may take: by its flag, or by redis-vip.toml.
func (h *Host) checkTimeout(s script) time.Duration {
	group := ""
	timeout := cmp.Or(h.Timeout, standardTimeout)
	flag := func(i int, name string) (string, bool) {
		word := strings.TrimPrefix(strings.TrimPrefix(s.program[i], "-"), "-")
		if value, found := strings.CutPrefix(word, name+"="); found {
			return value, true
		}
		return s.program[min(i+1, len(s.program)-1)], word == name
	}
	given := false
	for i := 1; i < len(s.program); i++ {
		if value, found := flag(i, "group"); found {
			group = value
		}
		if value, found := flag(i, "timeout"); found {
			if d, err := time.ParseDuration(value); err == nil {
				timeout, given = d, true
			}
		}
	}
	for _, g := range h.Groups {
		if !given && (group == g.Name || len(h.Groups) == 1) && g.Timeout > 0 {
			timeout = g.Timeout
		}
	}
	return timeout
}

func scriptNumber(h *Host) (hits []hit) {
	for _, block := range h.Keepalived.All("vrrp_script") {
		for keyword, unit := range map[string]string{"interval": "seconds", "timeout": "seconds", "fall": "times", "rise": "times"} {
			s := block.Last(keyword)
			if s == nil || keepalived.Open(s.Value(1)) {
				continue
			}
			// 2.3.2 and later take fractions of seconds.
			d, ok := seconds(s, 0)
			if !ok || d <= 0 || unit == "times" && d%time.Second != 0 {
				hits = append(hits, at(s.Position, keyword, s.Value(1), unit))
			}
		}
	}
	return hits
}

func checkOverlap(h *Host) (hits []hit) {
	for _, block := range h.Keepalived.All("vrrp_script") {
		interval, known := seconds(block.Last("interval"), time.Second)
		timeout, given := seconds(block.Last("timeout"), 0)
		if known && given && interval > 0 && timeout > interval {
			hits = append(hits, at(block.Last("timeout").Position, timeout.String(), interval.String()))
		}
	}
	return hits
}

func checkSlow(h *Host) (hits []hit) {
	for _, block := range h.Keepalived.All("vrrp_script") {
		interval, known := seconds(block.Last("interval"), time.Second)
		fall, given := seconds(block.Last("fall"), time.Second) // a count, read as seconds
		takes := interval * (fall / time.Second)
		if known && given && interval < time.Hour && fall < time.Hour && takes > slowCheck {
			hits = append(hits, at(block.Position, takes.String()))
		}
	}
	return hits
}

func advertSlow(h *Host) (hits []hit) {
	for _, v := range instances(h.Keepalived) {
		every, known := seconds(v.Last("advert_int"), time.Second)
		if known && 3*every > slowTakeover {
			hits = append(hits, at(v.Last("advert_int").Position, v.Last("advert_int").Value(1), (3*every).String()))
		}
	}
	return hits
}
