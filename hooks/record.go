package hooks

import (
	"errors"
	"fmt"
	"time"

	"redis-vip/checks"
	"redis-vip/checks/node"
	"redis-vip/hooks/preserve"

	"github.com/rs/zerolog"
)

// Outcome is how a run ended.
type Outcome uint8

// The outcomes. All but Failed are good ends.
const (
	Failed         Outcome = iota
	Done                   // the goal is reached
	AlreadyRunning         // another run works for the same goal
)

var outcomes = [...]string{Failed: "failed", Done: "done", AlreadyRunning: "already running"}

func (o Outcome) String() string { return outcomes[o] }

// Record is what one run of a hook saw, decided and did. There is one log line for
// each, and it is made of this.
type Record struct {
	Event     string // who called, and with which arguments: a hint
	Goal      checks.Goal
	Before    node.Role // what the node was at the first look
	Facts     checks.Facts
	Verdict   checks.Verdict
	Course    checks.Course // under Sentinel: what the answers of the Sentinels come to
	Why       error         // and why that
	Actions   []Action
	Preserved []preserve.File
	Added     bool // a VIP was put here, and its announcement should be repeated
	Outcome   Outcome
	Err       error   // why it failed
	Warnings  []error // what an operator has to mend although the goal is reached
	Took      time.Duration
}

// Action is one step that was taken.
type Action struct {
	Name  string
	Took  time.Duration
	Tries int
	Err   error // of the last try
}

func (a Action) String() string {
	text := fmt.Sprintf("%s (%.1f ms)", a.Name, milliseconds(a.Took))
	if a.Tries > 1 {
		text = fmt.Sprintf("%s (%.1f ms, %d tries)", a.Name, milliseconds(a.Took), a.Tries)
	}
	if a.Err != nil {
		text += ": " + a.Err.Error()
	}
	return text
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// saw keeps the facts of a look; of the first one, the role for good.
func (r *Record) saw(f node.Facts) {
	if r.Before == node.NoRole {
		r.Before = f.Role
	}
	r.Facts.Node.Facts = f
}

func (r *Record) warn(err error) {
	for _, known := range r.Warnings {
		if known.Error() == err.Error() {
			return
		}
	}
	r.Warnings = append(r.Warnings, err)
}

// Level is how loudly the record is to be logged.
func (r *Record) Level() zerolog.Level {
	switch {
	case r.Outcome == Failed:
		return zerolog.ErrorLevel
	case len(r.Warnings) > 0:
		return zerolog.WarnLevel
	default:
		return zerolog.InfoLevel
	}
}

// Message says in one line what the run came to.
func (r *Record) Message() string {
	switch {
	case r.Outcome == Failed && r.Goal == checks.NoGoal:
		return fmt.Sprintf("this host is left as it is: %v", r.Err)
	case r.Outcome == Failed:
		return fmt.Sprintf("this node is not what it should be, a %s: %v", r.Goal, r.Err)
	case r.Outcome == AlreadyRunning:
		return "another run has this in hand"
	case r.Why != nil:
		return fmt.Sprintf("%s: %v", r.state(), r.Why)
	default:
		return r.state()
	}
}

// state is where the VIP is, if that was asked, and what Redis is.
func (r *Record) state() string {
	redis := Describe(r.Facts.Node.Facts)
	if r.Facts.VIP == checks.Unasked {
		return redis
	}
	return fmt.Sprintf("the VIP is %s: %s", r.Facts.VIP, redis)
}

// MarshalZerologObject writes the fields of the record.
func (r *Record) MarshalZerologObject(e *zerolog.Event) {
	e.Str("event", r.Event).Stringer("goal", r.Goal).Stringer("outcome", r.Outcome)
	e.Stringer("vip", r.Facts.VIP).Str("local", Describe(r.Facts.Node.Facts))
	for _, peer := range r.Facts.Peers {
		e.Str("peer_"+peer.Addr.String(), Describe(peer.Facts))
	}
	for _, file := range r.Preserved {
		e.Str("preserved", file.Path)
	}
	e.Bool("fit", r.Verdict.Fit).Stringer("reason", r.Verdict.Reason)
	if r.Course != checks.Undecidable {
		e.Stringer("course", r.Course)
	}
	actions := zerolog.Arr()
	for _, action := range r.Actions {
		actions.Str(action.String())
	}
	e.Array("actions", actions)
	if err := errors.Join(r.Warnings...); err != nil {
		e.AnErr("warning", err)
	}
	if r.Err != nil {
		e.Err(r.Err)
	}
	e.Float64("ms", milliseconds(r.Took))
}

// Describe puts a node's facts in a few words.
func Describe(f node.Facts) string {
	switch {
	case f.Role == node.Master:
		return fmt.Sprintf("master, offset %d, %d keys, %d replicas", f.Offset, f.Keys, len(f.Downstream))
	case f.Role == node.Replica:
		return fmt.Sprintf("replica of %s:%d, link %s, offset %d, %d keys", f.Upstream.Host, f.Upstream.Port, f.Upstream.Link(), f.Offset, f.Keys)
	default:
		return f.Class.String()
	}
}
