package program_test

import (
	"os"
	"path/filepath"
	"testing"

	"redis-vip/cmd/internal/program"
)

// children is set by a test that waits for what a program starts beside itself. The
// child is this binary again, by the program's name.
const children = "REDIS_VIP_TEST_CHILDREN"

func TestMain(m *testing.M) {
	switch program.Name(filepath.Base(os.Args[0])) {
	case program.RedisCheck, program.SentinelReconfig:
		if os.Getenv(children) != "" {
			os.Exit(program.Named(os.Args, program.Streams{Out: os.Stdout, Err: os.Stderr}))
		}
	default:
		os.Exit(m.Run())
	}
}
