// Package agent is the first process of a host in the lab.
//
// The lab starts its own executable again, inside new namespaces; there it
// becomes an agent: PID 1 of its host, with the host's own root, host name,
// process table and network. It does what only a process inside can do (start,
// signal and reap processes, write files where the host's symlinks lead) and
// nothing else: sockets and links are made by the lab itself.
//
// The agent serves net/rpc on one inherited socket. When that socket closes,
// for whatever reason the lab went away, the agent exits, and the kernel
// kills every process of the host and frees its mounts and its network.
package agent

import (
	"fmt"
	"net"
	"net/rpc"
	"os"
	"os/signal"
	"sync"

	"golang.org/x/sys/unix"
)

const (
	// Variable names the environment variable that makes the executable an agent.
	Variable = "REDIS_VIP_LAB_AGENT"

	// Socket is the number of the inherited file the agent is called through.
	Socket = 3

	// Service is the name under which the agent's methods are registered.
	Service = "Agent"
)

// Nothing is the argument or result of a method that has none.
type Nothing struct{}

// Agent holds the methods that the lab calls.
type Agent struct {
	// mu orders starting against reaping: a process that ends at once is
	// registered before its end is recorded.
	mu        sync.Mutex
	processes map[int]*process
}

// Main serves the lab until it goes away. It never returns.
func Main() {
	a := &Agent{processes: make(map[int]*process)}
	if err := a.serve(); err != nil {
		fmt.Fprintf(os.Stderr, "lab agent %s: %v\n", os.Getenv(Variable), err)
		os.Exit(1)
	}
	os.Exit(0)
}

func (a *Agent) serve() error {
	inherited := os.NewFile(Socket, "lab")
	conn, err := net.FileConn(inherited)
	if err != nil {
		return err
	}
	inherited.Close() // FileConn has its own copy, and one that no child inherits

	ended := make(chan os.Signal, 1)
	signal.Notify(ended, unix.SIGCHLD)
	go a.reap(ended)

	server := rpc.NewServer()
	if err := server.RegisterName(Service, a); err != nil {
		return err
	}
	server.ServeConn(lifeline{conn})
	return nil
}

// lifeline is the connection to the lab. When it ends, so does the host, at
// once: net/rpc itself would wait until every pending call is answered, and a
// Wait may be pending for ever.
type lifeline struct{ net.Conn }

func (l lifeline) Read(b []byte) (int, error) {
	n, err := l.Conn.Read(b)
	if err != nil {
		os.Exit(0)
	}
	return n, nil
}
