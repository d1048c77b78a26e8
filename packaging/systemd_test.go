package packaging_test

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// Who loosens the sandbox, or lets a number of rings end a unit, has to do it here too.
func TestSandbox(t *testing.T) {
	service := settings(t, "systemd/redis-vip-reconcile.service")
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
		if !slices.Contains(service, must) {
			t.Errorf("%s is gone", must)
		}
	}
	bell := settings(t, "systemd/redis-vip-reconcile.socket")
	for _, must := range []string{"SocketMode=0660", "TriggerLimitIntervalSec=0", "FlushPending=yes"} {
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
