package journal

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/coreos/go-systemd/v22/journal"
	"github.com/rs/zerolog"
)

// sendFunc is journal.Send.
type sendFunc func(message string, priority journal.Priority, fields map[string]string) error

// journalSend gives events to the journal as fields of their own, so that
// "journalctl GROUP=mymaster" works. (zerolog's journald writer sets no
// identifier, stores each event a second time as JSON, maps a panic to emerg,
// which is shown on every terminal of the host, and lets a field replace
// PRIORITY.)
//
// It is not asked first whether there is a journal: that costs a connection,
// and a send without one fails as fast.
func journalSend(program string, send sendFunc) func(zerolog.Level, []byte) error {
	if send == nil {
		send = journal.Send
	}
	return func(level zerolog.Level, event []byte) error {
		message, fields := decode(event)
		fields["SYSLOG_IDENTIFIER"] = program
		return send(message, priority(level), fields)
	}
}

// priority never exceeds crit: emerg would be shown on every terminal. Info is notice:
// a record says that something was done, and systemd's own chatter about units is info
// (LogLevelMax= in ours leaves that out).
func priority(level zerolog.Level) journal.Priority {
	switch {
	case level == zerolog.NoLevel:
		return journal.PriNotice
	case level <= zerolog.DebugLevel:
		return journal.PriDebug
	case level == zerolog.InfoLevel:
		return journal.PriNotice
	case level == zerolog.WarnLevel:
		return journal.PriWarning
	case level == zerolog.ErrorLevel:
		return journal.PriErr
	}
	return journal.PriCrit
}

// decode splits an event into the message and the other fields, less the time
// and the level, which the journal has in its own form.
func decode(event []byte) (message string, fields map[string]string) {
	fields = make(map[string]string)
	var values map[string]json.RawMessage
	if json.Unmarshal(event, &values) != nil {
		return string(bytes.TrimSpace(event)), fields
	}
	for key, raw := range values {
		value := string(raw)
		if len(raw) > 0 && raw[0] == '"' {
			_ = json.Unmarshal(raw, &value)
		}
		switch key {
		case zerolog.MessageFieldName:
			message = value
		case zerolog.LevelFieldName, zerolog.TimestampFieldName:
		default:
			fields[fieldName(key)] = value
		}
	}
	// Without this, "journalctl -t notify-master" would show that something
	// failed and not why.
	if cause := fields["ERROR"]; cause != "" && !strings.Contains(message, cause) {
		if message == "" {
			message = cause
		} else {
			message += ": " + cause
		}
	}
	return message, fields
}

// fieldName makes a name that the journal keeps: A-Z, 0-9 and _, beginning with
// a letter, at most 64 long, and none that has a meaning of its own there.
func fieldName(key string) string {
	name := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		case r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '_':
			return r
		}
		return '_'
	}, key)
	reserved := name == "" || name[0] < 'A' || name[0] > 'Z'
	for _, prefix := range []string{"MESSAGE", "PRIORITY", "SYSLOG_", "CODE_", "OBJECT_", "COREDUMP_"} {
		reserved = reserved || strings.HasPrefix(name, prefix)
	}
	if reserved {
		name = "X_" + name
	}
	return name[:min(len(name), 64)]
}
