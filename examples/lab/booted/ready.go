package booted

import (
	"context"
	"errors"
	"fmt"

	"redis-vip/examples/lab/netlab"
)

// WaitReady waits until the trio is whole: one node has the VIP, or HAProxy leads to it,
// its Redis is the master, every other one is its replica with its link up, and every Sentinel
// knows them all.
func (t *Trio) WaitReady(ctx context.Context) error { return netlab.Until(ctx, t.Ready) }

// Ready returns nil, or what is missing until the trio is whole.
func (t *Trio) Ready(ctx context.Context) error {
	master, err := t.Leader(ctx)
	if err != nil {
		return err
	}
	for _, n := range t.Nodes {
		want := "master"
		if n != master {
			want = "slave of " + master.Endpoint() + ", connected"
		}
		if got, err := n.Role(ctx); err != nil {
			return err
		} else if got != want {
			return fmt.Errorf("%s is %s, not %s", n.Name, got, want)
		}
		if err := n.knows(ctx, master, len(t.Nodes)); err != nil {
			return err
		}
	}
	return nil
}

// Role is what the node's Redis says of itself: "master", or
// "slave of 192.168.0.1:6379, connected".
func (n *Node) Role(ctx context.Context) (string, error) {
	reply, err := n.Redis.Do(ctx, "ROLE").Slice()
	if err != nil {
		return "", fmt.Errorf("%s: %w", n.Name, err)
	}
	if len(reply) < 4 {
		return fmt.Sprint(reply[0]), nil
	}
	return fmt.Sprintf("%v of %v:%v, %v", reply[:4]...), nil
}

// Master is the address that the node's Sentinel takes for the master's.
func (n *Node) Master(ctx context.Context) (string, error) {
	reply, err := n.Sentinel.Do(ctx, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", group).StringSlice()
	if err != nil {
		return "", fmt.Errorf("%s: %w", n.Name, err)
	}
	return reply[0] + ":" + reply[1], nil
}

// knows tells what the node's Sentinel does not know yet of a whole trio.
func (n *Node) knows(ctx context.Context, master *Node, nodes int) error {
	got, err := n.Master(ctx)
	if err != nil {
		return err
	}
	if got != master.Endpoint() {
		return fmt.Errorf("%s: Sentinel takes %s for the master, not %s", n.Name, got, master.Endpoint())
	}
	state, err := n.Sentinel.Do(ctx, "SENTINEL", "MASTER", group).StringSlice()
	if err != nil {
		return err
	}
	others := fmt.Sprint(nodes - 1)
	wanted := map[string]string{"flags": "master", "num-slaves": others, "num-other-sentinels": others}
	for i := 0; i+1 < len(state); i += 2 {
		if want := wanted[state[i]]; want != "" && state[i+1] != want {
			return fmt.Errorf("%s: Sentinel has %s %s, not %s", n.Name, state[i], state[i+1], want)
		}
	}
	return nil
}

// Holder returns the node that has the VIP. That none has it, or more than one,
// is an error.
func (t *Trio) Holder() (*Node, error) {
	var holder *Node
	for _, n := range t.Nodes {
		if holds, err := n.Holds(t.VIP.Addr()); err != nil {
			return nil, err
		} else if !holds {
			continue
		}
		if holder != nil {
			return nil, fmt.Errorf("%s and %s have the VIP", holder.Name, n.Name)
		}
		holder = n
	}
	if holder == nil {
		return nil, errors.New("no node has the VIP")
	}
	return holder, nil
}
