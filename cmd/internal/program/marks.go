package program

import (
	"os"
	"strconv"
	"time"

	"redis-vip/checks/clock"
	"redis-vip/checks/survey"
)

// stamp remembers a moment in a file of the run folder, which a reboot empties. It
// counts the time since boot, which nobody sets.
type stamp struct{ path string }

func (s stamp) Set(at time.Duration) error {
	return survey.Replace(s.path, strconv.AppendInt(nil, int64(at), 10), false)
}

func (s stamp) Get() (at time.Duration, known bool) {
	text, err := survey.Read(s.path)
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseInt(string(text), 10, 64)
	at = time.Duration(n)
	return at, err == nil && at >= 0 && at <= clock.Wall{}.Boot() // one that lies ahead would be a lease for years
}

func (s stamp) Clear() error {
	if err := os.Remove(s.path); !os.IsNotExist(err) {
		return err
	}
	return nil
}

// moment is a stamp of the last time that something was so.
type moment struct{ stamp }

func (m moment) Now() error { return m.Set(clock.Wall{}.Boot()) }

func (m moment) Ago() time.Duration {
	if at, known := m.Get(); known {
		return max(clock.Wall{}.Boot()-at, 0)
	}
	m.Now() // the first call, or a file that is none of ours
	return 0
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
