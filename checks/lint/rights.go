package lint

import "strings"

// Account is an ACL user that may do what its owner does on one kind of server, and
// nothing else. The tests take each right away, and see that it is missed; the manual
// page redis-vip-procedures(7) shows the same rules.
type Account struct {
	Name     string // in the manual
	On       Kind
	Commands []Command
	Reach    []string // keys and channels, and categories of commands, as in ACL SETUSER
}

// Kind is what a server is to its group.
type Kind uint8

// The kinds of servers that somebody logs in to.
const (
	OnNode Kind = iota
	OnSentinel
	OnWitness
)

// Command is one command that is sent, and the ACL right that it needs.
type Command struct {
	Words []string
	Right string // as in ACL SETUSER
}

func (c Command) String() string { return strings.NewReplacer("+", "", "|", " ").Replace(c.Right) }

// Rules are the account's rights in the words of ACL SETUSER. HELLO and AUTH need none.
func (a Account) Rules() []string {
	rules := append([]string{"-@all"}, a.Reach...)
	for _, c := range a.Commands {
		rules = append(rules, c.Right)
	}
	return rules
}

// Owner says who logs in with an account.
type Owner uint8

// The owners.
const (
	Programs              Owner = iota // all programs of redis-vip, on the nodes
	HealthCheck                        // redis-check that starts no hook: without --heal, or for HAProxy
	Replication                        // a replica at its master
	Replay                             // redis-vip preserved replay, at the master
	Watching                           // Sentinel, on the nodes
	ProgramsOnSentinel                 // all programs of redis-vip, on the Sentinels
	HealthCheckOnSentinel              // redis-check for HAProxy, on the Sentinels
	AmongSentinels                     // a Sentinel at another one
	ProgramsOnWitness                  // all programs of redis-vip, on a witness
)

// Accounts are the least that each owner needs.
var Accounts = map[Owner]Account{
	Programs: {"ha", OnNode, []Command{
		{[]string{"PING"}, "+ping"},
		{[]string{"INFO", "replication"}, "+info"},
		{[]string{"REPLICAOF", "NO", "ONE"}, "+replicaof"},
		{[]string{"CONFIG", "REWRITE"}, "+config|rewrite"},
		{[]string{"FAILOVER", "ABORT"}, "+failover"},
		{[]string{"REPLCONF", "ack", "0"}, "+replconf"},
		{[]string{"PSYNC", "?", "-1"}, "+psync"},
		{[]string{"CLIENT", "PAUSE", "1000", "WRITE"}, "+client|pause"},
		{[]string{"CLIENT", "UNPAUSE"}, "+client|unpause"},
		{[]string{"CLIENT", "KILL", "TYPE", "normal"}, "+client|kill"},
	}, nil},
	HealthCheck: {"check", OnNode, []Command{
		{[]string{"PING"}, "+ping"},
		{[]string{"INFO", "replication"}, "+info"},
	}, nil},
	// A replica sends PING before it logs in (replication.c, syncWithMaster).
	Replication: {"repl", OnNode, []Command{
		{[]string{"REPLCONF", "ack", "0"}, "+replconf"},
		{[]string{"PSYNC", "?", "-1"}, "+psync"},
	}, nil},
	Replay: {"replay", OnNode, []Command{
		{[]string{"PING"}, "+ping"},
		{[]string{"INFO", "replication"}, "+info"},
		{[]string{"REPLCONF", "ack", "0"}, "+replconf"},
		{[]string{"PSYNC", "?", "-1"}, "+psync"},
		{[]string{"COMMAND", "INFO", "SET"}, "+command|info"},
		{[]string{"COMMAND", "GETKEYS", "GET", "a"}, "+command|getkeys"},
		{[]string{"SELECT", "0"}, "+select"},
		{[]string{"WATCH", "a"}, "+watch"},
		{[]string{"UNWATCH"}, "+unwatch"},
		{[]string{"MULTI"}, "+multi"},
		{[]string{"EXEC"}, "+exec"},
		{[]string{"GET", "a"}, "+get"},
		{[]string{"EXISTS", "a"}, "+exists"},
		{[]string{"DUMP", "a"}, "+dump"},
	}, []string{"~*", "+@write"}},
	Watching: {"sentinel", OnNode, []Command{
		{[]string{"PING"}, "+ping"},
		{[]string{"INFO"}, "+info"},
		{[]string{"SUBSCRIBE", "__sentinel__:hello"}, "+subscribe"},
		{[]string{"PUBLISH", "__sentinel__:hello", "a"}, "+publish"},
		{[]string{"MULTI"}, "+multi"},
		{[]string{"EXEC"}, "+exec"},
		{[]string{"SLAVEOF", "NO", "ONE"}, "+slaveof"},
		{[]string{"CONFIG", "REWRITE"}, "+config|rewrite"},
		{[]string{"CLIENT", "SETNAME", "a"}, "+client|setname"},
		{[]string{"CLIENT", "KILL", "TYPE", "normal"}, "+client|kill"},
		{[]string{"SCRIPT", "KILL"}, "+script|kill"},
	}, []string{"&__sentinel__:hello"}},
	ProgramsOnSentinel: {"ha", OnSentinel, []Command{
		{[]string{"SENTINEL", "GET-MASTER-ADDR-BY-NAME", "mymaster"}, "+sentinel|get-master-addr-by-name"},
		{[]string{"SENTINEL", "MASTER", "mymaster"}, "+sentinel|master"},
		{[]string{"SENTINEL", "SENTINELS", "mymaster"}, "+sentinel|sentinels"},
		{[]string{"SENTINEL", "MYID"}, "+sentinel|myid"},
		{[]string{"SENTINEL", "FAILOVER", "mymaster"}, "+sentinel|failover"},
	}, nil},
	HealthCheckOnSentinel: {"check", OnSentinel, []Command{
		{[]string{"SENTINEL", "GET-MASTER-ADDR-BY-NAME", "mymaster"}, "+sentinel|get-master-addr-by-name"},
		{[]string{"SENTINEL", "MASTER", "mymaster"}, "+sentinel|master"},
		{[]string{"SENTINEL", "SENTINELS", "mymaster"}, "+sentinel|sentinels"},
		{[]string{"SENTINEL", "MYID"}, "+sentinel|myid"},
	}, nil},
	AmongSentinels: {"sentinel", OnSentinel, []Command{
		{[]string{"PING"}, "+ping"},
		{[]string{"PUBLISH", "__sentinel__:hello", "a"}, "+publish"},
		{[]string{"CLIENT", "SETNAME", "a"}, "+client|setname"},
		{[]string{"SENTINEL", "IS-MASTER-DOWN-BY-ADDR", "127.0.0.1", "6379", "0", "*"}, "+sentinel|is-master-down-by-addr"},
	}, []string{"&__sentinel__:hello"}},
	ProgramsOnWitness: {"ha", OnWitness, []Command{
		{[]string{"EVAL", "return 0", "0"}, "+eval"},
		{[]string{"GET", leaseKey}, "+get"},
		{[]string{"SET", leaseKey, "a"}, "+set"},
		{[]string{"DEL", leaseKey}, "+del"},
		{[]string{"PTTL", leaseKey}, "+pttl"},
		{[]string{"INFO", "server"}, "+info"},
	}, []string{"~redis-vip:lease:*"}},
}

// leaseKey is one that a lease may have (hooks/lease).
const leaseKey = "redis-vip:lease:mymaster"
