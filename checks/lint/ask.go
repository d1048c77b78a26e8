package lint

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"

	"redis-vip/checks/host"
	"redis-vip/checks/node"

	"github.com/redis/go-redis/v9"
)

// Questions are about one group that runs.
type Questions struct {
	Group     Group
	Witnesses []netip.AddrPort
	// How the programs log in to a node, a Sentinel and a witness.
	Server, Sentinel, Witness func(netip.AddrPort) node.Endpoint
	// Admin is a node with more rights, because few users may run ACL DRYRUN.
	// Nil: there is nobody to ask as.
	Admin func(netip.AddrPort) node.Endpoint
	// Probe asks the neighbours who else has a VIP that is here; nil: it cannot.
	Probe func(context.Context, netip.Prefix) (who string, err error)
}

// Ask looks at the running system. It only reads, asks everybody at once, and always
// returns: the context bounds it. What cannot be looked at is said in Skipped.
func Ask(ctx context.Context, groups []Questions) *Live {
	live := &Live{Nodes: map[string][]Node{}, Sentinels: map[string]int{}}
	if list, err := net.Interfaces(); err == nil {
		for _, i := range list {
			live.Interfaces = append(live.Interfaces, i.Name)
		}
	}
	asking := &asking{live: live}
	for _, q := range groups {
		asking.group(ctx, q)
	}
	asking.Wait()
	return live
}

// asking is what the answers are gathered with.
type asking struct {
	sync.WaitGroup
	sync.Mutex
	live *Live
}

// note keeps what somebody answered.
func (a *asking) note(keep func(*Live)) {
	a.Lock()
	defer a.Unlock()
	keep(a.live)
}

func (a *asking) skip(format string, args ...any) {
	a.note(func(l *Live) { l.Skipped = append(l.Skipped, fmt.Sprintf(format, args...)) })
}

func (a *asking) group(ctx context.Context, q Questions) {
	name := q.Group.Name
	nodes := make([]Node, len(q.Group.Nodes))
	a.note(func(l *Live) { l.Nodes[name] = nodes })
	for i, addr := range q.Group.Nodes {
		a.Go(func() {
			nodes[i] = Node{addr, addr == q.Group.Self, q.Server(addr).Look(ctx)}
			if nodes[i].Class == node.Alive {
				a.rights(ctx, q, addr, OnNode)
			}
		})
	}
	for _, vip := range q.Group.VIPs {
		a.Go(func() { a.vip(ctx, q, vip) })
	}
	for _, addr := range q.Group.Sentinels {
		a.Go(func() { a.sentinel(ctx, q, addr) })
	}
	for _, addr := range q.Witnesses {
		a.Go(func() { a.rights(ctx, q, addr, OnWitness) })
	}
}

func (a *asking) vip(ctx context.Context, q Questions, vip netip.Prefix) {
	held, err := host.Holds(vip.Addr())
	if err != nil {
		a.skip("whether the VIP %s is here: %v", vip.Addr(), err)
		return
	}
	holder := Holder{Group: q.Group.Name, VIP: vip.Addr(), Here: held}
	switch {
	case !held && len(q.Group.Nodes) > 0:
		holder.RunID = q.Server(netip.AddrPortFrom(vip.Addr(), q.Group.Nodes[0].Port())).Look(ctx).RunID
	case held && q.Probe != nil:
		if holder.Twice, err = q.Probe(ctx, vip); err != nil {
			a.skip("whether another host has the VIP %s too: %v", vip.Addr(), err)
		}
	}
	a.note(func(l *Live) { l.Holders = append(l.Holders, holder) })
}

func (a *asking) sentinel(ctx context.Context, q Questions, addr netip.AddrPort) {
	client := q.Sentinel(addr).Client(node.Remaining(ctx))
	defer client.Close()
	others, err := client.Do(ctx, "SENTINEL", "SENTINELS", q.Group.Name).Slice()
	switch {
	case err == nil:
		a.note(func(l *Live) { l.Sentinels[q.Group.Name] = max(l.Sentinels[q.Group.Name], len(others)+1) })
	case node.Classify(err) == node.NoPerm:
		a.skip("the other Sentinels: %s: %v", addr, err)
	default:
		a.skip("the Sentinel %s: %v", addr, err)
		return
	}
	a.rights(ctx, q, addr, OnSentinel)
}

// rights asks a server whether the programs' user may run what they send. The user
// itself is mostly not allowed to ask.
func (a *asking) rights(ctx context.Context, q Questions, addr netip.AddrPort, on Kind) {
	e, commands := q.endpoint(addr, on)
	user := cmp.Or(e.Username, "default")
	denied, err := dryRun(ctx, e, user, commands)
	if isDenied(err) && q.Admin != nil && on == OnNode {
		denied, err = dryRun(ctx, q.Admin(addr), user, commands)
	}
	switch {
	case isDenied(err):
		a.skip("the rights of user %s on %s: nobody here may run ACL DRYRUN there", user, addr)
	case err != nil:
		a.skip("the rights of user %s on %s: %v", user, addr, err)
	}
	a.note(func(l *Live) {
		for _, c := range denied {
			l.Denied = append(l.Denied, Denied{q.Group.Name, user, on, addr, c})
		}
	})
}

func (q Questions) endpoint(addr netip.AddrPort, on Kind) (node.Endpoint, []Command) {
	switch on {
	case OnSentinel:
		return q.Sentinel(addr), Accounts[ProgramsOnSentinel].Commands
	case OnWitness:
		return q.Witness(addr), Accounts[ProgramsOnWitness].Commands
	default:
		return q.Server(addr), Accounts[Programs].Commands
	}
}

var errNoDryRun = errors.New("it has no ACL DRYRUN, which came with Redis 7.0")

// dryRun asks for all commands in one go.
func dryRun(ctx context.Context, e node.Endpoint, user string, commands []Command) (denied []Command, err error) {
	client := e.Client(node.Remaining(ctx))
	defer client.Close()
	pipe := client.Pipeline()
	var answers []*redis.Cmd
	for _, c := range commands {
		words := []any{"ACL", "DRYRUN", user}
		for _, w := range c.Words {
			words = append(words, w)
		}
		answers = append(answers, pipe.Do(ctx, words...))
	}
	var server redis.Error
	if _, err := pipe.Exec(ctx); err != nil && !errors.As(err, &server) {
		return nil, err // no connection came about, and the commands know nothing of it
	}
	for i, answer := range answers {
		text, err := answer.Text()
		switch {
		case err != nil && (strings.HasPrefix(err.Error(), "ERR Unknown subcommand") || strings.HasPrefix(err.Error(), "ERR unknown")):
			return nil, errNoDryRun
		case err != nil:
			return nil, err
		case text != "OK":
			denied = append(denied, commands[i])
		}
	}
	return denied, nil
}

func isDenied(err error) bool {
	class := node.Classify(err)
	return err != nil && (class == node.NoPerm || class == node.NoAuth)
}
