package booted

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"sync"
	"sync/atomic"

	"redis-vip/examples/lab/netlab"
)

// Host is a machine that boots. Of the host of netlab around it, it has the
// network: addresses, captures, dialing, its name and its MAC address. Commands,
// files and accounts are those of the booted system.
type Host struct {
	*netlab.Host

	lab     *Lab
	group   string   // path of its control group
	journal *os.File // what journalctl reads for us
	staged  atomic.Int64

	mu    sync.Mutex
	power *power // of the last boot
}

// Where the parts of a booted host are on the host around it.
const (
	parts    = "/run/booted"
	rootPath = parts + "/root"    // the booted system's /
	notify   = parts + "/notify"  // the socket where it says that it is up
	pipe     = parts + "/journal" // its journal, on the way to ours
	staging  = parts + "/in"      // files on their way in
)

// assemble prepares the root of a host, with what an installer asks for: names,
// addresses, a machine-id. Without the last systemd would take this for its first
// boot, and enable every service.
func (h *Host) assemble(ctx context.Context, lower string) (err error) {
	if h.group, err = h.lab.groups.host(h.Name); err != nil {
		return err
	}
	id := make([]byte, 16)
	rand.Read(id) // never fails
	machine := hex.EncodeToString(id)
	for _, args := range [][]string{
		{"mkdir", "-p", rootPath, parts + "/upper", parts + "/work", staging},
		{"mount", "-t", "overlay", "overlay", "-o", fmt.Sprintf("lowerdir=%s,upperdir=%s/upper,workdir=%[2]s/work", lower, parts), rootPath},
		{"cp", "/etc/hosts", rootPath + "/etc/hosts"},
		{"mkdir", "-p", rootPath + journals + "/" + machine},
		{"mkfifo", pipe},
	} {
		if _, err := h.Host.Output(ctx, args...); err != nil {
			return err
		}
	}
	for path, content := range map[string]string{
		"/etc/hostname":                         h.Name + "\n",
		"/etc/machine-id":                       machine + "\n",
		"/etc/systemd/network/10-lab.network":   networkFile(h.Addresses),
		"/etc/systemd/journald.conf.d/lab.conf": journald,
	} {
		if err := h.Host.WriteFile(netlab.File{Path: rootPath + path, Content: []byte(content), Mode: 0o644}); err != nil {
			return err
		}
	}
	return h.followJournal(ctx)
}

// networkFile is eth0's for systemd-networkd.
func networkFile(addresses []netip.Prefix) string {
	var b strings.Builder
	b.WriteString("[Match]\nName=eth0\n\n[Network]\nIPv6AcceptRA=no\n")
	for _, a := range addresses {
		fmt.Fprintf(&b, "\n[Address]\nAddress=%s\nDuplicateAddressDetection=none\n", a)
	}
	return b.String()
}
