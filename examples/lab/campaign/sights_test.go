package campaign

import (
	"testing"
	"time"

	"redis-vip/examples/lab/ledger"
	"redis-vip/examples/lab/netlab"
	"redis-vip/examples/lab/site"
)

// A write had to be lost only if all that had it have died.
func TestLives(t *testing.T) {
	t.Parallel()
	now := time.Now()
	host := &site.Node{Host: &netlab.Host{Name: "redis1"}}
	alive, dead, looked := &netlab.Process{}, &netlab.Process{}, &netlab.Process{}
	servers := map[*netlab.Process]*server{
		alive:  {node: host, last: now},
		dead:   {node: host, last: now.Add(-time.Minute), ended: now.Add(-30 * time.Second)},
		looked: {node: host, last: now.Add(-time.Second), ended: now},
	}
	who := func(list ...*netlab.Process) map[*netlab.Process]bool {
		set := make(map[*netlab.Process]bool)
		for _, p := range list {
			set[p] = true
		}
		return set
	}
	s := &sights{servers: servers, all: map[string]bool{"old": true}, had: map[string]map[*netlab.Process]bool{
		"both": who(alive, dead), "dead": who(dead, looked), "mine": who(looked),
	}}
	for _, c := range []struct {
		key    string
		ago    time.Duration
		marked map[*netlab.Process]bool
		onDisk bool
		lives  bool
	}{
		{key: "both", ago: time.Minute, lives: true},
		{key: "dead", ago: time.Minute},
		{key: "dead", ago: time.Minute, onDisk: true, lives: true},
		{key: "mine", ago: time.Second, onDisk: true}, // which has not got there
		{key: "unseen", ago: 500 * time.Millisecond},  // nobody looked between it and a death
		{key: "unseen", ago: 10 * time.Second, lives: true},
		{key: "old", ago: time.Hour, marked: who(dead)},
		{key: "old", ago: time.Hour, marked: who(dead, alive), lives: true},
	} {
		s.marked = c.marked
		if why := s.lives(ledger.Write{Key: c.key, At: now.Add(-c.ago)}, c.onDisk); (why != "") != c.lives {
			t.Errorf("%s of %v ago, on disk %v: %q", c.key, c.ago, c.onDisk, why)
		}
	}
	// What was seen since the writes were listed is not forgotten.
	s.settle("mark", []ledger.Write{{Key: "both"}})
	if why := s.lives(ledger.Write{Key: "mine", At: now.Add(-10 * time.Second)}, false); why != "" {
		t.Error(why)
	}
}
