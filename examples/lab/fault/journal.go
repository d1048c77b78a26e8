package fault

import (
	"fmt"
	"io"
	"slices"

	"redis-vip/examples/lab/netlab"
)

// PrintJournal prints what all hosts logged, with the fields of our programs'
// records.
func PrintJournal(out io.Writer, entries []netlab.Entry) {
	for _, e := range entries {
		fmt.Fprintln(out, e)
		if len(e.Fields) > 0 && e.Priority < 7 {
			fmt.Fprintln(out, "   ", e.Fields)
		}
	}
}

// Since cuts off what hosts logged before the fault, if there was one: they come up as in
// every other run.
func Since(entries []netlab.Entry) []netlab.Entry {
	return entries[max(slices.IndexFunc(entries, func(e netlab.Entry) bool { return e.Message == begins }), 0):]
}
