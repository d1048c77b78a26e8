package preserve_test

import (
	"strings"
	"testing"

	"redis-vip/checks/node"
	"redis-vip/hooks/preserve"
)

func TestDiverge(t *testing.T) {
	none := strings.Repeat("0", 40)
	facts := func(id string, offset int64, id2 string, second, keys int64) node.Facts {
		return node.Facts{ReplID: id, Offset: offset, ReplID2: id2, SecondOff: second, Keys: keys}
	}
	for name, test := range map[string]struct {
		a, master node.Facts
		reason    preserve.Reason
		from      int64
	}{
		"its replica, in sync":               {facts("x", 100, none, -1, 9), facts("x", 100, none, -1, 9), preserve.InLine, 101},
		"its replica, behind":                {facts("x", 90, none, -1, 9), facts("x", 100, none, -1, 9), preserve.InLine, 91},
		"the master lost its end":            {facts("x", 100, none, -1, 9), facts("x", 90, none, -1, 9), preserve.Ahead, 91},
		"deposed in sync":                    {facts("x", 100, none, -1, 9), facts("y", 150, "x", 101, 9), preserve.Inherited, 101},
		"deposed, wrote one byte":            {facts("x", 101, none, -1, 9), facts("y", 150, "x", 101, 9), preserve.Deposed, 101},
		"deposed, fenced and a master again": {facts("z", 120, "x", 121, 9), facts("y", 150, "x", 101, 9), preserve.Siblings, 101},
		"promoted and unused":                {facts("z", 100, "x", 101, 9), facts("x", 150, none, -1, 9), preserve.Returned, 101},
		"promoted, and wrote":                {facts("z", 110, "x", 101, 9), facts("x", 150, none, -1, 9), preserve.Usurper, 101},
		"promoted, and the master is older":  {facts("z", 110, "x", 101, 9), facts("x", 80, none, -1, 9), preserve.Usurper, 81},
		"both promoted, this one later":      {facts("z", 130, "x", 121, 9), facts("y", 150, "x", 101, 9), preserve.Siblings, 101},
		"both promoted, this one earlier":    {facts("z", 130, "x", 101, 9), facts("y", 150, "x", 121, 9), preserve.Siblings, 101},
		"both promoted, this one unused":     {facts("z", 100, "x", 101, 9), facts("y", 150, "x", 121, 9), preserve.Returned, 101},
		"restarted from a snapshot, unused":  {facts("z", 60, "x", 61, 9), facts("y", 150, "x", 101, 9), preserve.Returned, 61},
		"restarted from AOF":                 {facts("z", 0, none, -1, 9), facts("y", 150, "x", 101, 9), preserve.Unrelated, 0},
		"restarted from AOF as a replica":    {facts("z", 1, none, -1, 9), facts("y", 150, "x", 101, 9), preserve.Unrelated, 0},
		"restarted empty":                    {facts("z", 0, none, -1, 0), facts("y", 150, "x", 101, 9), preserve.NoData, 0},
		"emptied, in common history":         {facts("x", 120, none, -1, 0), facts("y", 150, "x", 101, 9), preserve.Deposed, 101},
		"the zero ID is none":                {facts("z", 50, none, 0, 9), facts("y", 150, none, 0, 9), preserve.Unrelated, 0},
		"two IDs match: the longer counts":   {facts("x", 120, "w", 51, 9), facts("w", 150, "x", 101, 9), preserve.Deposed, 101},
		"the master is down":                 {facts("x", 120, none, -1, 9), node.Facts{}, preserve.Unknown, 0},
		"the node is down":                   {node.Facts{}, facts("x", 120, none, -1, 9), preserve.Unknown, 0},
	} {
		test.a.Backlog = true
		d := preserve.Diverge(test.a, test.master)
		if d.Reason != test.reason || d.From != test.from || d.To != test.a.Offset {
			t.Errorf("%s: %+v, want %v from %d", name, d, test.reason, test.from)
		}
		safe := test.reason == preserve.InLine || test.reason == preserve.Inherited || test.reason == preserve.Returned || test.reason == preserve.NoData
		if d.Safe() != safe || safe && d.Bytes() != 0 {
			t.Errorf("%s: safe %v, %d bytes", name, d.Safe(), d.Bytes())
		}
		// Fenced, and then a master again without a write, a node has the same at risk.
		if test.a.ReplID == "" {
			continue
		}
		restored := facts("new", test.a.Offset, test.a.ReplID, test.a.Offset+1, test.a.Keys)
		restored.Backlog = true
		again := preserve.Diverge(restored, test.master)
		if test.a.ReplID2 == none && (again.Safe() != d.Safe() || again.From != d.From || again.To != d.To) {
			t.Errorf("%s: %+v, and %+v after NO ONE", name, d, again)
		}
	}
}

// A master that restarted and has had no replica since does not count what it takes,
// also once it is a replica of nobody again.
func TestDivergeWithoutBacklog(t *testing.T) {
	a := node.Facts{ReplID: "new", Offset: 100, ReplID2: "x", SecondOff: 101, Keys: 9}
	master := node.Facts{ReplID: "y", Offset: 150, ReplID2: "x", SecondOff: 121, Keys: 9}
	for _, role := range []node.Role{node.Master, node.Replica} {
		a.Role = role
		if d := preserve.Diverge(a, master); d.Safe() || d.Reason != preserve.Unrelated {
			t.Errorf("%v: %+v", role, d)
		}
	}
}
