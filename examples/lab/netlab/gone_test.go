package netlab_test

import (
	"bufio"
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"redis-vip/examples/lab/netlab"
)

// doomed, in the environment, makes the test binary a lab to be killed.
const doomed = "NETLAB_TEST_DOOMED"

// runDoomed boots a lab with processes, tells its network namespaces, and
// waits for its end.
func runDoomed() error {
	ctx := context.Background()
	lab, err := netlab.New(ctx,
		netlab.Plan{Name: "a", Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.0.1/24")}},
		netlab.Plan{Name: "b", Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.0.2/24")}},
	)
	if err != nil {
		return err
	}
	for _, h := range lab.Hosts() {
		if err := populate(ctx, h); err != nil {
			return err
		}
		fmt.Println(networkOf(h.PID()))
	}
	fmt.Println("up")
	select {}
}

// populate starts processes that do not end by themselves: one that ignores
// SIGTERM, and one whose parent is gone.
func populate(ctx context.Context, h *netlab.Host) error {
	if _, err := h.Start(ctx, netlab.Command{Args: []string{"sh", "-c", "trap '' TERM; sleep 1000 & wait"}}); err != nil {
		return err
	}
	_, err := h.Output(ctx, "sh", "-c", "setsid sleep 1000 >/dev/null 2>&1 &")
	return err
}

// networkOf identifies the network namespace of a process, "" if it is gone.
func networkOf(pid int) string {
	id, _ := os.Readlink(fmt.Sprintf("/proc/%d/ns/net", pid))
	return id
}

// inhabitants counts the processes of the machine in the given networks.
func inhabitants(t *testing.T, networks []string) (n int) {
	t.Helper()
	links, err := filepath.Glob("/proc/[0-9]*/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	for _, link := range links {
		if id, err := os.Readlink(link); err == nil && slices.Contains(networks, id) {
			n++
		}
	}
	return n
}

func TestCloseLeavesNothing(t *testing.T) {
	ctx, lab := newLab(t)
	var networks []string
	for _, h := range lab.Hosts() {
		if err := populate(ctx, h); err != nil {
			t.Fatal(err)
		}
		networks = append(networks, networkOf(h.PID()))
	}
	if n := inhabitants(t, networks); n < 9 {
		t.Fatalf("%d processes on 3 hosts: the test sees too few", n)
	}
	started := time.Now()
	if err := lab.Close(); err != nil {
		t.Error(err)
	}
	if took := time.Since(started); took > 3*time.Second {
		t.Errorf("Close took %v", took)
	}
	if n := inhabitants(t, networks); n != 0 {
		t.Errorf("%d processes are left", n)
	}
	if err := lab.Close(); err != nil {
		t.Errorf("a second Close: %v", err)
	}
}

func TestKilledLabLeavesNothing(t *testing.T) {
	t.Parallel()
	netlab.Require(t)
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}

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
	if n := inhabitants(t, networks); n < 6 {
		t.Fatalf("%d processes on 2 hosts: the test sees too few", n)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	cmd.Wait() // says that it was killed
	if err := netlab.Until(ctx, func(context.Context) error {
		if n := inhabitants(t, networks); n > 0 {
			return fmt.Errorf("%d processes are left", n)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
	after, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	if string(after) != string(mounts) {
		t.Error("the machine's mounts have changed")
	}
}
