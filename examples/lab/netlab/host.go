package netlab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/rpc"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"redis-vip/examples/lab/netlab/internal/agent"
)

// nic is the one network interface of a host.
const nic = "eth0"

// Host is one machine of the lab.
type Host struct {
	Name      string
	Addresses []netip.Prefix // the ones it booted with
	MAC       net.HardwareAddr

	lab       *Lab
	agent     *rpc.Client
	pid       int           // the agent's, on the machine
	exited    chan struct{} // closed when the agent is gone
	namespace netns.NsHandle
	links     *netlink.Handle
	sockets   []interface{ Close() error } // the journal's
}

// boot starts a host's agent, has it build the host, and plugs the host in.
func boot(ctx context.Context, l *Lab, p Plan, names string) (_ *Host, err error) {
	if len(p.Addresses) == 0 || !p.Addresses[0].Addr().Is4() {
		return nil, errors.New("the first address must be IPv4")
	}
	// A readable MAC address: 02:00, then the IPv4 address.
	mac := append(net.HardwareAddr{2, 0}, p.Addresses[0].Addr().AsSlice()...)
	h := &Host{
		Name: p.Name, Addresses: p.Addresses, MAC: mac,
		lab: l, exited: make(chan struct{}), namespace: netns.None(),
	}
	if err := h.startAgent(); err != nil {
		return nil, fmt.Errorf("start the agent: %w", err)
	}
	defer func() {
		if err != nil {
			h.shutdown()
		}
	}()
	if err := h.call(ctx, "Boot", agent.Host{
		Name:    h.Name,
		Hosts:   names,
		Instead: p.Instead,
		Sysctl: map[string]string{
			// An IPv6 address is usable at once, without looking for a
			// duplicate first, and comes from us alone.
			"net/ipv6/conf/default/accept_dad": "0",
			"net/ipv6/conf/default/accept_ra":  "0",
		},
	}, nil); err != nil {
		return nil, err
	}
	if err := h.listenForLogs(); err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	if h.namespace, err = netns.GetFromPid(h.pid); err != nil {
		return nil, err
	}
	if h.links, err = netlink.NewHandleAt(h.namespace); err != nil {
		return nil, err
	}
	if err := l.network.plug(ctx, h); err != nil {
		return nil, fmt.Errorf("plug in: %w", err)
	}
	for _, a := range h.Addresses {
		if err := h.AddAddress(a); err != nil {
			return nil, err
		}
	}
	return h, nil
}

// startAgent runs this executable again as PID 1 of new namespaces.
func (h *Host) startAgent() error {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	// Only these two may hold the pair open: its end is how the agent learns
	// that the lab is gone.
	ours, theirs := os.NewFile(uintptr(pair[0]), "agent"), os.NewFile(uintptr(pair[1]), "lab")
	defer ours.Close()
	defer theirs.Close()

	cmd := exec.Command("/proc/self/exe")
	cmd.Args = []string{"lab-host", h.Name}
	cmd.Env = append(os.Environ(), agent.Variable+"="+h.Name)
	cmd.Stderr = os.Stderr
	cmd.ExtraFiles = []*os.File{theirs}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWNET | unix.CLONE_NEWPID | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC,
		Setsid:     true, // a Ctrl-C at the terminal is for the lab, which then closes in order
	}
	conn, err := net.FileConn(ours)
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		conn.Close()
		return err
	}
	h.pid = cmd.Process.Pid
	h.agent = rpc.NewClient(conn)
	go func() {
		cmd.Wait()
		close(h.exited)
	}()
	return nil
}

// call calls the agent. result may be nil.
func (h *Host) call(ctx context.Context, method string, argument, result any) error {
	if result == nil {
		result = new(agent.Nothing)
	}
	done := h.agent.Go(agent.Service+"."+method, argument, result, make(chan *rpc.Call, 1)).Done
	select {
	case c := <-done:
		if c.Error != nil {
			return fmt.Errorf("%s: %w", h.Name, c.Error)
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%s: %s: %w", h.Name, method, context.Cause(ctx))
	}
}

// shutdown ends the agent, and with it every process of the host.
func (h *Host) shutdown() {
	h.agent.Close()
	select {
	case <-h.exited:
	case <-time.After(2 * time.Second):
		syscall.Kill(h.pid, syscall.SIGKILL)
		<-h.exited // the kernel's part takes no time worth a limit
	}
	for _, s := range h.sockets {
		s.Close()
	}
	if h.links != nil {
		h.links.Close()
	}
	h.namespace.Close()
}

// PID is the number, on the machine, of the host's first process: what
// nsenter(1) takes as its target.
func (h *Host) PID() int { return h.pid }

// Inside calls f in the host's network: sockets that f opens, itself and not
// in a goroutine, belong to the host for good. The file system stays the
// machine's.
func (h *Host) Inside(f func() error) error {
	return inside(h.namespace, f)
}

func inside(namespace netns.NsHandle, f func() error) error {
	runtime.LockOSThread()
	home, err := netns.Get()
	if err != nil {
		runtime.UnlockOSThread()
		return err
	}
	defer home.Close()
	if err := netns.Set(namespace); err != nil {
		runtime.UnlockOSThread()
		return err
	}
	defer func() {
		// A thread that cannot return stays locked, and ends with its
		// goroutine instead of serving others in the wrong network.
		if netns.Set(home) == nil {
			runtime.UnlockOSThread()
		}
	}()
	return f()
}

// DialContext connects from the host. The address must be numeric. It has the
// form that net/http, go-redis and others take as their dialer.
func (h *Host) DialContext(ctx context.Context, network, address string) (conn net.Conn, err error) {
	err = h.Inside(func() error {
		var d net.Dialer
		conn, err = d.DialContext(ctx, network, address)
		return err
	})
	return conn, err
}
