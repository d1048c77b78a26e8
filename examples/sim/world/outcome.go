package world

import (
	"strings"
	"time"
)

// Outcome is what an operator would have seen of a run: what can be looked at from
// outside, in the model as on real hosts.
type Outcome struct {
	Moves     []Move          // of the VIP
	Acked     []time.Duration // when a client was told that a write is done, in order
	Two       time.Duration   // for how long, in all, two nodes took writes
	Kept      int             // acknowledged writes that the master has in the end
	Preserved int             // those that are only in files
	Nowhere   int             // the others
	Views     []View          // shortly before each long fault is over, and at the end
}

// Move is the VIP's coming to a node.
type Move struct {
	At time.Duration
	To string
}

// View is all nodes at one moment.
type View struct {
	At    time.Duration
	Nodes []Sight
}

// Sight is one node.
type Sight struct {
	Name    string
	Redis   string // its role, and how it does
	VIP     bool   // is here
	Verdict string // redis-check's last reason, or reconcile's last course; empty without power
}

func (s Sight) String() string {
	text := s.Name + ": " + s.Redis
	if s.VIP {
		text += ", VIP"
	}
	if s.Verdict != "" {
		text += ", " + s.Verdict
	}
	return text
}

func (v View) String() string {
	var nodes []string
	for _, s := range v.Nodes {
		nodes = append(nodes, s.String())
	}
	return strings.Join(nodes, "; ")
}

// What Sight.Redis says.
const (
	IsDead    = "dead"
	IsSilent  = "silent"
	IsLoading = "loading"
	IsMaster  = "master"
	IsPaused  = "master, writers wait"
)

// Follows is what Sight.Redis says of a replica.
func Follows(master string, up bool) string {
	if up {
		return "replica of " + master
	}
	return "replica of " + master + ", link down"
}

const (
	// SampleEvery is how often somebody looks who takes writes.
	SampleEvery = 40 * time.Millisecond
	// LookBefore is how long before the end of a fault the nodes are looked at. One that
	// is shorter than ShortFault is over before anybody looks.
	LookBefore = 500 * time.Millisecond
	ShortFault = 2 * time.Second
)

// LooksAt are the moments at which the nodes of a run are looked at, but for its end.
func (s Schedule) LooksAt() (list []time.Duration) {
	for _, f := range s.Faults {
		if f.For >= ShortFault {
			list = append(list, f.At+f.For-LookBefore)
		}
	}
	return list
}

// Observe is Run, and what somebody saw of it.
func (r *Runner) Observe(s Schedule) (Result, Outcome) {
	o := &observer{}
	return r.play(s, o), o.Outcome
}

// observer looks at a run, and changes nothing.
type observer struct {
	Outcome
	*world
	both bool // took writes when it last looked
}

func (o *observer) begin(w *world, s Schedule) {
	o.world = w
	for _, at := range s.LooksAt() {
		w.at(at, func() { o.Views = append(o.Views, w.view()) })
	}
	w.after(SampleEvery, o.sample)
}

func (o *observer) sample() {
	o.after(SampleEvery, o.sample)
	n := 0
	for _, h := range o.nodes {
		if h.redis.writable() {
			n++
		}
	}
	if n > 1 && o.both {
		o.Two += SampleEvery
	}
	o.both = n > 1
}

func (o *observer) end() {
	for _, m := range o.watch.moves {
		o.Moves = append(o.Moves, Move{m.at, m.to.name})
	}
	var master *redis
	for _, h := range o.nodes {
		if h.redis.master() && (master == nil || h.vip) {
			master = h.redis
		}
	}
	for _, e := range o.watch.acked {
		o.Acked = append(o.Acked, e.at)
		switch {
		case master != nil && master.head.has(e):
			o.Kept++
		case o.filed(e):
			o.Preserved++
		default:
			o.Nowhere++
		}
	}
	o.Views = append(o.Views, o.view())
}

func (r *redis) writable() bool {
	return r.serves() && r.master() && !r.loading && !r.isPaused()
}

func (w *world) view() View {
	v := View{At: w.now}
	for _, h := range w.nodes {
		verdict := ""
		switch {
		case !h.up:
		case h.sentinel != nil:
			verdict = h.run.course.String()
		default:
			verdict = w.watch.verdicts[h.id].Reason.String()
		}
		v.Nodes = append(v.Nodes, Sight{Name: h.name, Redis: h.redis.sight(), VIP: h.vip, Verdict: verdict})
	}
	return v
}

func (r *redis) sight() string {
	switch {
	case !r.running:
		return IsDead
	case !r.serves():
		return IsSilent
	case r.loading:
		return IsLoading
	case r.upstream != nil:
		return Follows(r.world.nameOf(r.upstream.addr), r.upstream.facts(r).Up)
	case r.isPaused():
		return IsPaused
	}
	return IsMaster
}
