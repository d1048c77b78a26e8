package journal

import (
	"os"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/term"
)

// Environment variables that every program obeys.
const (
	// Variable chooses the destination: "journal", "syslog", "stderr", or
	// "file:" and an absolute path, to which JSON lines are appended. Anything
	// else, or nothing: as the package describes.
	Variable = "REDIS_VIP_LOG"
	// LevelVariable is the least level to be logged, as zerolog writes it:
	// "debug", "info", "warn", "error". Default: "info".
	LevelVariable = "REDIS_VIP_LOG_LEVEL"
)

// patience is how long one destination may take for one event. A journal that
// is alive takes microseconds; one that is stopped takes for ever, and a
// failover must not.
const patience = 50 * time.Millisecond

// Options change what the environment says.
type Options struct {
	// Destination as in [Variable], which it replaces if not empty.
	Destination string
	// Debug lowers the least level to debug.
	Debug bool
}

// Open gives the logger of a program. The name is the syslog identifier: what
// journalctl -t selects. Nothing is opened until the first event, and nothing
// needs to be closed: an event has been handed over when its method returns,
// or has been given up after 50 ms for each destination.
//
// The journal shows MESSAGE alone unless it is asked for more: let the message
// say what happened, and add facts as fields. The field "error" is appended to
// the message there.
func Open(program string, o Options) zerolog.Logger {
	destination := o.Destination
	if destination == "" {
		destination = os.Getenv(Variable)
	}
	level := zerolog.InfoLevel
	if l, err := zerolog.ParseLevel(strings.ToLower(os.Getenv(LevelVariable))); err == nil && l != zerolog.NoLevel {
		level = l
	}
	if o.Debug {
		level = min(level, zerolog.DebugLevel)
	}
	w := &writer{open: func() []*sink { return choose(program, destination, standardError) }}
	return zerolog.New(w).Level(level).Hook(zerolog.HookFunc(stamp))
}

// stamp adds the time with milliseconds: failovers are told in them, and
// zerolog's own format is a global that belongs to nobody.
func stamp(e *zerolog.Event, _ zerolog.Level, _ string) {
	e.Str(zerolog.TimestampFieldName, time.Now().Format("2006-01-02T15:04:05.000Z07:00"))
}

// choose lists the destinations: an event goes to the first that takes it, and
// to every one that is marked always.
func choose(program, destination string, stderr func() *os.File) []*sink {
	f := stderr()
	terminal := f != nil && term.IsTerminal(int(f.Fd()))
	toStderr := func(always bool) *sink {
		if terminal {
			return &sink{send: consoleSend(f), always: always}
		}
		return &sink{send: lineSend(f)}
	}
	if path, ok := strings.CutPrefix(destination, "file:"); ok && strings.HasPrefix(path, "/") {
		return []*sink{{send: fileSend(path)}, toStderr(true)}
	}
	switch destination {
	case "stderr":
		return []*sink{toStderr(true)}
	case "journal":
		return []*sink{{send: journalSend(program, nil)}, toStderr(true)}
	case "syslog":
		return []*sink{{send: syslogSend(program, "", "")}, toStderr(true)}
	}
	return []*sink{{send: journalSend(program, nil)}, {send: syslogSend(program, "", "")}, toStderr(true)}
}

// writer hands events to sinks. It implements zerolog.LevelWriter and never
// reports an error: zerolog would write that to standard error, which may be a
// pipe that nobody reads.
type writer struct {
	open func() []*sink

	mu    sync.Mutex
	sinks []*sink
}

// sink is one destination.
type sink struct {
	send   func(zerolog.Level, []byte) error
	always bool // also if another one took the event
	dead   bool // has failed once
}

// Write implements io.Writer for events without a level.
func (w *writer) Write(p []byte) (int, error) { return w.WriteLevel(zerolog.NoLevel, p) }

// WriteLevel implements zerolog.LevelWriter.
func (w *writer) WriteLevel(level zerolog.Level, p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.open != nil {
		w.sinks, w.open = w.open(), nil
	}
	event := append([]byte(nil), p...) // zerolog uses p again, a late sink may still read it
	taken := false
	for _, s := range w.sinks {
		if s.dead || taken && !s.always {
			continue
		}
		if s.deliver(level, event) {
			taken = true
		} else {
			s.dead = true
		}
	}
	return len(p), nil
}

// deliver waits for the sink no longer than patience. A send that hangs is left
// behind with its goroutine; the process does not wait for it at its end.
func (s *sink) deliver(level zerolog.Level, event []byte) bool {
	done := make(chan error, 1)
	go func() { done <- s.send(level, event) }()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case err := <-done:
		return err == nil
	case <-timer.C:
		return false
	}
}
