package netlab_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"redis-vip/examples/lab/netlab"
)

func TestHostHasItsOwnFiles(t *testing.T) {
	ctx, lab := newLab(t)
	const path = "/etc/lab-test/a.conf"
	for _, name := range []string{"a", "b"} {
		if err := lab.Host(name).WriteFile(netlab.File{Path: path, Content: []byte(name), Mode: 0o640}); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"a", "b"} {
		if got, err := lab.Host(name).ReadFile(path); string(got) != name {
			t.Errorf("%s reads %q, %v", name, got, err)
		}
		if got, err := lab.Host(name).Output(ctx, "uname", "-n"); got != name+"\n" {
			t.Errorf("%s is called %q, %v", name, got, err)
		}
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the file is on the machine: %v", err)
	}
	if _, err := lab.Host("c").ReadFile(path); err == nil {
		t.Error("the file is on a third host")
	}
}

func TestCommandRunsAsItsUser(t *testing.T) {
	ctx, lab := newLab(t)
	a := lab.Host("a")
	if err := a.AddUser("lab-test", "/var/lib/lab-test"); err != nil {
		t.Fatal(err)
	}
	if err := a.WriteFile(netlab.File{Path: "/tmp/mine", Mode: 0o755 | os.ModeDir, Owner: "lab-test"}); err != nil {
		t.Fatal(err)
	}
	status, err := a.Run(ctx, netlab.Command{
		Args: []string{"sh", "-c", "id -un; id -gn; touch f; stat -c %a f; pwd; echo $HOME; echo oops >&2; exit 3"},
		User: "lab-test", Umask: 0o077, Dir: "/tmp/mine",
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(status.Stdout), "lab-test\nlab-test\n600\n/tmp/mine\n/var/lib/lab-test\n"; got != want {
		t.Errorf("output %q, want %q", got, want)
	}
	if string(status.Stderr) != "oops\n" || status.Code != 3 {
		t.Errorf("stderr %q, %v", status.Stderr, status)
	}
}

func TestRunIsBounded(t *testing.T) {
	_, lab := newLab(t)
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	_, err := lab.Host("a").Run(ctx, netlab.Command{Args: []string{"sh", "-c", "sleep 1000"}})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
	if out, err := lab.Host("a").Output(t.Context(), "pgrep", "-c", "sleep"); err == nil {
		t.Errorf("a process outlives its command: %s", out)
	}
	if _, err := lab.Host("a").Run(t.Context(), netlab.Command{Args: []string{"no-such-program"}}); err == nil {
		t.Error("a missing program is no error")
	}
}

// What a service leaves behind is still its own, however it hides.
func TestSignalAllReachesWhatAServiceLeftBehind(t *testing.T) {
	ctx, lab := newLab(t)
	a := lab.Host("a")
	p, err := a.Start(ctx, netlab.Command{Args: []string{"sh", "-c", "setsid sleep 1000 & exit 0"}})
	if err != nil {
		t.Fatal(err)
	}
	if status, err := p.Wait(ctx); err != nil || status.Code != 0 {
		t.Fatal(status, err)
	}
	sleeping := func(ctx context.Context) error {
		_, err := a.Output(ctx, "pgrep", "-x", "sleep")
		return err
	}
	if err := netlab.Until(ctx, sleeping); err != nil { // setsid may not be that far
		t.Fatal(err)
	}
	if err := p.SignalAll(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if sleeping(ctx) == nil {
		t.Error("it is still there")
	}
	if status, err := p.Wait(ctx); err != nil || status.Signal != 0 {
		t.Errorf("the main process, ended before: %v, %v", status, err)
	}
}

func TestJournalTakesEveryWayToLog(t *testing.T) {
	ctx, lab := newLab(t)
	a := lab.Host("a")
	before := time.Now()

	if _, err := a.Start(ctx, netlab.Command{Args: []string{"sh", "-c", "echo to stdout; echo to stderr >&2"}, Identifier: "service"}); err != nil {
		t.Fatal(err)
	}
	if err := a.FollowLog(netlab.File{Path: "/var/log/lab-test/x.log", Mode: 0o600}, "file"); err != nil {
		t.Fatal(err)
	}
	large := strings.Repeat("x", 1<<20)
	for _, script := range []string{
		"logger -p daemon.warning -t syslog to syslog",
		"echo to a file >>/var/log/lab-test/x.log",
		`printf 'MESSAGE=one line\nSYSLOG_IDENTIFIER=native\nPRIORITY=3\nREASON=why\n' | logger --journald`,
		`printf 'MESSAGE=two\nMESSAGE=lines\nSYSLOG_IDENTIFIER=multi\n' | logger --journald`,
	} {
		if _, err := a.Output(ctx, "sh", "-c", script); err != nil {
			t.Fatal(err)
		}
	}
	sendLarge(t, a, large)

	for _, want := range []netlab.Entry{
		{Identifier: "service", Priority: 6, Message: "to stdout"},
		{Identifier: "service", Priority: 6, Message: "to stderr"},
		{Identifier: "syslog", Priority: 4, Message: "to syslog"},
		{Identifier: "file", Priority: 6, Message: "to a file"},
		{Identifier: "native", Priority: 3, Message: "one line"},
		{Identifier: "multi", Priority: 6, Message: "two\nlines"},
		{Identifier: "large", Priority: 6, Message: large},
	} {
		e, err := lab.Journal.Wait(ctx, func(e netlab.Entry) bool {
			return e.Identifier == want.Identifier && e.Priority == want.Priority && e.Message == want.Message
		})
		if err != nil {
			t.Errorf("no entry %.100v: %v", want, err)
			continue
		}
		if e.Host != "a" || e.At.Before(before) || e.At.After(time.Now()) {
			t.Errorf("%s: from %s at %v", e.Identifier, e.Host, e.At)
		}
		if want.Identifier == "native" && e.Fields["REASON"] != "why" {
			t.Errorf("fields %v", e.Fields)
		}
	}
	if t.Failed() {
		for _, e := range lab.Journal.All() {
			t.Logf("%.200v", e)
		}
	}
}
