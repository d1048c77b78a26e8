package netlab_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"testing"

	"golang.org/x/sys/unix"

	"redis-vip/examples/lab/netlab"
)

// sendLarge logs a message that is too large for a datagram, as libsystemd
// does: in a memory file.
func sendLarge(t *testing.T, h *netlab.Host, message string) {
	t.Helper()
	var entry bytes.Buffer
	fmt.Fprint(&entry, "SYSLOG_IDENTIFIER=large\nMESSAGE\n")
	binary.Write(&entry, binary.LittleEndian, uint64(len(message)))
	fmt.Fprint(&entry, message, "\n")

	fd, err := unix.MemfdCreate("entry", unix.MFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if _, err := unix.Write(fd, entry.Bytes()); err != nil {
		t.Fatal(err)
	}
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	journal := &net.UnixAddr{Name: fmt.Sprintf("/proc/%d/root/run/systemd/journal/socket", h.PID()), Net: "unixgram"}
	if _, _, err := conn.WriteMsgUnix(nil, unix.UnixRights(fd), journal); err != nil {
		t.Fatal(err)
	}
}
