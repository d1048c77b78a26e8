package booted_test

import (
	"bufio"
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"redis-vip/examples/lab/booted"
	"redis-vip/examples/lab/netlab"
)

// doomed, in the environment, makes the test binary a lab to be killed.
const doomed = "BOOTED_TEST_DOOMED"

// newLab boots two hosts.
func newLab(ctx context.Context) (*booted.Lab, error) {
	return booted.New(ctx, []netlab.Plan{
		{Name: "a", Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.0.1/24")}},
		{Name: "b", Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.0.2/24")}},
	})
}

// runDoomed boots a lab, tells its network namespaces, and waits for its end.
func runDoomed() error {
	lab, err := newLab(context.Background())
	if err != nil {
		return err
	}
	for _, h := range lab.Booted {
		fmt.Println(networkOf(h.PID()))
	}
	fmt.Println("up")
	select {}
}

// networkOf identifies the network namespace of a process, "" if it is gone.
func networkOf(pid int) string {
	id, _ := os.Readlink(fmt.Sprintf("/proc/%d/ns/net", pid))
	return id
}

// inhabitants are the processes of the machine in the given networks.
func inhabitants(t *testing.T, networks []string) (names []string) {
	t.Helper()
	links, err := filepath.Glob("/proc/[0-9]*/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	for _, link := range links {
		if id, err := os.Readlink(link); err == nil && slices.Contains(networks, id) {
			name, _ := os.ReadFile(filepath.Join(link, "../../comm"))
			names = append(names, strings.TrimSpace(string(name)))
		}
	}
	return names
}

// mounts are the machine's.
func mounts(t *testing.T) string {
	t.Helper()
	table, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	return string(table)
}

// groups are the control groups of the labs of a process.
func groups(t *testing.T, pid int) (found []string) {
	t.Helper()
	for line := range strings.Lines(mounts(t)) {
		fields := strings.Fields(line)
		if kind := slices.Index(fields, "-"); kind < 0 || fields[kind+1] != "cgroup2" {
			continue
		}
		filepath.WalkDir(fields[4], func(path string, _ os.DirEntry, _ error) error {
			if strings.HasPrefix(filepath.Base(path), fmt.Sprintf("redis-vip-lab.%d.", pid)) {
				found = append(found, path)
			}
			return nil
		})
	}
	return found
}

func TestCloseLeavesNothing(t *testing.T) {
	t.Parallel()
	booted.Require(t)
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	before := mounts(t)
	lab, err := newLab(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer lab.Close()
	var networks []string
	for _, h := range lab.Booted {
		networks = append(networks, networkOf(h.PID()))
	}
	if names := inhabitants(t, networks); !slices.Contains(names, "systemd-journal") {
		t.Fatalf("processes of two booted hosts: %v: the test sees too few", names)
	}
	began := time.Now()
	if err := lab.Close(); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("Close took %v", took)
	}
	if names := inhabitants(t, networks); len(names) > 0 {
		t.Errorf("processes are left: %v", names)
	}
	if mounts(t) != before {
		t.Error("the machine's mounts have changed")
	}
	if err := lab.Close(); err != nil {
		t.Errorf("a second Close: %v", err)
	}
}

func TestKilledLabLeavesNothing(t *testing.T) {
	t.Parallel()
	booted.Require(t)
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	before := mounts(t)
	cmd := exec.CommandContext(ctx, "/proc/self/exe")
	cmd.Env = append(os.Environ(), doomed+"=1")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var networks []string
	lines := bufio.NewScanner(out)
	for lines.Scan() && lines.Text() != "up" {
		networks = append(networks, lines.Text())
	}
	if names := inhabitants(t, networks); !slices.Contains(names, "systemd-journal") {
		t.Fatalf("processes of two booted hosts: %v: the test sees too few", names)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	cmd.Wait() // says that it was killed
	if err := netlab.Until(ctx, func(context.Context) error {
		if names := inhabitants(t, networks); len(names) > 0 {
			return fmt.Errorf("processes are left: %v", names)
		}
		// What has ended may not have been reaped.
		for _, group := range groups(t, cmd.Process.Pid) {
			events, err := os.ReadFile(filepath.Join(group, "cgroup.events"))
			if err != nil || !strings.Contains(string(events), "populated 0") {
				return fmt.Errorf("%s: %s, %v", group, events, err)
			}
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
	if mounts(t) != before {
		t.Error("the machine's mounts have changed")
	}

	// Empty control groups outlive it, until the next lab.
	lab, err := newLab(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := lab.Close(); err != nil {
		t.Error(err)
	}
	if left := groups(t, cmd.Process.Pid); len(left) > 0 {
		t.Errorf("control groups are left: %v", left)
	}
}
