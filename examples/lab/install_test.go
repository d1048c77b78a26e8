package main

import (
	"context"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"redis-vip/examples/lab/netlab"
)

// The installer is tried on a host of a lab, whose package tools are ours.
type machine struct {
	*testing.T
	*netlab.Host
}

// newMachine makes a machine on which a shell script decides what apt-get
// does. It is told what is asked of it; the answer of policy-rc.d, if there is
// one, goes to /tmp/log as well.
func newMachine(t *testing.T, missing, aptGet string) machine {
	t.Helper()
	t.Parallel()
	netlab.Require(t)
	lab, err := netlab.New(t.Context(), netlab.Plan{Name: "debian", Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.0.1/24")}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { lab.Close() })
	m := machine{t, lab.Host("debian")}
	program, err := os.ReadFile(filepath.Join(programs, "lab"))
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Remove(policy); err != nil {
		t.Fatal(err)
	}
	m.write("/usr/local/bin/lab", string(program))
	m.write("/usr/local/sbin/dpkg-query", `#!/bin/sh
for last; do :; done
case " `+missing+` " in *" $last "*) exit 1 ;; *) printf installed ;; esac
`)
	m.write("/usr/local/sbin/systemctl", "#!/bin/sh\necho \"systemctl $*\" >>/tmp/log\n")
	m.write("/usr/local/sbin/apt-get", `#!/bin/sh
echo "apt-get $*" >>/tmp/log
if [ -e `+policy+` ]; then `+policy+`; echo "policy $?" >>/tmp/log; fi
`+aptGet+"\n")
	m.write("/tmp/log", "")
	return m
}

func (m machine) write(path, content string) {
	m.Helper()
	if err := m.WriteFile(netlab.File{Path: path, Content: []byte(content), Mode: 0o755}); err != nil {
		m.Fatal(err)
	}
}

func (m machine) start() *netlab.Process {
	m.Helper()
	p, err := m.Host.Start(m.Context(), netlab.Command{Args: []string{"lab", "install"}, Capture: true})
	if err != nil {
		m.Fatal(err)
	}
	return p
}

// end expects the program to end with an exit code, the log to have lines, and
// the policy to be what it was.
func (m machine) end(p *netlab.Process, code int, log ...string) {
	m.Helper()
	ctx, cancel := context.WithTimeout(m.Context(), 20*time.Second)
	defer cancel()
	status, err := p.Wait(ctx)
	if err != nil {
		m.Fatal(err)
	}
	if status.Code != code {
		m.Errorf("%v, want %d: %s%s", status, code, status.Stdout, status.Stderr)
	}
	got, err := m.ReadFile("/tmp/log")
	if err != nil {
		m.Fatal(err)
	}
	if want := strings.Join(log, "\n"); strings.TrimSpace(string(got)) != want {
		m.Errorf("log:\n%s\nwant:\n%s", got, want)
	}
	if content, err := m.ReadFile(policy); err == nil && string(content) == deny {
		m.Error("the policy was left behind")
	}
}

func TestInstallDoesNothingIfNothingIsMissing(t *testing.T) {
	m := newMachine(t, "", "")
	m.end(m.start(), 0)
}

func TestInstallStartsAndEnablesNothing(t *testing.T) {
	m := newMachine(t, "keepalived nftables redis-sentinel", "")
	m.end(m.start(), 0,
		"apt-get update", "policy 101",
		"apt-get install --yes --no-install-recommends keepalived redis-sentinel nftables", "policy 101",
		"systemctl disable keepalived", "systemctl disable redis-sentinel")
}

func TestInstallCleansUpAfterAFailure(t *testing.T) {
	m := newMachine(t, "keepalived", "exit 100")
	m.end(m.start(), 1, "apt-get update", "policy 101")
}

func TestInstallReplacesALeftOverPolicy(t *testing.T) {
	m := newMachine(t, "nftables", "")
	m.write(policy, deny)
	m.end(m.start(), 0,
		"apt-get update", "policy 101",
		"apt-get install --yes --no-install-recommends nftables", "policy 101")
}

func TestInstallRespectsTheOwnersPolicy(t *testing.T) {
	m := newMachine(t, "nftables", "")
	const owners = "#!/bin/sh\nexit 42\n"
	m.write(policy, owners)
	m.end(m.start(), 0,
		"apt-get update", "policy 42",
		"apt-get install --yes --no-install-recommends nftables", "policy 42")
	if content, err := m.ReadFile(policy); string(content) != owners {
		t.Errorf("the owner's policy is now %q, %v", content, err)
	}
}

func TestInstallCleansUpWhenInterrupted(t *testing.T) {
	m := newMachine(t, "keepalived", "trap 'echo interrupted >>/tmp/log; exit 130' INT; sleep 1000 & wait")
	p := m.start()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := netlab.Until(ctx, func(context.Context) error {
		log, err := m.ReadFile("/tmp/log")
		if err == nil && !strings.Contains(string(log), "policy") {
			err = context.DeadlineExceeded
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if err := p.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	m.end(p, 1, "apt-get update", "policy 101", "interrupted")
}
