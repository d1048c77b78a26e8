package node_test

import (
	"context"
	"testing"

	"redis-vip/checks/node"
	"redis-vip/checks/node/nodetest"
)

func TestLookAtAHostileServer(t *testing.T) {
	for name, password := range map[string]string{"": "", "with a password": "secret"} {
		t.Run(name, func(t *testing.T) {
			nodetest.Hostile(t, func(t *testing.T, ctx context.Context, e node.Endpoint) {
				e.Password = password
				f := e.Look(ctx)
				if f.Problem == "" && (f.Class != node.Alive || f.Role == node.NoRole) || f.Class == node.Unknown {
					t.Errorf("%v: %s", f.Class, f.Problem)
				}
				if len(f.Problem) > 300 {
					t.Errorf("the problem has %d bytes: %.100q", len(f.Problem), f.Problem)
				}
			})
		})
	}
}
