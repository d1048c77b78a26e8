package hooks

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"redis-vip/checks"
	"redis-vip/checks/node"
	"redis-vip/checks/node/nodetest"
)

var (
	me    = netip.MustParseAddrPort("192.168.0.1:6379")
	other = netip.MustParseAddrPort("192.168.0.10:6379") // begins like mine
)

func TestElect(t *testing.T) {
	down, unknown := errors.New("refused"), ErrUnknownMaster
	names := func(answers ...any) (list []Answer) {
		for _, a := range answers {
			switch a := a.(type) {
			case netip.AddrPort:
				list = append(list, Answer{Master: a})
			case error:
				list = append(list, Answer{Err: a})
			}
		}
		return list
	}
	for name, test := range map[string]struct {
		answers []Answer
		role    node.Role
		goal    checks.Goal
		again   bool // the error may pass
	}{
		"all name me":                 {names(me, me, me), node.Master, checks.BeMaster, false},
		"two of three name me":        {names(me, other, me), node.Master, checks.BeMaster, false},
		"one is down":                 {names(me, down, me), node.Master, checks.BeMaster, false},
		"two are down":                {names(me, down, down), node.Master, checks.NoGoal, true},
		"I am not one yet":            {names(me, me, me), node.Replica, checks.NoGoal, true},
		"my Redis is dead":            {names(me, me, me), node.NoRole, checks.NoGoal, true},
		"all name another":            {names(other, other, other), node.Replica, checks.BeReplica, false},
		"another, and I am a master":  {names(other, other, other), node.Master, checks.BeReplica, false},
		"another, and I am dead":      {names(other, other, down), node.NoRole, checks.BeReplica, false},
		"they disagree":               {names(me, other), node.Master, checks.NoGoal, true},
		"nobody knows the group":      {names(unknown, unknown, unknown), node.Master, checks.NoGoal, false},
		"one does not know the group": {names(unknown, me, me), node.Master, checks.BeMaster, false},
		"a single Sentinel":           {names(other), node.Master, checks.BeReplica, false},
		"no Sentinel at all":          {nil, node.Master, checks.NoGoal, true},
		"my port, another address":    {names(other, other, me), node.Master, checks.BeReplica, false},
	} {
		t.Run(name, func(t *testing.T) {
			goal, err := Elect(test.answers, me, test.role)
			if goal != test.goal || (err == nil) != (goal != checks.NoGoal) || errors.Is(err, errNotYet) != test.again {
				t.Errorf("goal %v, error %v", goal, err)
			}
		})
	}
}

func TestSentinelAnswers(t *testing.T) {
	master := nodetest.Redis(t)
	sentinel := nodetest.Sentinel(t, fmt.Sprintf("sentinel monitor mymaster 127.0.0.1 %d 1", master.Addr.Port()))
	s := RedisSentinel{Endpoint: sentinel.Endpoint(), Timeout: time.Second}
	if addr, err := s.Master(context.Background(), "mymaster"); err != nil || addr != master.Addr {
		t.Errorf("%v %v, want %v", addr, err, master.Addr)
	}
	if _, err := s.Master(context.Background(), "yourmaster"); !errors.Is(err, ErrUnknownMaster) {
		t.Errorf("unknown master: %v", err)
	}
	sentinel.Kill()
	if _, err := s.Master(context.Background(), "mymaster"); node.Classify(err) != node.Refused {
		t.Errorf("dead Sentinel: %v", err)
	}
}

// fakeVIP is an address that is only remembered.
type fakeVIP struct {
	here bool
	fail error
}

func (*fakeVIP) String() string { return "192.168.0.4/24" }
func (v *fakeVIP) Take(context.Context) (bool, error) {
	changed := !v.here && v.fail == nil
	v.here = v.here || v.fail == nil
	return changed, v.fail
}

func (v *fakeVIP) Remove() (bool, error) {
	changed := v.here
	v.here = false
	return changed, v.fail
}
func (v *fakeVIP) Held() (bool, error) { return v.here, nil }

func TestReconcile(t *testing.T) {
	a, b := nodetest.Redis(t), nodetest.Redis(t)
	b.Follow(a)
	sentinel := nodetest.Sentinel(t, fmt.Sprintf("sentinel monitor mymaster 127.0.0.1 %d 1", a.Addr.Port()))
	reconcile := func(local *nodetest.Server, v *fakeVIP, group string, within time.Duration) *Record {
		ctx, cancel := context.WithTimeout(context.Background(), within)
		defer cancel()
		return Reconcile{
			Event: "test", Group: group,
			Local:     Redis{Endpoint: local.Endpoint(), Address: local.Addr, Timeout: time.Second},
			Sentinels: []Sentinel{RedisSentinel{Endpoint: sentinel.Endpoint(), Timeout: time.Second}},
			VIPs:      []Address{v},
			Lock:      Lock{filepath.Join(t.TempDir(), "lock")},
			Retry:     10 * time.Millisecond,
		}.Run(ctx)
	}
	for name, test := range map[string]struct {
		local      *nodetest.Server
		group      string
		here, want bool
		fail       error
		outcome    Outcome
		changes    bool
	}{
		"add":               {a, "mymaster", false, true, nil, Done, true},
		"is there":          {a, "mymaster", true, true, nil, Done, false},
		"remove":            {b, "mymaster", true, false, nil, Done, true},
		"is gone":           {b, "mymaster", false, false, nil, Done, false},
		"unknown, here":     {b, "yourmaster", true, true, nil, Failed, false},
		"unknown, not here": {a, "yourmaster", false, false, nil, Failed, false},
		"cannot add":        {a, "mymaster", false, false, errors.New("interface is down"), Failed, true},
	} {
		t.Run(name, func(t *testing.T) {
			v := &fakeVIP{test.here, test.fail}
			r := reconcile(test.local, v, test.group, 5*time.Second)
			moved := 0
			for _, action := range r.Actions {
				if action.Name != "ask Sentinels" {
					moved++
				}
			}
			if r.Outcome != test.outcome || v.here != test.want || (moved > 0) != test.changes {
				t.Errorf("%v (%v), here %v, actions %v", r.Outcome, r.Err, v.here, r.Actions)
			}
		})
	}

	// Where it cannot be known who the master is, nothing is touched.
	sentinel.Kill()
	for _, here := range []bool{true, false} {
		v := &fakeVIP{here: here}
		if r := reconcile(a, v, "mymaster", 200*time.Millisecond); r.Outcome != Failed || v.here != here {
			t.Errorf("dead Sentinel: %v, VIP here %v, was %v", r.Outcome, v.here, here)
		}
	}
}
