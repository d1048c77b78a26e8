package lint

import (
	"slices"
	"strconv"
	"strings"

	"redis-vip/checks/lint/redisconf"
)

// smallBacklog is what a busy master writes in less time than a standby needs to come
// back. The examples have 256 MB; Redis's default is 1 MB.
const smallBacklog = 64 << 20

var redisRules = []rule{
	{
		"redis-include-missing", Error, "no such file: $1", "Redis does not start: at the next restart, not before.", "correct the path, or take the line out",
		redisProblems(redisconf.MissingInclude),
	},
	{
		"redis-include-unreadable", Error, "cannot read $1", "What it says was not looked at.", "run this as root", redisProblems(redisconf.UnreadableInclude),
	},
	{
		"redis-include-loop", Error, "$1 is included again, or too deep", "Redis reads it until it crashes.", "take the line out", redisProblems(redisconf.IncludeLoop),
	},
	{
		"redis-open-quote", Error, "a quote is not closed", "Redis does not start: at the next restart, not before.", `close it: "…"`, redisProblems(redisconf.OpenQuote),
	},
	{
		"redis-too-large", Error, "there is more in $1 than is looked at", "The rest may hold any mistake.", "take apart what grew so large", redisProblems(redisconf.TooLarge),
	},
	{
		"redis-unknown-directive", Error, "unknown directive $1", "Redis does not start: at the next restart, not before.", "write $2", unknownDirectives,
	},
	{
		"no-masterauth", Error, "requirepass without masterauth", "As a replica it cannot log in to the other node: after the next failover there is no replication.",
		"write masterauth and the same password, on every host", noMasterauth,
	},
	{
		"passwords-differ", Error, "masterauth is not the requirepass of $1", "As a replica it cannot log in to that node: after a failover there is no replication.",
		"write the same password for both, on every host", passwordsDiffer,
	},
	{
		"no-password-for-programs", Warning, "requirepass, and redis-vip.toml names no password", "The programs are refused: they can neither promote nor demote.",
		"write password_file into the group, and the password into that file", noPassword,
	},
	{
		"backlog-small", Warning, "repl-backlog-size $1", "A standby that was away longer needs a full copy, and of a master that yields, fewer of the writes that the other lacks can be saved out of it.",
		"write repl-backlog-size 256mb", backlogSmall,
	},
	{
		"min-replicas", Warning, "$1 $2 among $3 nodes", "After a failover the new master has too few replicas, and takes no writes until the dead host is back.", "write $1 0", minReplicas,
	},
	{
		"no-persistence", Warning, "neither save nor appendonly, and systemd restarts Redis", "After a crash it is back in a second, and empty: what the other node has is the only copy, and when both lose power there is none.",
		"take save \"\" out, or write appendonly yes", noPersistence,
	},
	{
		"config-folder-unwritable", Error, "$1 may not write $2", "CONFIG REWRITE makes a temporary file there: it fails, and a restart forgets the node's role and every CONFIG SET.",
		"chown $1: $2, or chmod g+w where its group is $1", configFolder,
	},
}

func redisProblems(kinds ...redisconf.ProblemKind) func(*Host) []hit {
	return func(h *Host) (hits []hit) {
		for _, f := range []*redisconf.File{h.Redis, h.Sentinel} {
			if f == nil {
				continue
			}
			for _, p := range f.Problems {
				if slices.Contains(kinds, p.Kind) {
					hits = append(hits, at(p.Position, p.Text))
				}
			}
		}
		return hits
	}
}

func unknownDirectives(h *Host) (hits []hit) {
	for _, f := range []*redisconf.File{h.Redis, h.Sentinel} {
		if f == nil {
			continue
		}
		for _, d := range f.Directives {
			if meant := redisconf.Meant(d.Name); meant != "" {
				hits = append(hits, at(d.Position, d.Name, meant))
			}
		}
	}
	return hits
}

// last is the directive that counts. A nil file has none.
func last(f *redisconf.File, names ...string) (redisconf.Directive, bool) {
	if f == nil {
		return redisconf.Directive{}, false
	}
	return f.Last(names...)
}

// password is the default user's, and where it is set.
func password(f *redisconf.File) (redisconf.Directive, bool) {
	d, found := last(f, "requirepass")
	return d, found && d.Arg(0) != ""
}

// DefaultPassword is the default user's by redis.conf; empty if there is none.
func (h *Host) DefaultPassword() string {
	d, _ := password(h.Redis)
	return d.Arg(0)
}

func noMasterauth(h *Host) []hit {
	d, found := password(h.Redis)
	if auth, has := last(h.Redis, "masterauth", "primaryauth"); !found || has && auth.Arg(0) != "" {
		return nil
	}
	return []hit{at(d.Position)}
}

// passwordsDiffer compares with the other host's file, or else with the node's own
// password, for they are the same on every host. It says none of them. A masteruser
// has a password of its own.
func passwordsDiffer(h *Host) []hit {
	auth, found := last(h.Redis, "masterauth", "primaryauth")
	if _, other := last(h.Redis, "masteruser", "primaryuser"); !found || other {
		return nil
	}
	there := h.Redis
	if h.Other.Redis != nil {
		there = h.Other.Redis
	}
	if d, has := password(there); has && d.Arg(0) != auth.Arg(0) {
		return []hit{at(auth.Position, there.File)}
	}
	return nil
}

func noPassword(h *Host) []hit {
	d, found := password(h.Redis)
	if g, known := h.group(); !found || !known || g.Password {
		return nil
	}
	return []hit{at(d.Position)}
}

func backlogSmall(h *Host) []hit {
	if h.Redis == nil {
		return nil
	}
	d, found := last(h.Redis, "repl-backlog-size")
	if !found {
		return []hit{at(h.Redis.Position, "is not set, and the default is 1mb")}
	}
	if bytes, ok := redisconf.Bytes(d.Arg(0)); ok && bytes < smallBacklog {
		return []hit{at(d.Position, d.Arg(0))}
	}
	return nil
}

func minReplicas(h *Host) []hit {
	d, found := last(h.Redis, "min-replicas-to-write", "min-slaves-to-write")
	g, known := h.group()
	n, err := strconv.Atoi(d.Arg(0))
	if !found || !known || err != nil || n == 0 || n < len(g.Nodes)-1 {
		return nil
	}
	return []hit{at(d.Position, d.Name, d.Arg(0), strconv.Itoa(len(g.Nodes)))}
}

// noPersistence believes that the unit restarts Redis, as the packages' units do, unless
// it is known that it does not.
func noPersistence(h *Host) []hit {
	if h.Redis == nil {
		return nil
	}
	if unit, known := h.unit(redisUnits); known && unit.Restart == "no" {
		return nil
	}
	if d, found := last(h.Redis, "appendonly"); found && strings.EqualFold(d.Arg(0), "yes") {
		return nil
	}
	var off *redisconf.Directive
	for _, d := range h.Redis.All("save") {
		off = nil
		if d.Arg(0) == "" {
			off = &d
		}
	}
	if off == nil {
		return nil
	}
	return []hit{at(off.Position)}
}

// redisUsers are the accounts that the packages run Redis as.
var redisUsers = []string{"redis", "valkey"}

func configFolder(h *Host) []hit {
	if h.Redis == nil || h.Copies {
		return nil
	}
	folder := h.Disk.Paths[folderOf(h.Redis.File)]
	name := ""
	if unit, known := h.unit(redisUnits); known {
		name = unit.User
	}
	for _, n := range redisUsers {
		if _, found := h.Disk.Users[n]; found && name == "" {
			name = n
		}
	}
	user, known := h.Disk.Users[name]
	if !known || !folder.Exists || folder.writableBy(user) {
		return nil
	}
	return []hit{at(h.Redis.Position, name, folderOf(h.Redis.File))}
}
