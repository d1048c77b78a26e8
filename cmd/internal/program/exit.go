package program

import (
	"errors"
	"fmt"
)

// The exit codes. keepalived takes anything but 0 for unfit. Sentinel repeats what
// exits 1, up to ten times over hours, by then with a stale decision
// (sentinel.c:872): so sentinel-reconfig never does.
const (
	exitDone   = 0
	exitNo     = 1 // unfit; or tried and failed
	exitUsage  = 2 // the command line or the configuration is wrong
	exitFailed = 3 // tried and failed, final
)

// Errors that are not about the command line or the configuration.
var (
	errUnfit  = errors.New("unfit")  // said by the verdict
	errFailed = errors.New("failed") // said by the record
	errFound  = errors.New("found")  // said by the findings
)

// usageError is a mistake in how the program was called or configured.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usage(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// exitCode is the whole map from errors to exit codes.
func exitCode(name Name, err error) int {
	var wrong usageError
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &wrong):
		return exitUsage
	case name == SentinelReconfig:
		return exitFailed
	default:
		return exitNo
	}
}

// speaks says whether err still has to be said to the person at the terminal. What
// a verdict or a record says has been said by then.
func speaks(err error) bool {
	return err != nil && !errors.Is(err, errUnfit) && !errors.Is(err, errFailed) && !errors.Is(err, errFound)
}
