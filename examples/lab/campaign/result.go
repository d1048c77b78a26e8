package campaign

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"time"

	"redis-vip/examples/lab/netlab"
	"redis-vip/examples/sim/world"
)

// Result is what came of a campaign.
type Result struct {
	Config Config
	Began  time.Time
	Took   time.Duration

	mu         sync.Mutex
	faults     int
	rounds     int
	acked      int
	lately     map[int]int // of each lab, what its ledger has said
	rows       map[row]*tally
	Violations []Round
}

// row is a line of the table.
type row struct {
	what string
	on   world.Architecture
}

type tally struct {
	faults, rounds, preserved, died, violations int

	outage, whole time.Duration // the longest
}

// several is the line of rounds in which several things went wrong, none of which needs
// another.
const several = "several of them at once"

// heading is the line that a round belongs to.
func (r Round) heading() string {
	for _, f := range r.Faults {
		if f.kind.restless {
			return f.kind.name
		}
	}
	if len(r.Faults) > 1 {
		return several
	}
	return r.Faults[0].kind.name
}

func (r *Result) row(what string, on world.Architecture) *tally {
	at := row{what, on}
	if r.rows[at] == nil {
		r.rows[at] = &tally{}
	}
	return r.rows[at]
}

// add takes a round in, and tells of it.
func (r *Result) add(one Round, journal func() []netlab.Entry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, f := range one.Faults {
		r.row(f.kind.name, one.On).faults++
		r.faults++
	}
	r.rounds++
	if r.lately == nil {
		r.lately = make(map[int]int)
	}
	if one.Acknowledged < r.lately[one.Lab] { // another lab since
		r.lately[one.Lab] = 0
	}
	r.acked += one.Acknowledged - r.lately[one.Lab]
	r.lately[one.Lab] = one.Acknowledged
	t := r.row(one.heading(), one.On)
	t.rounds++
	t.preserved += one.Preserved
	t.died += one.Died
	t.outage, t.whole = max(t.outage, one.Outage), max(t.whole, one.Whole)
	if r.Config.Tell != nil {
		r.Config.Tell(one, journal)
	}
	if len(one.Violations) > 0 {
		t.violations++
		r.Violations = append(r.Violations, one)
	}
}

func (r *Result) enough() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.faults >= r.Config.Faults
}

// Faults is how many there were.
func (r *Result) Faults() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.faults
}

// Print writes the table, in Markdown.
func (r *Result) Print(out io.Writer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var preserved, died int
	for _, t := range r.rows {
		preserved += t.preserved
		died += t.died
	}
	fmt.Fprintf(out, "%d faults in %d rounds, in %.0f minutes, on %d labs side by side (seeds %d to %d).\n",
		r.faults, r.rounds, r.Took.Minutes(), len(r.Config.Labs), r.Config.Seed, r.Config.Seed+uint64(len(r.Config.Labs))-1)
	fmt.Fprintf(out, "Of %d acknowledged writes %d are only in preserved files, %d died with the last process that had\nthem, and the masters have the others. Broken promises: %d.\n",
		r.acked, preserved, died, len(r.Violations))
	fmt.Fprint(out, legend)
	for _, a := range world.Architectures() {
		r.print(out, a)
	}
	if len(r.Violations) > 0 {
		fmt.Fprintln(out, "\n## What was broken")
	}
	for _, v := range r.Violations {
		fmt.Fprintf(out, "\n- %v\n", v)
	}
}

const legend = `
A round is one fault or some at once, and the time until all is well again; it stands in the line of
its fault, or of the one that came with others to have something to disturb. All is well when, for 4 s
(which count), one node has the VIP, is the master and takes writes, the others follow it and apply
what they get, no host has an address that nobody gave it, and redis-check finds every node fit. Time
without a write is of two clients together, and may last as long as a fault that leaves nobody to write
to. Died: the write was in the memory of processes only, and all of them were killed.
`

// print writes the table of one architecture.
func (r *Result) print(out io.Writer, a world.Architecture) {
	whats := slices.SortedFunc(maps.Keys(r.rows), func(a, b row) int { return cmp.Compare(place(a.what), place(b.what)) })
	whats = slices.DeleteFunc(whats, func(at row) bool { return at.on != a })
	if len(whats) == 0 {
		return
	}
	fmt.Fprintf(out, "\n## %s\n\n", map[world.Architecture]string{
		world.Pair: "The pair", world.Witness: "The pair with a witness", world.Sentinel: "Three hosts under Sentinel",
	}[a])
	fmt.Fprintln(out, "| fault | faults | rounds | longest without a write | longest until all was well | only in files | died | broken promises |")
	fmt.Fprintln(out, "|---|--:|--:|--:|--:|--:|--:|--:|")
	for _, at := range whats {
		t := r.rows[at]
		fmt.Fprintf(out, "| %s | %s | %s | %s | %s | %d | %d | %d |\n", at.what, count(t.faults), count(t.rounds),
			took(t.outage, t), took(t.whole, t), t.preserved, t.died, t.violations)
	}
}

// place is where a line stands.
func place(what string) int {
	i := slices.IndexFunc(kinds, func(k *kind) bool { return k.name == what })
	if i < 0 {
		return len(kinds)
	}
	return i
}

func count(n int) string {
	if n == 0 {
		return "-"
	}
	return fmt.Sprint(n)
}

func took(d time.Duration, t *tally) string {
	if t.rounds == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}
