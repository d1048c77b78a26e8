package fault

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// never is the time of what did not happen.
const never = time.Duration(math.MaxInt64)

// book remembers writes that were acknowledged.
type book interface {
	Stop()
	Acknowledged() (int, time.Time)
	Missing(context.Context, redis.Cmdable) ([]string, error)
}

// Result is what a fault cost.
type Result struct {
	Scenario Scenario
	Hooks    Hooks
	Server   string // what the master at the end says it is

	Outage       time.Duration // the longest time without an acknowledged write
	Errors       map[string]int
	Acknowledged int
	Lost         int // of them, what the master at the end does not have
	Preserved    int // of those, what is in preserved files
	Files        []string
	Masters      int           // how many there are at the end
	Two          time.Duration // after the fault began, when two nodes took writes for the last time; 0 for never
	Useless      time.Duration // the longest that a node had the VIP and took no writes
	Moved        bool          // another node than at the beginning has had the VIP
	Whole        time.Duration // after the fault was over; never, if it was not
	Wrong        error         // what was missing at the end
	Times        map[string]time.Duration
}

// Nowhere is how many acknowledged writes are neither on the master nor in a file.
func (r Result) Nowhere() int { return r.Lost - r.Preserved }

// Price is the time without service: the outage, or of a start all that it took.
func (r Result) Price() time.Duration {
	if took, found := r.Times[fromNothing]; found && r.Scenario.Setup.Fresh {
		return took
	}
	return r.Outage
}

// Broken says which promises were not kept. It is nil if all were.
func (r Result) Broken() error {
	var broken []error
	for _, p := range r.Scenario.Promises {
		if err := p(r); err != nil {
			broken = append(broken, err)
		}
	}
	return errors.Join(broken...)
}

// result looks what is left of all that was acknowledged.
func (s *Stage) result(ctx context.Context) (r Result, err error) {
	s.close()
	report := s.Book.Report()
	r = Result{
		Outage: report.Outage.Duration(), Errors: report.Errors,
		Two: s.Watch.Two(s.began), Useless: s.Watch.Useless(s.began), Moved: s.Watch.Moved(s.Active, s.began), Whole: never, Wrong: s.wrong, Times: s.Times,
	}
	if !s.whole.IsZero() {
		r.Whole = s.whole.Sub(s.ended)
	}
	master, masters, err := s.final(ctx)
	if err != nil {
		return r, err
	}
	r.Masters = masters
	if r.Server, err = master.Redis.Version(ctx); err != nil {
		return r, err
	}
	kept, err := s.preserved(ctx)
	if err != nil {
		return r, err
	}
	r.Files = kept.files
	for _, b := range s.books {
		n, _ := b.Acknowledged()
		r.Acknowledged += n
		missing, err := b.Missing(ctx, master.Redis)
		if err != nil {
			return r, err
		}
		r.Lost += len(missing)
		for _, key := range missing {
			if kept.has(key) {
				r.Preserved++
			}
		}
	}
	return r, nil
}

// Head is the first line over rows of results.
const Head = "fault                          hooks   outage  acknowledged  lost nowhere  preserved  masters at the end"

// String is a row: what the fault cost, and what else was measured.
func (r Result) String() string {
	row := fmt.Sprintf("%-30s %-5s %8s  %12d  %12d  %9d  %18d", r.Scenario.Name, r.Hooks, seconds(r.Outage), r.Acknowledged, r.Nowhere(), r.Preserved, r.Masters)
	notes := []string{"whole again " + after0(r.Whole)}
	if r.Two > 0 {
		notes = append(notes, "two took writes until "+seconds(r.Two))
	}
	if r.Useless > 0 {
		notes = append(notes, "VIP without writes for "+seconds(r.Useless))
	}
	for _, what := range slices.SortedFunc(maps.Keys(r.Times), cmp.Compare[string]) {
		notes = append(notes, what+" "+after0(r.Times[what]))
	}
	return row + "  (" + strings.Join(notes, ", ") + ")"
}

func after0(d time.Duration) string {
	if d == never {
		return "never"
	}
	if d < time.Second {
		return fmt.Sprintf("after %d ms", d.Milliseconds())
	}
	return "after " + seconds(d)
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }
