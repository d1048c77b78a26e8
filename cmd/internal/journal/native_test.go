package journal

import (
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"
)

// The journal's own socket, in a mount namespace where nobody else sees it:
// first read, then left alone until it is full, as by a journal that is
// stopped, then gone.
func TestJournalSocket(t *testing.T) {
	if os.Getenv("JOURNAL_TEST") != "socket" {
		if os.Geteuid() != 0 {
			t.Skip("needs root")
		}
		cmd := exec.Command(os.Args[0], "-test.run=^TestJournalSocket$", "-test.v")
		cmd.Env = append(os.Environ(), "JOURNAL_TEST=socket")
		cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	const socket = "/run/systemd/journal/socket"
	if err := syscall.Mount("none", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", "/run", "tmpfs", 0, ""); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll("/run/systemd/journal", 0o755); err != nil {
		t.Fatal(err)
	}
	conn, err := net.ListenPacket("unixgram", socket)
	if err != nil {
		t.Fatal(err)
	}
	log := Open("notify-backup", Options{})
	log.Warn().Str("reason", "two\nlines").Msg("text")
	buf := make([]byte, 64<<10)
	_ = conn.SetReadDeadline(time.Now().Add(time.Second))
	n, _, err := conn.ReadFrom(buf)
	if err != nil {
		t.Fatal(err)
	}
	got := "\n" + string(buf[:n])
	for _, want := range []string{"\nPRIORITY=4\n", "\nMESSAGE=text\n", "\nSYSLOG_IDENTIFIER=notify-backup\n", "\nREASON\n\x09\x00\x00\x00\x00\x00\x00\x00two\nlines\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q lacks %q", got, want)
		}
	}

	var second fake
	w := &writer{sinks: []*sink{{send: journalSend("p", nil)}, {send: journalSend("p", second.send)}}}
	log = zerolog.New(w)
	start := time.Now()
	for range 5000 {
		log.Info().Str("filling", strings.Repeat("x", 1000)).Msg("m")
		if len(second.records) > 0 {
			break
		}
	}
	if len(second.records) == 0 {
		t.Fatal("the queue never filled")
	}
	if d := time.Since(start); d > time.Second {
		t.Errorf("took %v", d)
	}
	t.Logf("a stopped journal cost %v", time.Since(start))

	conn.Close()
	w = &writer{sinks: []*sink{{send: journalSend("p", nil)}, {send: journalSend("p", second.send)}}}
	log = zerolog.New(w)
	start = time.Now()
	log.Info().Msg("gone")
	if last := second.records[len(second.records)-1]; last.message != "gone" || time.Since(start) > patience {
		t.Errorf("%+v after %v", last, time.Since(start))
	}
}
