package hooks_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"redis-vip/checks"
	"redis-vip/checks/node"
	"redis-vip/checks/node/nodetest"
	"redis-vip/hooks"
)

// bare is a host under Sentinel in a group without a VIP: its clients come through
// HAProxy, or ask the Sentinels.
func bare(t *testing.T, n *notes, say func() []checks.Answer, local *nodetest.Server, others ...*nodetest.Server) hooks.Reconcile {
	c := reconciling(t, nil, n, say, local, others...)
	c.VIPs = nil
	return c
}

// With nothing to move, the same is done to Redis.
func TestReconcileBareYields(t *testing.T) {
	a, b := diverged(t, 50)
	r := bare(t, new(notes), naming(b), a, b).Run(deadline(t, 10*time.Second))
	if r.Outcome != hooks.Done || r.Course != checks.Yield || len(r.Preserved) != 1 || r.Preserved[0].Writes != 50 || r.Facts.VIP != checks.Unasked {
		t.Errorf("%v %v (%v), preserved %v, VIP %v", r.Course, r.Outcome, r.Err, r.Preserved, r.Facts.VIP)
	}
	isReplicaOf(t, a, b)
}

func TestReconcileBareMends(t *testing.T) {
	a, b := nobodys(t, true), nobodys(t, false)
	r := bare(t, new(notes), naming(a), a, b).Run(deadline(t, 10*time.Second))
	if r.Outcome != hooks.Done || r.Course != checks.Mend {
		t.Errorf("%v %v (%v)", r.Course, r.Outcome, r.Err)
	}
	isMaster(t, a)
	if r := bare(t, new(notes), naming(a), b, a).Run(deadline(t, 10*time.Second)); r.Outcome != hooks.Done {
		t.Errorf("the other: %v %v (%v)", r.Course, r.Outcome, r.Err)
	}
	follows(t, b, a)
}

// The one with the data is a master for the time of the copy, and is left one.
func TestReconcileBareCatchesUp(t *testing.T) {
	empty, full := nobodys(t, false), nobodys(t, true)
	c := bare(t, new(notes), naming(empty), empty, full)
	if r := c.Run(deadline(t, 10*time.Second)); r.Course != checks.CatchUp || r.Outcome != hooks.Done {
		t.Fatalf("%v %v (%v)", r.Course, r.Outcome, r.Err)
	}
	if r := bare(t, new(notes), naming(empty), full, empty).Run(deadline(t, 10*time.Second)); r.Course != checks.Wait || len(r.Actions) > 0 {
		t.Errorf("the other: %v %v (%v), %v", r.Course, r.Outcome, r.Err, r.Actions)
	}
	nodetest.Eventually(t, "the data", func() error {
		c.Run(deadline(t, 10*time.Second))
		if f := empty.Look(); f.Role != node.Master || f.Keys != 1 {
			return fmt.Errorf("%v with %d keys", f.Role, f.Keys)
		}
		return nil
	})
	follows(t, full, empty)
}

// Clients do not go away with an address here. They are closed once, and then writers
// wait, also where Redis has restarted meanwhile and is a master without a pause.
func TestReconcileBareFences(t *testing.T) {
	a, b := nodetest.Redis(t), nodetest.Redis(t)
	b.Follow(a)
	n, say := &notes{silence: 6 * time.Second}, nobody
	c := bare(t, n, func() []checks.Answer { return say() }, a, b)
	written := func() error {
		ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
		defer cancel()
		client := a.Endpoint().Client(time.Second)
		defer client.Close()
		return client.Set(ctx, "x", 1, 0).Err()
	}
	names := func(r *hooks.Record) (list []string) {
		for _, action := range r.Actions {
			list = append(list, action.Name)
		}
		return list
	}
	for round, want := range [][]string{{"CLIENT PAUSE", "CLIENT KILL TYPE normal"}, nil, nil} {
		if round == 2 {
			a.Kill()
			a.Start()
		}
		r := c.Run(deadline(t, 5*time.Second))
		if r.Outcome != hooks.Done || r.Course != checks.Fence || !slices.Equal(names(r), want) {
			t.Errorf("round %d: %v %v (%v), %v", round, r.Course, r.Outcome, r.Err, r.Actions)
		}
		if written() == nil {
			t.Errorf("round %d: it takes writes", round)
		}
	}
	say = naming(a)
	if r := c.Run(deadline(t, 5*time.Second)); r.Outcome != hooks.Done || n.IsSet() {
		t.Errorf("%v (%v)", r.Outcome, r.Err)
	}
	if err := written(); err != nil {
		t.Errorf("it takes no writes: %v", err)
	}
}

// A replica that is cut off has no clients to stop.
func TestReconcileBareReplicaCutOff(t *testing.T) {
	a, b := nodetest.Redis(t), nodetest.Redis(t)
	b.Follow(a)
	r := bare(t, &notes{silence: time.Minute}, nobody, b, a).Run(deadline(t, 5*time.Second))
	if r.Outcome != hooks.Failed || len(r.Actions) > 0 {
		t.Errorf("%v %v, %v", r.Course, r.Outcome, r.Actions)
	}
}
