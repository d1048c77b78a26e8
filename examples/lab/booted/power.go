package booted

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"syscall"
	"time"

	"redis-vip/examples/lab/netlab"
)

const (
	bootTime = time.Minute      // more than any boot takes
	downTime = 10 * time.Second // and than anything that follows a host's end
)

// rebooting is the exit code of systemd-nspawn when the booted system wants to
// start again.
const rebooting = 133

// power is the time from one power-on of a host to its end.
type power struct {
	container *netlab.Process
	leader    int // the booted system's first process, on the host around it

	up     chan struct{} // closed when it has booted, or will not
	off    chan struct{} // closed when nothing of it is left
	failed error         // why it did not boot; to be read after up
}

// on tells whether the system is there, booting or booted.
func (p *power) on() bool {
	select {
	case <-p.off:
		return false
	default:
		return p.leader != 0 && p.container.Running()
	}
}

// PowerOn boots a host that is off, and waits until it has booted. That some unit
// failed is no error.
func (h *Host) PowerOn(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, bootTime, errors.New("the boot takes too long"))
	defer cancel()
	p, ready, err := h.start(ctx)
	if err != nil {
		return fmt.Errorf("power on %s: %w", h.Name, err)
	}
	p.failed = h.boot(ctx, p, ready)
	close(p.up)
	return p.failed
}

// start starts the container.
func (h *Host) start(ctx context.Context) (*power, *net.UnixConn, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.lab.alive.Err() != nil {
		return nil, nil, errors.New("the lab is closed")
	}
	if h.power != nil {
		select {
		case <-h.power.off:
		default:
			return nil, nil, errors.New("it is on")
		}
	} else if err := h.clear(ctx); err != nil { // later, its end does that
		return nil, nil, err
	}
	if err := h.Host.Remove(notify); err != nil {
		return nil, nil, err
	}
	ready, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: fmt.Sprintf("/proc/%d/root%s", h.PID(), notify), Net: "unixgram"})
	if err != nil {
		return nil, nil, err
	}
	h.Note("power on")
	container, err := h.Host.Start(ctx, netlab.Command{
		Args: append([]string{"sh", "-c", `echo 0 >"$0"/cgroup.procs && exec "$@"`, h.group}, h.nspawn()...),
		Env:  []string{"NOTIFY_SOCKET=" + notify, "SYSTEMD_NSPAWN_API_VFS_WRITABLE=network"},
		// What it would say on a screen.
		Identifier: "console",
	})
	if err != nil {
		return nil, nil, errors.Join(err, ready.Close())
	}
	h.power = &power{container: container, up: make(chan struct{}), off: make(chan struct{})}
	h.lab.running.Go(func() { h.watch(h.power) })
	return h.power, ready, nil
}

// nspawn is the command line of a container with the network of the host around
// it.
func (h *Host) nspawn() []string {
	return []string{
		"systemd-nspawn", "--quiet", "--boot", "--directory=" + rootPath, "--hostname=" + h.Name,
		"--register=no", "--keep-unit", "--settings=no", "--notify-ready=yes", "--console=pipe",
		"--network-namespace-path=/proc/self/ns/net", "--capability=CAP_NET_ADMIN",
		"--resolv-conf=off", "--timezone=off", "--link-journal=no",
	}
}

// boot waits until the system is up.
func (h *Host) boot(ctx context.Context, p *power, ready *net.UnixConn) error {
	// The cable works only when the system has its end up.
	plugged := make(chan error, 1)
	go func() { plugged <- h.lab.Plug(ctx, h.Host) }()
	booted := h.awaitReady(ctx, p, ready)
	if booted != nil {
		return errors.Join(booted, <-plugged)
	}
	if err := <-plugged; err != nil {
		return err
	}
	// It has booted when all jobs are done. What it then says is not our matter.
	_, err := h.Run(ctx, netlab.Command{Args: []string{"systemctl", "is-system-running", "--wait"}})
	return err
}

// awaitReady reads what nspawn tells: first the leader, at last that the system
// is ready.
func (h *Host) awaitReady(ctx context.Context, p *power, ready *net.UnixConn) error {
	done := make(chan struct{})
	defer close(done)
	go func() {
		defer ready.Close()
		select {
		case <-done:
		case <-ctx.Done():
		case <-p.container.Ended():
		}
	}()
	message := make([]byte, 4096)
	for {
		n, err := ready.Read(message)
		if err != nil { // closed
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			return errors.New("it ended before it was up: see the journal")
		}
		for line := range bytes.Lines(message[:n]) {
			name, value, _ := strings.Cut(strings.TrimSpace(string(line)), "=")
			switch name {
			case "X_NSPAWN_LEADER_PID":
				h.mu.Lock()
				p.leader, _ = strconv.Atoi(value)
				h.mu.Unlock()
			case "READY":
				return nil
			}
		}
	}
}

// watch waits for the end of a power's time, and boots again if the system asked
// for it.
func (h *Host) watch(p *power) {
	status, err := p.container.Wait(context.Background())
	if err != nil || h.lab.alive.Err() != nil {
		close(p.off) // the lab is closing
		return
	}
	<-p.up
	h.Note("off: %v", status)
	ctx, cancel := context.WithTimeout(h.lab.alive, bootTime+downTime)
	defer cancel()
	if err := h.clear(ctx); err != nil {
		h.Note("cannot clear the network: %v", err)
	}
	close(p.off)
	if status.Code != rebooting {
		return
	}
	if err := h.PowerOn(ctx); err != nil {
		h.Note("does not boot again: %v", err)
	}
}

// forget takes from the kernel what a reboot takes from a machine: its carrier,
// addresses, neighbours, routes, connections, rules and links.
const forget = `ip link set eth0 down; ip addr flush dev eth0; ip neigh flush all nud all; ss -K; nft flush ruleset
for l in $(ls /sys/class/net); do case $l in lo|eth0|bonding_masters) ;; *) ip link del "$l";; esac; done`

// clear resets the host's part of the network.
func (h *Host) clear(ctx context.Context) error {
	if err := h.lab.Unplug(h.Host); err != nil {
		return err
	}
	// Not all of it works on all kernels, or finds something to do.
	if _, err := h.Host.Run(ctx, netlab.Command{Args: []string{"sh", "-c", forget}}); err != nil {
		return err
	}
	left, err := h.AddressList()
	if err == nil && len(left) > 0 {
		err = fmt.Errorf("addresses %v are left", left)
	}
	return err
}

// current is the running power.
func (h *Host) current() (*power, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.power == nil || !h.power.on() {
		return nil, fmt.Errorf("%s is off", h.Name)
	}
	return h.power, nil
}

// Reboot reboots the host in order, and waits until it is up again.
func (h *Host) Reboot(ctx context.Context) error {
	p, err := h.shut(ctx, "reboot")
	if err != nil {
		return err
	}
	return h.waitNext(ctx, p)
}

// PowerOff shuts the host down in order, and waits until it is off.
func (h *Host) PowerOff(ctx context.Context) error {
	_, err := h.shut(ctx, "poweroff")
	return err
}

// Kill takes the power away: nothing of the host gets out any more, and every
// process is gone at once. What was written to files is kept, even if it was
// never synced: they are in memory.
func (h *Host) Kill(ctx context.Context) error {
	p, err := h.current()
	if err != nil {
		return err
	}
	h.Note("power loss")
	if err := h.lab.Unplug(h.Host); err != nil {
		return err
	}
	if _, err := h.Host.Output(ctx, "kill", "-KILL", strconv.Itoa(p.leader)); err != nil {
		return err
	}
	return h.wait(ctx, p.off)
}

// shut has systemctl end the system, and returns the power that has ended.
func (h *Host) shut(ctx context.Context, how string) (*power, error) {
	p, err := h.current()
	if err != nil {
		return nil, err
	}
	h.Note("%s", how)
	// The command may be killed by what it does.
	if _, err := h.Run(ctx, netlab.Command{Args: []string{"systemctl", how}}); err != nil && ctx.Err() != nil {
		return nil, err
	}
	return p, h.wait(ctx, p.off)
}

// waitNext waits until the boot after a power is over.
func (h *Host) waitNext(ctx context.Context, last *power) error {
	var next *power
	if err := netlab.Until(ctx, func(context.Context) error {
		h.mu.Lock()
		defer h.mu.Unlock()
		if next = h.power; next == last {
			return fmt.Errorf("%s does not boot", h.Name)
		}
		return nil
	}); err != nil {
		return err
	}
	if err := h.wait(ctx, next.up); err != nil {
		return err
	}
	return next.failed
}

func (h *Host) wait(ctx context.Context, done <-chan struct{}) error {
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%s: %w", h.Name, context.Cause(ctx))
	}
}

// kill ends the container, and waits for nothing.
func (h *Host) kill() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.power != nil {
		h.power.container.SignalAll(syscall.SIGKILL) // gone already, or soon, with the host around it
	}
}
