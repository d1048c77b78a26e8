package program

import (
	"os"
	"strconv"
	"time"

	"redis-vip/checks/survey"

	"golang.org/x/sys/unix"
)

// moment remembers a moment in a file of the run folder, which a reboot empties. It
// counts the time since boot, which nobody sets.
type moment struct{ path string }

func (c moment) Now() error {
	return survey.Replace(c.path, strconv.AppendInt(nil, int64(sinceBoot()), 10), false)
}

func (c moment) Ago() time.Duration {
	text, err := survey.Read(c.path)
	if err == nil {
		if at, err := strconv.ParseInt(string(text), 10, 64); err == nil {
			return max(sinceBoot()-time.Duration(at), 0)
		}
	}
	c.Now() // the first call, or a file that is none of ours
	return 0
}

func sinceBoot() time.Duration {
	var t unix.Timespec
	unix.ClockGettime(unix.CLOCK_BOOTTIME, &t)
	return time.Duration(t.Nano())
}

// mark remembers a fact in a file of the run folder.
type mark struct{ path string }

func (m mark) IsSet() bool {
	_, err := os.Stat(m.path)
	return err == nil
}

func (m mark) Set(on bool) error {
	switch {
	case on == m.IsSet():
		return nil
	case on:
		return survey.Replace(m.path, nil, false)
	default:
		return os.Remove(m.path)
	}
}
