package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"redis-vip/examples/lab/netlab"
	"redis-vip/examples/lab/site"
)

// migration moves a service from an old host to a new pair, step by step as the README of
// the example has them. An operator types what it runs.
type migration struct {
	*site.Site
	Say func(format string, args ...any)
}

// chain has the new hosts copy the data: the first from the old one, the second from the
// first, so that the old one feeds only one of them.
func (m migration) chain(ctx context.Context) error {
	upstream := m.Old
	for _, n := range m.Nodes {
		if err := n.Redis.Start(ctx); err != nil {
			return err
		}
		if err := n.Redis.WaitAnswering(ctx); err != nil {
			return err
		}
		m.Say("%s: redis-cli replicaof %s 6379", n.Name, upstream.IP())
		if _, err := n.Output(ctx, "redis-cli", "replicaof", upstream.IP().String(), "6379"); err != nil {
			return err
		}
		if err := n.Redis.WaitFollowing(ctx, upstream.Endpoint()); err != nil {
			return err
		}
		upstream = n
	}
	return nil
}

// join has the first new host stand by for the old one. From here on it would take over.
func (m migration) join(ctx context.Context) error {
	first := m.Nodes[0]
	m.Say("%s: systemctl start keepalived", first.Name)
	if err := first.Keepalived.Start(ctx); err != nil {
		return err
	}
	if err := m.logged(ctx, first, "Entering BACKUP STATE"); err != nil {
		return err
	}
	return m.fit(ctx, first)
}

// fit waits until a host may take over.
func (m migration) fit(ctx context.Context, n *site.Node) error {
	return netlab.Until(ctx, func(ctx context.Context) error {
		out, err := n.Output(ctx, "redis-vip", "explain")
		if err == nil && !strings.Contains(out, "\nFIT (in_sync)") {
			err = errors.New(out)
		}
		return err
	})
}

// handOver moves the VIP. notify-master has the old master's writers wait until the new one
// has everything, and makes the old one its replica.
func (m migration) handOver(ctx context.Context) error {
	m.Say("old: systemctl stop keepalived")
	if err := m.Old.Keepalived.Stop(ctx); err != nil {
		return err
	}
	first := m.Nodes[0]
	if err := m.WaitHolder(ctx, first); err != nil {
		return err
	}
	if err := first.Redis.WaitRole(ctx, "master"); err != nil {
		return err
	}
	return m.Old.Redis.WaitFollowing(ctx, first.Endpoint())
}

// complete makes the second new host the standby.
func (m migration) complete(ctx context.Context) error {
	second := m.Nodes[1]
	m.Say("%s: systemctl start keepalived", second.Name)
	if err := second.Keepalived.Start(ctx); err != nil {
		return err
	}
	if err := m.logged(ctx, second, "Entering BACKUP STATE"); err != nil {
		return err
	}
	return m.WaitReady(ctx)
}

// retire switches the old host off, and takes it out of the configuration.
func (m migration) retire(ctx context.Context) error {
	const file = "/etc/redis-vip/redis-vip.toml"
	for _, n := range m.Nodes {
		m.Say("%s: the old host is taken out of nodes", n.Name)
		if _, err := n.Output(ctx, "sed", "-i", `/^nodes/s/, "192.168.0.21:6379"//`, file); err != nil {
			return err
		}
	}
	m.Say("old: systemctl stop redis-server")
	if err := m.Old.Redis.Stop(ctx); err != nil {
		return err
	}
	return m.WaitReady(ctx)
}

func (m migration) logged(ctx context.Context, n *site.Node, words string) error {
	_, err := m.Journal.Wait(ctx, func(e netlab.Entry) bool {
		return e.Host == n.Name && strings.Contains(e.Message, words)
	})
	if err != nil {
		err = fmt.Errorf("%s: waited for %q: %w", n.Name, words, err)
	}
	return err
}

// startOld is where it begins: the old host alone serves.
func (m migration) startOld(ctx context.Context) error {
	if err := m.Old.Redis.Start(ctx); err != nil {
		return err
	}
	if err := m.Old.Redis.WaitAnswering(ctx); err != nil {
		return err
	}
	if err := m.Old.Keepalived.Start(ctx); err != nil {
		return err
	}
	return m.WaitHolder(ctx, m.Old)
}
