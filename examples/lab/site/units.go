package site

import (
	"context"
	"fmt"
	"net"
	"os"
	"time"

	"redis-vip/examples/lab/netlab"
)

// installUnits plays systemd's part in packaging/systemd: the service is started again
// and again, and there is a bell, for each connection to which there is a run. Sentinel
// has no rights of its own then. The service has that to addresses, unless it is powerless.
func (n *Node) installUnits(powerless bool) error {
	n.reconcile = netlab.Command{
		Args: []string{"/usr/bin/redis-vip", "reconcile", "--all"},
		User: "redis-vip", Group: "redis", Ambient: moves,
	}
	if powerless {
		n.reconcile.Ambient = nil
	}
	turn := n.reconcile
	turn.Args = []string{"/bin/sh", "-c", "while :; do /usr/bin/redis-vip reconcile --all --quiet --serve; sleep 2; done"}
	n.Timer = &Service{host: n.Host, name: "redis-vip-reconcile.timer", command: turn}
	if n.Sentinel != nil {
		n.Sentinel.command.Ambient = nil
	}
	return n.listen()
}

// listen opens the bell, as the socket unit does at boot.
func (n *Node) listen() error {
	path := fmt.Sprintf("/proc/%d/root/run/redis-vip/reconcile.sock", n.PID())
	bell, err := net.Listen("unix", path)
	if err != nil {
		return err
	}
	n.bell = bell
	if err := os.Chmod(path, 0o666); err != nil {
		return err
	}
	go func() {
		for {
			conn, err := bell.Accept()
			if err != nil {
				return
			}
			go n.answer(conn)
		}
	}()
	return nil
}

// answer runs what was rung for, and hangs up.
func (n *Node) answer(conn net.Conn) {
	defer conn.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	n.Run(ctx, n.reconcile) // its own record says what became of it; none, and the lab is closing
}
