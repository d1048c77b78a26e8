package program_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"redis-vip/checks/lint"
	"redis-vip/checks/node/nodetest"
	"redis-vip/cmd/internal/program"
)

// Everybody has just the rights that lint.Accounts gives, and what they do goes well:
// no server has refused anything. Each right is taken away in turn, and is missed.
func TestLeastRights(t *testing.T) {
	t.Setenv("REDIS_VIP_LOG", "file:"+filepath.Join(t.TempDir(), "log"))
	plays := map[lint.Owner]func(*stage){
		lint.Programs: (*stage).pair, lint.Replication: (*stage).pair, lint.HealthCheck: (*stage).pair,
		lint.Replay: (*stage).replay, lint.ProgramsOnWitness: (*stage).witness,
		lint.Watching: (*stage).trio, lint.AmongSentinels: (*stage).trio,
		lint.ProgramsOnSentinel: (*stage).trio, lint.HealthCheckOnSentinel: (*stage).trio,
	}
	for _, play := range []struct {
		name string
		run  func(*stage)
	}{{"pair", (*stage).pair}, {"replay", (*stage).replay}, {"witness", (*stage).witness}, {"trio", (*stage).trio}} {
		t.Run(play.name, func(t *testing.T) {
			t.Parallel()
			s := &stage{T: t, dir: t.TempDir()}
			play.run(s)
			if refused := s.refused(); len(refused) > 0 {
				t.Errorf("refused: %v", refused)
			}
		})
	}
	for owner, account := range lint.Accounts {
		for _, right := range slices.Concat(account.Reach, rights(account)) {
			t.Run(fmt.Sprintf("%s without %s (%d)", account.Name, right, account.On), func(t *testing.T) {
				t.Parallel()
				s := &stage{T: t, dir: t.TempDir(), owner: owner, without: right}
				plays[owner](s)
				if !s.over() {
					t.Errorf("nobody misses it")
				}
			})
		}
	}
}

func rights(a lint.Account) (list []string) {
	for _, c := range a.Commands {
		list = append(list, c.Right)
	}
	return list
}

// stage is servers with these accounts, of which one may lack a right.
type stage struct {
	*testing.T
	dir     string
	owner   lint.Owner
	without string
	servers []*nodetest.Server
}

// users are the lines of a configuration file that make all accounts on a kind of server.
func (s *stage) users(on lint.Kind) (lines []string) {
	for owner, a := range lint.Accounts {
		if a.On != on {
			continue
		}
		rules := a.Rules()
		if owner == s.owner {
			rules = slices.DeleteFunc(rules, func(rule string) bool { return rule == s.without })
		}
		lines = append(lines, fmt.Sprintf("user %s on >secret resetchannels %s", a.Name, strings.Join(rules, " ")))
	}
	return lines
}

func (s *stage) redis(lines ...string) *nodetest.Server {
	server := nodetest.Redis(s.T, slices.Concat(s.users(lint.OnNode), []string{"masteruser repl", "masterauth secret"}, lines)...)
	s.servers = append(s.servers, server)
	return server
}

// refused is what the servers have refused to the accounts.
func (s *stage) refused() (list []string) {
	s.Helper()
	for _, server := range s.servers {
		client := server.Endpoint().Client(nodetest.Bound)
		entries, err := client.ACLLog(context.Background(), 100).Result()
		client.Close()
		if err != nil {
			continue // it is dead
		}
		for _, e := range entries {
			list = append(list, fmt.Sprintf("%s: %s %s", e.Username, e.Reason, e.Object))
		}
	}
	return list
}

// over says whether the account that lacks a right has missed it: then the play need
// not go on.
func (s *stage) over() bool {
	account := lint.Accounts[s.owner]
	return s.without != "" && slices.ContainsFunc(s.refused(), func(text string) bool {
		lacks := "command " + strings.TrimPrefix(s.without, "+")
		switch s.without[0] {
		case '~':
			lacks = "key "
		case '&':
			lacks = "channel "
		}
		if s.without == "+@write" {
			lacks = "command "
		}
		return strings.HasPrefix(text, account.Name+": "+lacks)
	})
}

// run runs a program as an account; all is well unless a right is missing.
func (s *stage) run(account string, want int, args ...string) string {
	s.Helper()
	code, out := s.call(account, args...)
	if code != want && s.without == "" {
		s.Errorf("%v: exit %d, want %d: %s", args, code, want, out)
	}
	return out
}

// call is run, however it ends.
func (s *stage) call(account string, args ...string) (code int, output string) {
	s.Helper()
	var out bytes.Buffer
	secret := filepath.Join(s.dir, "secret")
	if err := os.WriteFile(secret, []byte("secret\n"), 0o600); err != nil {
		s.Fatal(err)
	}
	at := 1 // flags stand before arguments
	if args[0] == "redis-vip" {
		at += 1 + strings.Count(args[1], " ")
		args = slices.Concat(args[:1], strings.Fields(args[1]), args[2:])
	}
	args = slices.Insert(args, at, "--username", account, "--password-file", secret, "--hook-timeout", "3s")
	code = program.Named(args, program.Streams{Out: &out, Err: &out})
	return code, out.String()
}

// eventually waits for something, or for the end of the play.
func (s *stage) eventually(what string, condition func() error) {
	s.Helper()
	nodetest.Eventually(s.T, what, func() error {
		if s.over() {
			return nil
		}
		return condition()
	})
}

const here, absent = "::1/128", "127.9.9.9/8"

// follow makes b a replica of a.
func (s *stage) follow(b, a *nodetest.Server) {
	s.Helper()
	b.Do("REPLICAOF", "127.0.0.1", a.Addr.Port())
	s.eventually("the replica in sync", func() error {
		if f := b.Look(); !f.Upstream.Up || f.Offset != a.Look().Offset {
			return fmt.Errorf("%+v", f.Upstream)
		}
		return nil
	})
}

// node are the flags of a program on the host of a node, and the folders of that host.
func (s *stage) node(local *nodetest.Server, vip string, nodes ...*nodetest.Server) []string {
	dir := filepath.Join(s.dir, fmt.Sprint(local.Addr.Port()))
	if err := os.MkdirAll(dir, 0o750); err != nil {
		s.Fatal(err)
	}
	var list []string
	for _, n := range nodes {
		list = append(list, n.Addr.String())
	}
	return []string{
		"--state-dir", dir, "--run-dir", dir, "--group", "mymaster",
		"--nodes", strings.Join(list, ","), "--node", local.Addr.String(), "--vips", vip,
	}
}
