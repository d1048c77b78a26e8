package checks_test

import (
	"encoding/json"
	"testing"

	"redis-vip/checks"
	"redis-vip/checks/node"
)

func TestJudge(t *testing.T) {
	up := node.Upstream{Host: "192.168.0.1", Port: 6379, Up: true}
	down := node.Upstream{Host: "192.168.0.1", Port: 6379}
	syncing := node.Upstream{Host: "192.168.0.1", Port: 6379, Syncing: true}
	alive := func(role node.Role, u node.Upstream) node.Facts {
		return node.Facts{Class: node.Alive, Role: role, Upstream: u}
	}
	class := func(c node.Class, role node.Role) node.Facts { return node.Facts{Class: c, Role: role} }

	for name, test := range map[string]struct {
		self   node.Facts
		vip    checks.Presence
		expect checks.Expectation
		want   checks.Verdict
	}{
		"master with the VIP":     {alive(node.Master, node.Upstream{}), checks.Here, checks.Any, checks.Verdict{true, checks.Serving, checks.BeMaster, false}},
		"master without the VIP":  {alive(node.Master, node.Upstream{}), checks.Absent, checks.Any, checks.Verdict{true, checks.Serving, checks.BeReplica, false}},
		"replica without the VIP": {alive(node.Replica, up), checks.Absent, checks.Any, checks.Verdict{true, checks.InSync, checks.BeReplica, false}},
		"replica with the VIP":    {alive(node.Replica, up), checks.Here, checks.Any, checks.Verdict{true, checks.InSync, checks.BeMaster, true}},
		"replica, nobody asked":   {alive(node.Replica, up), checks.Unasked, checks.Any, checks.Verdict{true, checks.InSync, checks.NoGoal, false}},
		"its master is gone":      {alive(node.Replica, down), checks.Unasked, checks.Any, checks.Verdict{true, checks.Candidate, checks.NoGoal, false}},
		"half a copy":             {alive(node.Replica, syncing), checks.Unasked, checks.Any, checks.Verdict{false, checks.Syncing, checks.NoGoal, false}},
		"refused":                 {class(node.Refused, 0), checks.Unasked, checks.Any, checks.Verdict{false, checks.Unreachable, checks.NoGoal, false}},
		"hung":                    {class(node.Timeout, 0), checks.Unasked, checks.Any, checks.Verdict{false, checks.Unreachable, checks.NoGoal, false}},
		"loading":                 {class(node.Loading, node.Master), checks.Unasked, checks.Any, checks.Verdict{false, checks.Loading, checks.NoGoal, false}},
		"garbage":                 {class(node.Garbage, 0), checks.Unasked, checks.Any, checks.Verdict{false, checks.NotRedis, checks.NoGoal, false}},
		"wrong password":          {class(node.NoAuth, 0), checks.Unasked, checks.Any, checks.Verdict{true, checks.NoRights, checks.NoGoal, false}},
		"expired certificate":     {class(node.Untrusted, 0), checks.Unasked, checks.Any, checks.Verdict{true, checks.Untrusted, checks.NoGoal, false}},
		"busy":                    {class(node.Busy, 0), checks.Unasked, checks.Any, checks.Verdict{true, checks.Busy, checks.NoGoal, false}},
		"maxclients":              {class(node.MaxClients, 0), checks.Unasked, checks.Any, checks.Verdict{true, checks.Full, checks.NoGoal, false}},
		"disk full":               {class(node.Misconf, node.Master), checks.Unasked, checks.Any, checks.Verdict{true, checks.Misconfigured, checks.NoGoal, false}},
		"disk full in mid copy": {
			node.Facts{Class: node.Misconf, Role: node.Replica, Upstream: syncing},
			checks.Unasked, checks.Any,
			checks.Verdict{false, checks.Syncing, checks.NoGoal, false},
		},
		"a master is expected":             {alive(node.Replica, up), checks.Unasked, checks.ExpectMaster, checks.Verdict{false, checks.NotMaster, checks.NoGoal, false}},
		"a replica is expected":            {alive(node.Master, up), checks.Unasked, checks.ExpectReplica, checks.Verdict{false, checks.NotReplica, checks.NoGoal, false}},
		"a master that does not say so":    {class(node.NoAuth, 0), checks.Unasked, checks.ExpectMaster, checks.Verdict{false, checks.NotMaster, checks.NoGoal, false}},
		"the master that is expected":      {alive(node.Master, node.Upstream{}), checks.Unasked, checks.ExpectMaster, checks.Verdict{true, checks.Serving, checks.NoGoal, false}},
		"a replica without its master":     {node.Facts{Class: node.MasterDown, Role: node.Replica, Upstream: down}, checks.Unasked, checks.Any, checks.Verdict{true, checks.Candidate, checks.NoGoal, false}},
		"nothing known whatsoever":         {node.Facts{}, checks.Unasked, checks.Any, checks.Verdict{false, checks.Unreachable, checks.NoGoal, false}},
		"the expected master that is full": {class(node.MaxClients, 0), checks.Unasked, checks.ExpectMaster, checks.Verdict{false, checks.NotMaster, checks.NoGoal, false}},
	} {
		t.Run(name, func(t *testing.T) {
			got := checks.Judge(checks.Facts{Node: checks.Node{Facts: test.self}, VIP: test.vip}, checks.Policy{Expect: test.expect})
			if got != test.want {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}

// Every combination has an answer, and what the answer must never be is never it.
func TestJudgeIsTotal(t *testing.T) {
	for class := node.Unknown; class <= node.Alive; class++ {
		for _, role := range []node.Role{node.NoRole, node.Master, node.Replica} {
			for bits := range 4 {
				for _, vip := range []checks.Presence{checks.Unasked, checks.Absent, checks.Here} {
					for _, expect := range []checks.Expectation{checks.Any, checks.ExpectMaster, checks.ExpectReplica} {
						f := checks.Facts{VIP: vip, Node: checks.Node{Facts: node.Facts{
							Class: class, Role: role,
							Upstream: node.Upstream{Up: bits&1 != 0, Syncing: bits&2 != 0},
						}}}
						v := checks.Judge(f, checks.Policy{Expect: expect})
						at, _ := json.Marshal(map[string]any{"facts": f, "expect": expect, "verdict": v})
						switch {
						case v.Reason == checks.Undecided:
							t.Errorf("no verdict: %s", at)
						case v.Fit && !class.Answers():
							t.Errorf("a dead server is fit: %s", at)
						case v.Fit && role == node.Replica && f.Upstream.Syncing:
							t.Errorf("half a copy is fit: %s", at)
						case v.Fit && expect == checks.ExpectMaster && role != node.Master:
							t.Errorf("no master, and fit as one: %s", at)
						case !v.Fit && expect == checks.Any && class > node.Loading && !(role == node.Replica && f.Upstream.Syncing):
							t.Errorf("a mistake that is the same on both nodes takes the VIP away: %s", at)
						}
					}
				}
			}
		}
	}
}

func TestEveryReasonHasANameAndASentence(t *testing.T) {
	names := map[string]bool{}
	for r := checks.Undecided; r <= checks.Serving; r++ {
		if r.String() == "" || names[r.String()] || r.Sentence() == "" {
			t.Errorf("reason %d: name %q, sentence %q", r, r, r.Sentence())
		}
		names[r.String()] = true
		var back checks.Reason
		if err := back.UnmarshalText([]byte(r.String())); err != nil || back != r {
			t.Errorf("%v reads back as %v, %v", r, back, err)
		}
	}
}
