package packaging_test

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// What the runs of the bell and of the timer may do is the same, and no more than
// these lines say: whoever loosens one unit has to do it here.
func TestSandbox(t *testing.T) {
	rung := settings(t, "systemd/redis-vip-reconcile@.service")
	timed := settings(t, "systemd/redis-vip-reconcile.service")
	// What the two differ in: how a run begins, and when it has ended.
	own := []string{"[Unit]", "Description=", "CollectMode=", "ExecStart=", "Type=", "ExitType=", "Standard", "RuntimeMaxSec=", "TimeoutStartSec=", "SuccessExitStatus="}
	for _, lines := range []*[]string{&rung, &timed} {
		*lines = slices.DeleteFunc(*lines, func(line string) bool {
			return slices.ContainsFunc(own, func(prefix string) bool { return strings.HasPrefix(line, prefix) })
		})
	}
	if !slices.Equal(rung, timed) {
		t.Errorf("the units differ:\n%s\n\n%s", strings.Join(rung, "\n"), strings.Join(timed, "\n"))
	}
	for _, must := range []string{
		"User=redis-vip",
		"AmbientCapabilities=CAP_NET_ADMIN CAP_NET_RAW",
		"CapabilityBoundingSet=CAP_NET_ADMIN CAP_NET_RAW",
		"NoNewPrivileges=yes",
		"ProtectSystem=strict",
		"NoExecPaths=/",
		"RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK AF_PACKET",
		"SystemCallFilter=~@privileged @resources",
		"StartLimitIntervalSec=0", // or rings could end the unit
	} {
		if !slices.Contains(rung, must) {
			t.Errorf("%s is gone", must)
		}
	}
	bell := settings(t, "systemd/redis-vip-reconcile.socket")
	for _, must := range []string{"SocketMode=0660", "Accept=yes", "TriggerLimitIntervalSec=0"} {
		if !slices.Contains(bell, must) {
			t.Errorf("the bell: %s is gone", must)
		}
	}
}

// settings returns a unit's lines without comments.
func settings(t *testing.T, path string) []string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(strings.Split(string(data), "\n"), func(line string) bool {
		return line == "" || strings.HasPrefix(line, "#")
	})
}
