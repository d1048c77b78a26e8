package bench

import (
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"strings"

	"redis-vip/examples/lab/netlab"
)

// instructions compares how many instructions the programs execute in user space, as
// valgrind counts them, in all their processes. The number does not drift with what else
// the machine does. The kernel's part is not in it: exec, page faults and the network,
// which is most of the time that a check takes.
func (b *Bench) instructions(ctx context.Context, host *netlab.Host, programs ...Program) error {
	b.table.counts("instructions in user space, by valgrind")
	if _, err := exec.LookPath("valgrind"); err != nil {
		b.table.note("left out", "no valgrind here")
		return nil
	}
	var ours float64
	for i, p := range programs {
		n, err := p.count(ctx, host)
		if err != nil {
			return err
		}
		if i == 0 {
			ours = n
			b.table.note(p.Name, "%.1f million", n/1e6)
			continue
		}
		b.table.note("  "+p.Name, "%.1f million, × %.2f", n/1e6, ours/n)
	}
	return nil
}

var counted = regexp.MustCompile(`I +refs: +([0-9,]+)`)

// count runs the program once under valgrind.
func (p Program) count(ctx context.Context, host *netlab.Host) (sum float64, err error) {
	status, err := host.Run(ctx, netlab.Command{Args: append([]string{
		"valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null", "--trace-children=yes", "--vgdb=no",
	}, p.Args...)})
	if err != nil {
		return 0, err
	}
	if status.Code != p.Exit {
		return 0, fmt.Errorf("%s under valgrind: %v: %s", p.Name, status, status.Stderr)
	}
	for _, match := range counted.FindAllStringSubmatch(string(status.Stderr), -1) {
		n, err := strconv.ParseFloat(strings.ReplaceAll(match[1], ",", ""), 64)
		if err != nil {
			return 0, err
		}
		sum += n
	}
	if sum == 0 {
		return 0, fmt.Errorf("%s under valgrind: no count in %q", p.Name, status.Stderr)
	}
	return sum, nil
}
