package site

import (
	"redis-vip/examples/lab/netlab"
)

// Keepalived is a keepalived on a host. It logs to syslog, and runs its
// scripts with its own environment, as under its unit.
type Keepalived struct{ Service }

// KeepalivedConf is where the distribution has it.
const KeepalivedConf = "/etc/keepalived/keepalived.conf"

func newKeepalived(h *netlab.Host, conf []byte) (*Keepalived, error) {
	if err := h.WriteFile(netlab.File{Path: KeepalivedConf, Content: conf, Mode: 0o644}); err != nil {
		return nil, err
	}
	return &Keepalived{Service{host: h, name: "keepalived", command: netlab.Command{
		Args: []string{"/usr/sbin/keepalived", "--dont-fork", "--log-detail"},
	}}}, nil
}
