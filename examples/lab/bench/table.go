package bench

import (
	"fmt"
	"io"
	"time"
)

// table prints what was measured as soon as it was.
type table struct{ out io.Writer }

func (t table) title(text string) {
	fmt.Fprintf(t.out, "\n%-46s %9s %6s %9s %6s %8s\n", text, "wall ms", "×", "CPU ms", "×", "peak MB")
}

// counts is the title of rows that hold one number.
func (t table) counts(text string) { fmt.Fprintf(t.out, "\n%s\n", text) }

// row prints our program, and below it each peer and how ours compares to it.
func (t table) row(programs []Program, costs []cost) {
	ours := costs[0]
	for i, c := range costs {
		name, wall, cpu := programs[i].Name, "", ""
		if i > 0 {
			name = "  " + name
			wall, cpu = ratio(ours.wall(), c.wall()), ratio(ours.cpu(), c.cpu())
		}
		fmt.Fprintf(t.out, "%-46s %9.2f %6s %9.2f %6s %8.1f\n", name, milliseconds(c.wall()), wall, milliseconds(c.cpu()), cpu, float64(c.Peak)/1e6)
	}
}

// note prints one number that has no peer.
func (t table) note(name, format string, args ...any) {
	fmt.Fprintf(t.out, "%-46s %s\n", name, fmt.Sprintf(format, args...))
}

func ratio(ours, theirs time.Duration) string {
	return fmt.Sprintf("%.2f", float64(ours)/float64(theirs))
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
