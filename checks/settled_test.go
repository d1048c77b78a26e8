package checks_test

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"redis-vip/checks"
)

// What has to be waited for before a Sentinel may be told to forget what it knows.
func TestUnsettled(t *testing.T) {
	sentinel := func(n int) netip.AddrPort { return netip.AddrPortFrom(addrs[n%2].Addr(), uint16(26379+n)) }
	down := errors.New("refused")
	// Three Sentinels that agree, and know each other.
	agreed := func() []checks.Answer {
		var list []checks.Answer
		for i := range 3 {
			a := checks.Answer{Sentinel: sentinel(i), ID: string(rune('a' + i)), Master: addrs[0], Epoch: 7, Replicas: 1}
			for j := range 3 {
				if j != i {
					a.Others = append(a.Others, checks.Other{Addr: sentinel(j), ID: string(rune('a' + j))})
				}
			}
			list = append(list, a)
		}
		return list
	}
	for name, test := range map[string]struct {
		edit       func([]checks.Answer) []checks.Answer
		self, peer state
		want       string // in the error; empty: there is none
		astray     bool
	}{
		"at rest":             {self: master, peer: linked},
		"the other is gone":   {self: master, peer: silent},
		"two masters":         {self: master, peer: master, want: "are masters"},
		"none":                {self: linked, peer: linked, want: "no node is a master"},
		"it follows nobody":   {self: master, peer: nobodys, want: "does not follow"},
		"it does not hear it": {self: master, peer: unlinked, want: "does not hear"},
		"it copies":           {self: master, peer: syncing, want: "does not hear"},
		"a Sentinel is dead": {self: master, peer: linked, edit: func(a []checks.Answer) []checks.Answer {
			a[2] = checks.Answer{Sentinel: a[2].Sentinel, Err: down}
			a[0].Others = a[0].Others[:1] // and one has forgotten it
			return a
		}},
		"no majority": {self: master, peer: linked, want: "no master has a majority", edit: func(a []checks.Answer) []checks.Answer {
			a[0].Err, a[1].Err = down, down
			return a
		}},
		"it leads a failover": {self: master, peer: linked, want: "in the middle of a failover", edit: func(a []checks.Answer) []checks.Answer {
			a[1].Failover = true
			return a
		}},
		"it takes the master for down": {self: master, peer: linked, want: "for down", edit: func(a []checks.Answer) []checks.Answer {
			a[1].Down = true
			return a
		}},
		"it has not heard of one": {self: master, peer: linked, want: "and most name", edit: func(a []checks.Answer) []checks.Answer {
			a[1].Master, a[1].Epoch = addrs[1], 6
			return a
		}},
		"it was reset as it led one": {self: master, peer: linked, want: "and most name", astray: true, edit: func(a []checks.Answer) []checks.Answer {
			a[1].Master, a[1].Replicas = addrs[1], 0
			return a
		}},
		"it was reset": {self: master, peer: linked, want: "knows 0 of 1 replicas", edit: func(a []checks.Answer) []checks.Answer {
			a[1].Replicas, a[1].Others = 0, nil
			return a
		}},
		"it knows one": {self: master, peer: linked, want: "does not know the one at", edit: func(a []checks.Answer) []checks.Answer {
			a[1].Others = a[1].Others[:1]
			return a
		}},
		"it is known by another address": {self: master, peer: linked, edit: func(a []checks.Answer) []checks.Answer {
			a[1].Sentinel = netip.MustParseAddrPort("127.0.0.1:26379")
			return a
		}},
		"it says no ID": {self: master, peer: linked, edit: func(a []checks.Answer) []checks.Answer {
			for i := range a {
				a[i].ID = ""
			}
			return a
		}},
	} {
		t.Run(name, func(t *testing.T) {
			s := situation{states: [2]state{test.self, test.peer}, keys: [2]int64{10, 10}, uptime: [2]time.Duration{time.Minute, time.Minute}, lineage: sameEqual}
			c := checks.Council{Facts: s.facts(0), Answers: agreed()}
			c.Asked, c.Peers = true, []checks.Node{s.node(1)}
			if test.edit != nil {
				c.Answers = test.edit(c.Answers)
			}
			err := c.Unsettled()
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v; want %q", err, test.want)
			}
			if astray := c.Astray(); slices.Contains(astray, c.Answers[1].Sentinel) != test.astray || len(astray) > 1 {
				t.Errorf("astray: %v", astray)
			}
		})
	}
}
