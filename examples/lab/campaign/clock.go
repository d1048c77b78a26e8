package campaign

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"time"

	"redis-vip/examples/lab/netlab"
)

// A time namespace (time_namespaces(7)) has a monotonic clock of its own, and no real-time
// clock; libfaketime has, but Debian's redis-server never comes up with it: jemalloc asks
// for the time before libfaketime is ready to tell it. So clock.c, preloaded, adds what a
// file says to the time of redis-server, Sentinel and keepalived. Our programs are static:
// their clock stays what it is.
const (
	clockLibrary = "/usr/lib/redis-vip-lab/clock.so"
	clockOffset  = "/run/redis-vip-lab-clock"
)

// preloaded has daemons take the time from us.
func preloaded() []string { return []string{"LD_PRELOAD=" + clockLibrary, "LAB_CLOCK=" + clockOffset} }

// installClock puts the library on a host.
func installClock(h *netlab.Host, library string) error {
	content, err := os.ReadFile(library)
	if err != nil {
		return fmt.Errorf("%w (make campaign builds it)", err)
	}
	if err := h.WriteFile(netlab.File{Path: clockLibrary, Content: content, Mode: 0o755}); err != nil {
		return err
	}
	return h.WriteFile(netlab.File{Path: clockOffset, Content: make([]byte, 8), Mode: 0o644})
}

// jump sets a host's clock: by seconds, as NTP does with one that has just booted, or by
// hours, forward.
func jump(ctx context.Context, l *lab, f Fault) error {
	steps := []time.Duration{-10 * time.Second, 2 * time.Second, 10 * time.Second, -2 * time.Second, 2 * time.Hour}
	offset := steps[f.For.Milliseconds()%int64(len(steps))]
	if err := setClock(l, f, offset); err != nil {
		return err
	}
	n := l.Nodes[f.On]
	if now, err := n.Redis.Time(ctx).Result(); err == nil && time.Until(now.Add(-offset)).Abs() > time.Second {
		return fmt.Errorf("%s: Redis says that it is %v, and is to be off by %v", n.Name, now, offset)
	}
	return nil
}

func back(_ context.Context, l *lab, f Fault) error { return setClock(l, f, 0) }

// setClock changes the offset in place: the library has the file mapped.
func setClock(l *lab, f Fault, offset time.Duration) error {
	n := l.Nodes[f.On]
	n.Note("the clock is off by %v", offset)
	file, err := os.OpenFile(fmt.Sprintf("/proc/%d/root%s", n.PID(), clockOffset), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = file.WriteAt(binary.NativeEndian.AppendUint64(nil, uint64(offset)), 0)
	return err
}
