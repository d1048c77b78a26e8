package journal

import (
	"errors"
	"os"
	"syscall"

	"github.com/rs/zerolog"
)

// standardError is standard error under another number. Go ends the process if
// a write to 1 or 2 meets a closed pipe; here that is only an error. Nil if
// standard error is closed.
func standardError() *os.File {
	fd, _, errno := syscall.Syscall(syscall.SYS_FCNTL, 2, syscall.F_DUPFD_CLOEXEC, 3)
	if errno != 0 {
		return nil
	}
	return os.NewFile(fd, "stderr")
}

var errClosed = errors.New("closed")

// lineSend writes events as JSON lines.
func lineSend(f *os.File) func(zerolog.Level, []byte) error {
	return func(_ zerolog.Level, event []byte) error {
		if f == nil {
			return errClosed
		}
		_, err := f.Write(event)
		return err
	}
}

// consoleSend writes events for a person.
func consoleSend(f *os.File) func(zerolog.Level, []byte) error {
	_, plain := os.LookupEnv("NO_COLOR")
	console := zerolog.ConsoleWriter{Out: f, NoColor: plain, TimeFormat: "15:04:05.000"}
	return func(_ zerolog.Level, event []byte) error {
		_, err := console.Write(event)
		return err
	}
}

// fileSend appends JSON lines to a file. One write per event, so the lines of
// programs that run at once do not mix.
func fileSend(path string) func(zerolog.Level, []byte) error {
	var f *os.File
	return func(_ zerolog.Level, event []byte) (err error) {
		if f == nil {
			f, err = os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0o640)
			if err != nil {
				return err
			}
		}
		_, err = f.Write(event)
		return err
	}
}
