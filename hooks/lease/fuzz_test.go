package lease_test

import (
	"context"
	"strings"
	"testing"
	"time"
	"unicode"

	"redis-vip/checks"
	"redis-vip/checks/clock"
	"redis-vip/checks/node"
	"redis-vip/checks/node/nodetest"
	"redis-vip/hooks/lease"
)

// What a witness says is a grant that can be shown and reckoned with, or an error; and
// one witness that lies gives nobody's lease to us.
func FuzzBid(f *testing.F) {
	for _, seed := range []string{
		"*2\r\n$16\r\n192.0.2.1:6379/b\r\n:4000\r\n", "*2\r\n$0\r\n\r\n:-2\r\n", "*2\r\n:1\r\n:1\r\n", "*1\r\n$1\r\na\r\n", "$-1\r\n", "-READONLY a\r\n", "-NOPERM \x1b\r\n",
		"*2\r\n$3\r\n\x1b[2\r\n:1\r\n", "*2\r\n$1\r\na\r\n:9223372036854775807\r\n", "*2\r\n$1\r\na\r\n:-9223372036854775808\r\n", "*2\r\n*1\r\n:1\r\n:1\r\n",
	} {
		f.Add([]byte(seed))
	}
	parrot := nodetest.NewParrot(f)
	witness := lease.Redis{Endpoint: parrot.Endpoint(), Group: "group", Timeout: time.Second}
	mute := func(r rune) bool { return !unicode.IsPrint(r) }
	f.Fuzz(func(t *testing.T, reply []byte) {
		var grant lease.Grant
		var view checks.Lease
		var err error
		parrot.While(reply, func() {
			grant, err = witness.Bid(t.Context(), lease.Bid{Owner: "192.0.2.1:6379/me", Time: checks.LeaseTime})
			l := lease.Lease{
				Witnesses: []lease.Witness{witness, forgetful{}, forgetful{}},
				Node:      a, Token: "me", Stamp: new(stamp), Clock: clock.Wall{}, Patience: time.Second,
			}
			view = l.Claim(t.Context())
		})
		if err != nil && (strings.ContainsFunc(err.Error(), mute) || len(err.Error()) > 8000) {
			t.Errorf("%q", err)
		}
		if err == nil && (grant.Left < -time.Millisecond || strings.ContainsFunc(grant.Owner, mute)) {
			t.Errorf("%+v", grant)
		}
		if view.Mine || view.Other != "" || view.Left != 0 || view.Age != 0 {
			t.Errorf("one of three says %q: %+v", reply, view)
		}
	})
}

// forgetful is a witness that grants nothing.
type forgetful struct{}

func (forgetful) Bid(context.Context, lease.Bid) (lease.Grant, error) { return lease.Grant{}, nil }
func (forgetful) Release(context.Context, string) error               { return nil }

func TestHostileWitness(t *testing.T) {
	nodetest.Hostile(t, func(t *testing.T, ctx context.Context, e node.Endpoint) {
		l := holder(a)
		l.Witnesses = append(l.Witnesses, lease.Redis{Endpoint: e, Group: "group", Timeout: time.Second})
		if view := l.Claim(ctx); view.Mine || view.Other != "" || len(view.Problem) > 5000 {
			t.Errorf("%+v", view)
		}
	})
}
