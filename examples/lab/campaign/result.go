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
		r.Config.Tell(one)
	}
	if len(one.Violations) == 0 {
		return
	}
	t.violations++
	r.Violations = append(r.Violations, one)
	if r.Config.Violated != nil {
		r.Config.Violated(one, journal())
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
	fmt.Fprintf(out, "%d faults in %d rounds, %.0f minutes, on %d labs side by side (seeds %d to %d). Of %d acknowledged writes, %d are only in\npreserved files, %d died with the last process that had them, and the masters have the rest. Violations: %d.\n\n",
		r.faults, r.rounds, r.Took.Minutes(), len(r.Config.Labs), r.Config.Seed, r.Config.Seed+uint64(len(r.Config.Labs))-1, r.acked, preserved, died, len(r.Violations))
	fmt.Fprintln(out, "| fault | on | faults | rounds | longest without a write | longest until all was well | preserved | died | violations |")
	fmt.Fprintln(out, "|---|---|--:|--:|--:|--:|--:|--:|--:|")
	for _, at := range slices.SortedFunc(maps.Keys(r.rows), func(a, b row) int {
		return cmp.Or(cmp.Compare(order0(a.what), order0(b.what)), cmp.Compare(a.on, b.on))
	}) {
		t := r.rows[at]
		fmt.Fprintf(out, "| %s | %s | %s | %d | %s | %s | %d | %d | %d |\n", at.what, at.on, count(t.faults), t.rounds,
			took(t.outage, t), took(t.whole, t), t.preserved, t.died, t.violations)
	}
	for _, v := range r.Violations {
		fmt.Fprintf(out, "\n- %v\n", v)
	}
}

// order0 is where a line stands.
func order0(what string) int {
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
