package lint

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"redis-vip/checks/lint/redisconf"
	"redis-vip/checks/node"
	"redis-vip/checks/node/nodetest"
)

// asked are the findings about servers that run; the programs log in as user.
func asked(t *testing.T, user string, vip string, servers ...*nodetest.Server) (rules []string, live *Live, findings []Finding) {
	t.Helper()
	g := Group{Name: "mymaster", Self: servers[0].Addr, At: map[string]Position{"": {"redis-vip.toml", 1}}}
	for _, s := range servers {
		g.Nodes = append(g.Nodes, s.Addr)
	}
	if vip != "" {
		g.VIPs = []netip.Prefix{netip.MustParsePrefix(vip)}
	}
	q := Questions{
		Group:  g,
		Server: func(addr netip.AddrPort) node.Endpoint { return login(addr, user) },
		Admin:  func(addr netip.AddrPort) node.Endpoint { return node.Endpoint{Addr: addr} },
	}
	ctx, cancel := context.WithTimeout(t.Context(), nodetest.Bound)
	defer cancel()
	h := &Host{Groups: []Group{g}, Live: Ask(ctx, []Questions{q})}
	findings = Check(h)
	for _, f := range findings {
		rules = append(rules, f.Rule)
	}
	return rules, h.Live, findings
}

func login(addr netip.AddrPort, user string) node.Endpoint {
	e := node.Endpoint{Addr: addr, Username: user}
	if user != "" {
		e.Password = "secret"
	}
	return e
}

// all is what the programs need on a node.
var all = strings.Join(Accounts[Programs].Rules(), " ")

// Of what is too little, just that is found.
func TestRights(t *testing.T) {
	nodetest.From7(t, "no ACL DRYRUN")
	server := nodetest.Redis(t, "user ha on >secret resetchannels "+all)
	if rules, live, findings := asked(t, "ha", "", server); len(rules)+len(live.Skipped) > 0 {
		t.Errorf("with all rights: %+v %v", findings, live.Skipped)
	}
	for _, lacks := range Accounts[Programs].Commands {
		server.Do("ACL", "SETUSER", "ha", "-"+lacks.Right[1:])
		rules, live, findings := asked(t, "ha", "", server)
		if len(live.Skipped) > 0 {
			t.Error(live.Skipped)
		}
		// Without PING and INFO it is a node that refuses us.
		refuses := slices.Equal(rules, []string{"node-refuses"}) && slices.Contains([]string{"+ping", "+info"}, lacks.Right)
		if !refuses && (!slices.Equal(rules, []string{"acl-rights"}) || !strings.Contains(findings[0].Message, "may not run "+lacks.String()+" on")) {
			t.Errorf("without %s: %+v", lacks.Right, findings)
		}
		server.Do("ACL", "SETUSER", "ha", lacks.Right)
	}
	server.Do("ACL", "SETUSER", "ha", "-client|kill", "-psync")
	if _, _, findings := asked(t, "ha", "", server); len(findings) != 1 || !strings.Contains(findings[0].Message, "may not run psync, client kill on") {
		t.Errorf("without two: %+v", findings)
	}
	server.Do("ACL", "SETUSER", "ha", "+client|kill", "+psync", "-failover", "+acl|dryrun")
	if _, _, findings := asked(t, "ha", "", server); len(findings) != 1 || !strings.Contains(findings[0].Message, "may not run failover on") {
		t.Errorf("asked by itself: %+v", findings)
	}
}

// What nobody may ask is said, and is no finding.
func TestRightsThatNobodyMayAsk(t *testing.T) {
	nodetest.From7(t, "no ACL DRYRUN")
	server := nodetest.Redis(t, "user default on >other +@all ~* &*", "user ha on >secret resetchannels "+all)
	rules, live, _ := asked(t, "ha", "", server)
	if len(rules) > 0 || len(live.Skipped) != 1 || !strings.Contains(live.Skipped[0], "ACL DRYRUN") {
		t.Errorf("%v, %v", rules, live.Skipped)
	}
}

// What is asked about is what the programs send.
func TestCommandsAreRights(t *testing.T) {
	nodetest.From7(t, "no ACL DRYRUN")
	for _, commands := range [][]Command{Accounts[Programs].Commands, Accounts[ProgramsOnSentinel].Commands} {
		for _, c := range commands {
			words := strings.Fields(c.String())
			for i, w := range words {
				if !strings.EqualFold(w, c.Words[i]) {
					t.Errorf("%v needs %s?", c.Words, c.Right)
				}
			}
		}
	}
}

func TestNodes(t *testing.T) {
	nodetest.From7(t, "no ACL DRYRUN")
	master, replica := nodetest.Redis(t), nodetest.Redis(t)
	replica.Follow(master)
	if rules, live, _ := asked(t, "", "", master, replica); len(rules)+len(live.Skipped) > 0 {
		t.Errorf("a healthy pair: %v %v", rules, live.Skipped)
	}

	t.Run("password", func(t *testing.T) {
		if rules, _, _ := asked(t, "", "", nodetest.Redis(t, "requirepass x")); !slices.Equal(rules, []string{"node-refuses"}) {
			t.Error(rules)
		}
	})
	t.Run("no configuration file", func(t *testing.T) {
		if rules, _, _ := asked(t, "", "", nodetest.Bare(t)); !slices.Equal(rules, []string{"no-config-file"}) {
			t.Error(rules)
		}
	})
	t.Run("dead", func(t *testing.T) {
		dead := nodetest.Redis(t)
		dead.Kill()
		if rules, _, _ := asked(t, "", "", master, dead); !slices.Equal(rules, []string{"node-unreachable"}) {
			t.Error(rules)
		}
	})
	t.Run("link down", func(t *testing.T) {
		secured := nodetest.Redis(t, "user default on nopass +@all -psync -sync ~* &*")
		lost := nodetest.Redis(t)
		lost.Do("REPLICAOF", "127.0.0.1", secured.Addr.Port())
		nodetest.Eventually(t, "link-down", func() error { // it is tried again once a second
			if rules, _, _ := asked(t, "", "", secured, lost); !slices.Contains(rules, "link-down") {
				return fmt.Errorf("%v", rules)
			}
			return nil
		})
	})
	t.Run("not listed", func(t *testing.T) {
		shy := nodetest.Redis(t, "replica-announce-ip 192.0.2.77")
		shy.Do("REPLICAOF", "127.0.0.1", master.Addr.Port())
		nodetest.Eventually(t, "its link", func() error {
			if !shy.Look().Upstream.Up {
				return context.DeadlineExceeded
			}
			return nil
		})
		if rules, _, _ := asked(t, "", "", master, shy); !slices.Equal(rules, []string{"not-listed"}) {
			t.Error(rules)
		}
	})
}

// 127.9.9.9 is on no interface, and yet everything that listens on all addresses
// answers there.
func TestVIP(t *testing.T) {
	ours := nodetest.Redis(t)
	port := ours.Addr.Port()
	if rules, _, _ := asked(t, "", "127.9.9.9/8", ours); len(rules) > 0 {
		t.Errorf("nobody has it: %v", rules)
	}
	at := netip.AddrPortFrom(netip.MustParseAddr("127.9.9.9"), port)
	stranger, err := nodetest.Given().Command(t.Context(), "redis-server", "--bind", at.Addr().String(), "--port", fmt.Sprint(port), "--save", "", "--dir", t.TempDir())
	must(t, err)
	must(t, stranger.Start())
	t.Cleanup(func() { stranger.Wait() })
	nodetest.Eventually(t, "the stranger", func() error {
		if f := login(at, "").Look(t.Context()); f.RunID == "" {
			return errors.New(f.Problem)
		}
		return nil
	})
	if rules, _, _ := asked(t, "", "127.9.9.9/8", ours); !slices.Equal(rules, []string{"vip-taken"}) {
		t.Errorf("a stranger has it: %v", rules)
	}
}

// The deadline holds against servers that accept and never answer.
func TestAskIsBounded(t *testing.T) {
	hung := nodetest.Redis(t)
	hung.Signal(syscall.SIGSTOP)
	endpoint := func(netip.AddrPort) node.Endpoint { return hung.Endpoint() }
	g := Group{Name: "mymaster", Nodes: []netip.AddrPort{hung.Addr}, Sentinels: []netip.AddrPort{hung.Addr}, VIPs: []netip.Prefix{netip.MustParsePrefix("127.9.9.9/8")}}
	const timeout = 300 * time.Millisecond
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	start := time.Now()
	live := Ask(ctx, []Questions{{Group: g, Server: endpoint, Sentinel: endpoint, Admin: endpoint}})
	if took := time.Since(start); took > 5*timeout {
		t.Errorf("took %v, the deadline was %v", took, timeout)
	}
	if live.Nodes["mymaster"][0].Class != node.Timeout || len(live.Skipped) != 1 {
		t.Errorf("%+v", live)
	}
}

func TestSentinels(t *testing.T) {
	nodetest.From7(t, "no ACL DRYRUN")
	master := nodetest.Redis(t)
	sentinel := nodetest.Sentinel(t, fmt.Sprintf("sentinel monitor mymaster 127.0.0.1 %d 2", master.Addr.Port()))
	g := Group{Name: "mymaster", Nodes: []netip.AddrPort{master.Addr}, Sentinels: []netip.AddrPort{sentinel.Addr}}
	missed(t, sentinel, "sentinel-acl-rights", ProgramsOnSentinel, Questions{
		Group:    g,
		Server:   func(addr netip.AddrPort) node.Endpoint { return login(addr, "") },
		Sentinel: func(addr netip.AddrPort) node.Endpoint { return login(addr, "ha") },
	})
}

func TestWitness(t *testing.T) {
	nodetest.From7(t, "no ACL DRYRUN")
	witness := nodetest.Redis(t)
	missed(t, witness, "witness-acl-rights", ProgramsOnWitness, Questions{
		Group: Group{Name: "mymaster"}, Witnesses: []netip.AddrPort{witness.Addr},
		Witness: func(addr netip.AddrPort) node.Endpoint { return login(addr, "ha") },
	})
}

// missed takes each right from the account in turn: just that is found, by a user that may
// ask.
func missed(t *testing.T, server *nodetest.Server, rule string, owner Owner, q Questions) {
	t.Helper()
	look := func() ([]Finding, *Live) {
		ctx, cancel := context.WithTimeout(t.Context(), nodetest.Bound)
		defer cancel()
		h := &Host{Groups: []Group{q.Group}, Live: Ask(ctx, []Questions{q})}
		return Check(h), h.Live
	}
	account := Accounts[owner]
	words := []any{"ACL", "SETUSER", "ha", "on", ">secret", "resetchannels"}
	for _, rule := range append(account.Rules(), "+acl|dryrun") {
		words = append(words, rule)
	}
	server.Do(words...)
	if findings, live := look(); len(findings)+len(live.Skipped) > 0 {
		t.Errorf("with all rights: %+v %v", findings, live.Skipped)
	}
	for _, lacks := range account.Commands {
		server.Do("ACL", "SETUSER", "ha", "-"+lacks.Right[1:])
		findings, live := look()
		if len(findings) != 1 || findings[0].Rule != rule || !strings.Contains(findings[0].Message, "may not run "+lacks.String()+" on") {
			t.Errorf("without %s: %+v %v", lacks.Right, findings, live.Skipped)
		}
		server.Do("ACL", "SETUSER", "ha", lacks.Right)
	}
}

// What no single machine shows: who else has the VIP, and which file a Redis reads.
func TestSeen(t *testing.T) {
	addr := netip.MustParseAddrPort("192.0.2.1:6379")
	g := Group{Name: "mymaster", Nodes: []netip.AddrPort{addr}}
	h := &Host{
		Groups: []Group{g},
		Redis:  &redisconf.File{Position: redisconf.Position{File: "/etc/redis/redis.conf"}},
		Live: &Live{
			Nodes:   map[string][]Node{"mymaster": {{addr, true, node.Facts{Class: node.Alive, RunID: "a", ConfigFile: "/srv/redis.conf"}}}},
			Holders: []Holder{{Group: "mymaster", VIP: addr.Addr(), Here: true, Twice: "02:00:00:00:00:01"}},
		},
	}
	for _, want := range []string{"vip-twice", "other-config-file"} {
		if !slices.ContainsFunc(Check(h), func(f Finding) bool { return f.Rule == want }) {
			t.Errorf("no %s", want)
		}
	}
}

// A directive that we call unknown is one that Redis refuses to start with.
func TestRedisAgrees(t *testing.T) {
	nodetest.Require(t, "redis-server", "redis-sentinel")
	for _, program := range []string{"redis-server", "redis-sentinel"} {
		name, place := "redis-directive", places["redis.conf"]
		if program == "redis-sentinel" {
			name, place = "sentinel-option", places["sentinel.conf"]
		}
		c := readCorpus(t, "testdata/"+name+".txtar")
		path := t.TempDir() + "/file.conf"
		// Redis 8 first looks for what is to be included.
		must(t, os.WriteFile(path, []byte(strings.ReplaceAll(c.files[place], "\ninclude ", "\n# include ")), 0o644))
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		cmd, err := nodetest.Given().Command(ctx, program, path)
		must(t, err)
		out, err := cmd.CombinedOutput()
		cancel()
		hits := append(unknownDirectives(c.host(t, "redis1")), unknownOptions(c.host(t, "redis1"))...)
		if err == nil || ctx.Err() != nil && len(out) == 0 || len(hits) != 1 || !strings.Contains(string(out), hits[0].words[0]) {
			t.Errorf("%s: %v %v\n%s", program, hits, err, out)
		}
	}
	server := nodetest.Redis(t)
	list, _ := server.Do("CONFIG", "GET", "*").([]any)
	if len(list) < 300 {
		t.Fatalf("%d words", len(list))
	}
	for i := 0; i < len(list); i += 2 {
		if name := list[i].(string); redisconf.Meant(name) != "" {
			t.Errorf("Redis knows %s, and we do not", name)
		}
	}
}

func TestAskHostileServers(t *testing.T) {
	nodetest.Hostile(t, func(t *testing.T, ctx context.Context, e node.Endpoint) {
		at := func(netip.AddrPort) node.Endpoint { return e }
		live := Ask(ctx, []Questions{{
			Group:     Group{Name: "mymaster", Nodes: []netip.AddrPort{e.Addr}, Sentinels: []netip.AddrPort{e.Addr}},
			Witnesses: []netip.AddrPort{e.Addr}, Server: at, Sentinel: at, Witness: at, Admin: at,
		}})
		if len(live.Skipped) == 0 {
			t.Errorf("%+v", live)
		}
	})
}
