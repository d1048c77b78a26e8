package agent

import (
	"bytes"
	"fmt"
	"iter"
	"os"
	"slices"
	"strconv"
)

// pidsAscending yields the numbers among the entries of /proc.
func pidsAscending(entries []os.DirEntry) iter.Seq[int] {
	var pids []int
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil {
			pids = append(pids, pid)
		}
	}
	slices.Sort(pids)
	return slices.Values(pids)
}

// parent returns a process's parent, or 0 if it is gone.
func parent(pid int) int {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	// "12 (a name) S 1 …": the name may hold anything, so count from its end.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	ppid, _ := strconv.Atoi(string(fields[1]))
	return ppid
}
