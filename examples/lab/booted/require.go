package booted

import (
	"os"
	"testing"

	"redis-vip/examples/lab/netlab"
)

// Variable names the environment variable that asks for the tests on booted
// hosts: they are slow, and the first one builds a root.
const Variable = "REDIS_VIP_BOOTED"

// Require skips a test unless booted hosts are asked for, and on a machine that
// cannot have them.
func Require(t testing.TB) {
	t.Helper()
	if os.Getenv(Variable) != "1" {
		t.Skipf("tests on booted hosts are slow: set %s=1, or run make booted", Variable)
	}
	netlab.Require(t, "debootstrap", "systemd-nspawn", "journalctl")
}
