package survey_test

import (
	"context"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"redis-vip/checks"
	"redis-vip/checks/clock"
	"redis-vip/checks/node"
	"redis-vip/checks/node/nodetest"
	"redis-vip/checks/survey"
)

// view surveys self and peer, and counts how often the peer is looked at.
func view(t *testing.T, self, peer *nodetest.Server, vip checks.Presence) (survey.Survey, *atomic.Int64) {
	var asked atomic.Int64
	dir := t.TempDir()
	return survey.Survey{
		Self: survey.Target{Addr: self.Addr, Look: self.Endpoint().Look},
		Peers: []survey.Target{{Addr: peer.Addr, Order: 1, Look: func(ctx context.Context) node.Facts {
			asked.Add(1)
			return peer.Endpoint().Look(ctx)
		}}},
		Where:    func() checks.Presence { return vip },
		Patience: 250 * time.Millisecond,
		Clock:    clock.Wall{},
		Recall:   survey.File(filepath.Join(dir, "memory")), Contested: survey.Marked(filepath.Join(dir, "contested")),
	}, &asked
}

func brief(t *testing.T, s survey.Survey) checks.Facts {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	return s.Brief(ctx)
}

// A healthy check is one conversation with one Redis.
func TestBriefAsksOthersOnlyInDoubt(t *testing.T) {
	master, replica := nodetest.Redis(t), nodetest.Redis(t)
	replica.Follow(master)
	for name, test := range map[string]struct {
		self, peer *nodetest.Server
		vip        checks.Presence
		asks       bool
	}{
		"a master with its replica":       {master, replica, checks.Here, false},
		"a replica in sync":               {replica, master, checks.Absent, false},
		"a replica in sync, with the VIP": {replica, master, checks.Here, true},
	} {
		s, asked := view(t, test.self, test.peer, test.vip)
		if f := brief(t, s); (asked.Load() > 0) != test.asks || f.Asked != test.asks {
			t.Errorf("%s: asked %d times", name, asked.Load())
		}
	}
	master.Kill()
	s, asked := view(t, replica, master, checks.Absent)
	nodetest.Eventually(t, "a broken link", func() error {
		if replica.Look().Upstream.Up {
			return context.DeadlineExceeded
		}
		return nil
	})
	if f := brief(t, s); asked.Load() == 0 || len(f.Peers) != 1 || f.Peers[0].Class != node.Refused {
		t.Errorf("the link is broken: %+v", f.Peers)
	}
}

// Whoever is silent costs Patience once, not once each.
func TestSilenceIsBounded(t *testing.T) {
	self, peer := nodetest.Redis(t), nodetest.Redis(t)
	peer.Signal(syscall.SIGSTOP)
	s, _ := view(t, self, peer, checks.Absent)
	s.VIP = s.Peers[0]
	s.Gateway = survey.Endpoint(peer.Addr) // connects, as a stopped process's listener does
	s.Patience = time.Second
	start := time.Now()
	f := brief(t, s)
	if took := time.Since(start); took > s.Patience*19/10 {
		t.Errorf("took %v", took)
	}
	if f.Peers[0].Class != node.Timeout || f.Gateway != checks.GatewayAnswers {
		t.Errorf("%+v", f)
	}
}

func TestGateway(t *testing.T) {
	self, peer := nodetest.Redis(t), nodetest.Redis(t)
	s, _ := view(t, self, peer, checks.Absent)
	if f := brief(t, s); f.Gateway != checks.NoGateway {
		t.Errorf("none is configured: %v", f.Gateway)
	}
	s.Gateway = survey.Endpoint(nodetest.FreePort(t)) // refuses
	if f := brief(t, s); f.Gateway != checks.GatewayAnswers {
		t.Errorf("a refusal is an answer: %v", f.Gateway)
	}
}

func TestMemory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "memory")
	if m := survey.Recall(path); m != (checks.Memory{}) {
		t.Errorf("out of nothing: %+v", m)
	}
	want := checks.Memory{Role: node.Master, ReplID: "id", Offset: 7, Keys: 3, Online: true, At: time.Unix(1_800_000_000, 0).UTC()}
	if err := survey.Note(path, want); err != nil {
		t.Fatal(err)
	}
	if m := survey.Recall(path); m != want {
		t.Errorf("%+v, want %+v", m, want)
	}
	for _, garbage := range []string{"", "{", `{"role":"emperor"}`, "\x00\x00\x00"} {
		if err := os.WriteFile(path, []byte(garbage), 0o600); err != nil {
			t.Fatal(err)
		}
		if m := survey.Recall(path); m != (checks.Memory{}) {
			t.Errorf("out of %q: %+v", garbage, m)
		}
	}
}

func TestMark(t *testing.T) {
	self, peer := nodetest.Redis(t), nodetest.Redis(t)
	s, _ := view(t, self, peer, checks.Here)
	path := filepath.Join(t.TempDir(), "contested")
	s.Contested = survey.Marked(path)
	if brief(t, s).Contested {
		t.Error("contested without a mark")
	}
	if err := survey.Mark(path); err != nil {
		t.Fatal(err)
	}
	if !brief(t, s).Contested {
		t.Error("not contested in spite of the mark")
	}
	old := time.Now().Add(-time.Minute)
	if err := os.Chtimes(path, old, old); err != nil {
		t.Fatal(err)
	}
	if brief(t, s).Contested {
		t.Error("contested by an old mark")
	}
}
