package host

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"redis-vip/checks/clock"
)

// tick is the unit of times in /proc, on every machine that Linux runs on (proc_pid_stat(5);
// USER_HZ is 100).
const tick = time.Second / 100

// Age is how long a process has lived, by a clock that nobody sets.
func Age(pid int) (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// The second field is the name, in which anything may stand; the start is the 22nd.
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	const start = 22 - 3
	if len(fields) <= start {
		return 0, fmt.Errorf("/proc/%d/stat has too few fields", pid)
	}
	ticks, err := strconv.ParseInt(fields[start], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("/proc/%d/stat: when the process started: %w", pid, err)
	}
	return clock.Wall{}.Boot() - time.Duration(ticks)*tick, nil
}
