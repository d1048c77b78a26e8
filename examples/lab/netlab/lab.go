// Package netlab is a small network on one machine: hosts joined by a switch,
// whose cables can be cut.
//
// A host is a set of namespaces with a process of ours as its PID 1. It has
// its own network, processes, host name and a copy-on-write view of the
// machine's files, so real daemons run in it with their files at their real
// paths. Nothing on the machine is changed, any number of labs run side by
// side, and when the lab's process ends, even by SIGKILL, the kernel takes
// everything away.
//
// All times in a lab come from one clock, the machine's, and can be compared
// across hosts.
package netlab

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"sync"
	"time"

	"redis-vip/examples/lab/netlab/internal/agent"
)

// Init must be called first thing in main and in TestMain: a lab starts its
// own executable again for every host, and there Init does not return.
func Init() {
	if os.Getenv(agent.Variable) != "" {
		agent.Main()
	}
}

// Plan is what a host is to be.
type Plan struct {
	Name      string         // host name, and the name of its port on the switch
	Addresses []netip.Prefix // of eth0; the first must be IPv4, its MAC address derives from it

	// Instead puts files of the machine in place of programs, in this host alone: the
	// program's path → the file. A link is followed.
	Instead map[string]string
}

// Lab is a running network.
type Lab struct {
	// Journal holds what every host logged, in order of arrival.
	Journal *Record[Entry]

	network *networkSwitch
	hosts   []*Host
	closed  sync.Once
	failed  error
}

// New builds the network and boots its hosts. The lab must be closed.
func New(ctx context.Context, plans ...Plan) (_ *Lab, err error) {
	l := &Lab{Journal: newRecord[Entry]()}
	defer func() {
		if err != nil {
			err = errors.Join(err, l.Close())
		}
	}()
	if l.network, err = newSwitch(); err != nil {
		return nil, fmt.Errorf("switch: %w", err)
	}
	var names strings.Builder // for /etc/hosts
	for _, p := range plans {
		for _, a := range p.Addresses {
			fmt.Fprintf(&names, "%s %s\n", a.Addr(), p.Name)
		}
	}
	for _, p := range plans {
		h, err := boot(ctx, l, p, names.String())
		if err != nil {
			return nil, fmt.Errorf("host %s: %w", p.Name, err)
		}
		l.hosts = append(l.hosts, h)
	}
	return l, nil
}

// Hosts returns the hosts in the order of their plans.
func (l *Lab) Hosts() []*Host { return l.hosts }

// Host returns a host by its name, or nil.
func (l *Lab) Host(name string) *Host {
	for _, h := range l.hosts {
		if h.Name == name {
			return h
		}
	}
	return nil
}

// Note puts a line of the lab itself into the journal: what was done, so that
// a timeline shows causes beside effects.
func (l *Lab) Note(format string, args ...any) { l.note("", format, args...) }

// Note is Lab.Note for what was done to this host.
func (h *Host) Note(format string, args ...any) { h.lab.note(h.Name, format, args...) }

func (l *Lab) note(host, format string, args ...any) {
	l.Journal.Add(Entry{
		At: time.Now(), Host: host, Identifier: "lab", Priority: 5, Message: fmt.Sprintf(format, args...),
	})
}

// Close ends every process of every host and takes the network down. It takes
// a few seconds at most and may be called again.
func (l *Lab) Close() error {
	l.closed.Do(func() {
		var stopped sync.WaitGroup
		for _, h := range l.hosts {
			stopped.Go(h.shutdown)
		}
		stopped.Wait()
		if l.network != nil {
			l.failed = l.network.close()
		}
	})
	return l.failed
}
