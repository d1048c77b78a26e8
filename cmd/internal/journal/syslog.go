package journal

import (
	"bytes"
	"log/syslog"

	"github.com/coreos/go-systemd/v22/journal"
	"github.com/rs/zerolog"
)

// syslogSend gives events to syslog as JSON, facility daemon. The connection is
// made by the first event. Empty network and address: the local one.
func syslogSend(program, network, address string) func(zerolog.Level, []byte) error {
	var w *syslog.Writer
	return func(level zerolog.Level, event []byte) (err error) {
		if w == nil {
			if w, err = syslog.Dial(network, address, syslog.LOG_DAEMON, program); err != nil {
				return err
			}
		}
		text := string(bytes.TrimSpace(event))
		switch priority(level) {
		case journal.PriDebug:
			return w.Debug(text)
		case journal.PriInfo:
			return w.Info(text)
		case journal.PriNotice:
			return w.Notice(text)
		case journal.PriWarning:
			return w.Warning(text)
		case journal.PriErr:
			return w.Err(text)
		}
		return w.Crit(text)
	}
}
