package world

import (
	"cmp"
	"time"
)

// failover is one that this Sentinel leads, or would like to.
type failover struct {
	state    failoverState
	epoch    int
	forced   bool
	start    time.Duration
	changed  time.Duration
	promoted int
	sent     []bool
}

type failoverState uint8

const (
	waitStart failoverState = iota
	selectReplica
	sendNoOne
	waitPromotion
	reconfReplicas
)

// ask asks the others whether they hold the master to be down, and for their votes.
func (s *sentinel) ask() {
	w := s.host.world
	s.nextAsk = w.now + askPeriod
	s.others(func(i int, other *sentinel) {
		s.down[i] = -never / 2
		if other.master == s.master && other.isDown(s.master) && w.now >= other.tilt {
			s.down[i] = w.now
		}
		if s.failover != nil {
			leader, epoch := other.vote(s.failover.epoch, s)
			s.votes[i] = ballot{leader, epoch}
		}
	})
}

// vote is one vote for each epoch (sentinelVoteLeader).
func (s *sentinel) vote(epoch int, who *sentinel) (*sentinel, int) {
	s.epoch = max(s.epoch, epoch)
	if s.leaderEpoch < epoch && s.epoch <= epoch {
		s.leader, s.leaderEpoch = who, epoch
		if who != s {
			s.lastStart = s.host.world.now + s.desync()
		}
	}
	return s.leader, s.leaderEpoch
}

func (s *sentinel) desync() time.Duration { return time.Duration(s.random.Int64N(int64(maxDesync))) }

func (s *sentinel) startIfNeeded() {
	w := s.host.world
	if !s.isDown(s.master) {
		return
	}
	if w.now >= s.nextAsk {
		s.ask()
	}
	if s.objectively() && s.failover == nil && w.now-s.lastStart >= 2*failoverTimeout {
		s.begin(false)
		s.ask()
	}
}

// begin is +try-failover.
func (s *sentinel) begin(forced bool) {
	w := s.host.world
	s.epoch++
	s.lastStart = w.now + s.desync()
	s.failover = &failover{epoch: s.epoch, forced: forced, start: s.lastStart, changed: w.now, promoted: -1, sent: make([]bool, len(w.nodes))}
	w.note(s.host.name, "Sentinel: +try-failover of %s, epoch %d", w.nodes[s.master].name, s.epoch)
}

func (s *sentinel) abort(why string) {
	s.host.world.note(s.host.name, "Sentinel: -failover-abort-%s", why)
	s.failover = nil
}

// elected says whether it has the majority of the votes (sentinelGetLeader).
func (s *sentinel) elected() bool {
	f := s.failover
	counts := make(map[*sentinel]int)
	var winner *sentinel
	for _, b := range s.votes {
		if b.leader != nil && b.epoch == f.epoch {
			if counts[b.leader]++; winner == nil || counts[b.leader] > counts[winner] {
				winner = b.leader
			}
		}
	}
	if winner == nil {
		winner = s
	}
	if leader, epoch := s.vote(f.epoch, winner); leader != nil && epoch == f.epoch {
		counts[leader]++
	}
	return counts[s] >= max(quorum, len(s.host.world.nodes)/2+1)
}

// goOn is the state machine of a failover.
func (s *sentinel) goOn() {
	f, w := s.failover, s.host.world
	if f == nil {
		return
	}
	next := func(state failoverState) { f.state, f.changed = state, w.now }
	switch f.state {
	case waitStart:
		switch {
		case f.forced || s.elected():
			next(selectReplica)
		case w.now-f.start > failoverTimeout:
			s.abort("not-elected")
		}
	case selectReplica:
		if f.promoted = s.best(); f.promoted < 0 {
			s.abort("no-good-slave")
			return
		}
		next(sendNoOne)
	case sendNoOne:
		switch {
		case s.order(f.promoted, f.promoted, "+promoted-slave"):
			next(waitPromotion)
		case w.now-f.changed > failoverTimeout:
			s.abort("slave-timeout")
		}
	case waitPromotion:
		if w.now-f.changed > failoverTimeout {
			s.abort("slave-timeout")
		}
	case reconfReplicas:
		s.reconfigure()
	}
}

// best is the replica to promote (sentinelSelectSlave), or -1.
func (s *sentinel) best() int {
	w, best := s.host.world, -1
	longest := 10 * downAfter
	if s.isDown(s.master) {
		longest += w.now - s.views[s.master].pending
	}
	fresh := 3 * infoPeriod
	if s.isDown(s.master) {
		fresh = 5 * pingPeriod
	}
	for i := range s.views {
		v := &s.views[i]
		if i == s.master || s.isDown(i) || w.now-v.answered > 5*pingPeriod || w.now-v.infoAt > fresh || v.linkDown > longest {
			continue
		}
		if best < 0 || cmp.Or(cmp.Compare(v.offset, s.views[best].offset), cmp.Compare(w.nodes[best].redis.runID, w.nodes[i].redis.runID)) > 0 {
			best = i
		}
	}
	return best
}

// promoted is when the promoted replica says that it is a master: from here on it is
// named, and the script is called.
func (s *sentinel) promoted() {
	f, w := s.failover, s.host.world
	s.config = f.epoch
	f.state, f.changed = reconfReplicas, w.now
	s.nextHello = w.now
	s.script()
}

// reconfigure has the other replicas follow, and then ends the failover.
func (s *sentinel) reconfigure() {
	f, w := s.failover, s.host.world
	done := true
	late := w.now-f.changed > failoverTimeout
	for i := range s.views {
		if i == s.master || i == f.promoted || s.isDown(i) {
			continue
		}
		if !f.sent[i] {
			f.sent[i] = s.order(i, f.promoted, "+slave-reconf-sent")
		}
		u := w.nodes[i].redis.upstream
		done = done && u != nil && u.addr == w.nodes[f.promoted].redis.addr && u.link != nil && u.link.state == online
	}
	if done || late {
		w.note(s.host.name, "Sentinel: +switch-master %s", w.nodes[f.promoted].name)
		s.reset(f.promoted)
	}
}

// command is SENTINEL FAILOVER.
func (s *sentinel) command() error {
	switch {
	case s.failover != nil:
		return refusal("INPROG Failover already in progress")
	case s.best() < 0:
		return refusal("NOGOODSLAVE No suitable replica to promote")
	}
	s.begin(true)
	return nil
}
