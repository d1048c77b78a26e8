package fault

import (
	"fmt"
	"io"

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
