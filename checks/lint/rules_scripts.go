package lint

import (
	"slices"
	"strings"

	"redis-vip/checks/lint/keepalived"
)

// What becomes of a script that keepalived cannot use, in three ways.
const (
	droppedWhy = "keepalived drops a check that it cannot use, and the node becomes MASTER unchecked; of a hook it says nothing, not even with -t."
	noExecWhy  = "keepalived counts a check that cannot be executed as good, and says nothing of a hook: the VIP stays where Redis is dead."
)

var scriptRules = []rule{
	{
		"no-script-user", Warning, "no script_user",
		"Scripts run as root, which none of these needs.", "write script_user redis-vip redis into global_defs", noScriptUser,
	},
	{
		"script-user-required", Error, "enable_script_security without script_user",
		"keepalived drops every script that names no user of its own, and the node becomes MASTER unchecked.",
		"write script_user redis-vip redis into global_defs", scriptUserRequired,
	},
	{
		"no-script-security", Warning, "no enable_script_security",
		"keepalived runs scripts as root although somebody else may change them.", "write enable_script_security into global_defs", noScriptSecurity,
	},
	{
		"script-user-unknown", Error, "there is no user $1",
		"keepalived drops the scripts that shall run as $1, and the node becomes MASTER unchecked.",
		"create it (useradd --system --no-create-home --shell /usr/sbin/nologin $1), or name one that is there", scriptUserUnknown,
	},
	{
		"unquoted-arguments", Error, `keepalived takes "$1" for a user, and there is none such`,
		"Of a hook without quotes, the second word is a user and the third its group. keepalived drops the hook, and says nothing even with -t.",
		`put all of it into one pair of quotes: $2 "$3 …"`, unquotedArguments,
	},
	{
		"script-arguments-lost", Error, "the arguments of $1 are outside the quotes",
		"keepalived calls the script without them.", `put all of it into one pair of quotes: script "$1 …"`, argumentsLost,
	},
	{
		"script-missing", Error, "$1: there is no $2", droppedWhy, "install it there, or correct the path", scriptMissing,
	},
	{
		"script-not-executable", Error, "$1: $2 may not execute $3", droppedWhy, "chmod 0755 $3", scriptNotExecutable,
	},
	{
		"script-format", Error, "$1: $2 is $3", noExecWhy, "$4", scriptFormat,
	},
	{
		"script-insecure", Error, "$1: $2 $3, and $4 runs as root", droppedWhy,
		"chown root: $2 && chmod go-w $2, or let script_user be another than root", scriptInsecure,
	},
	{
		"script-writable", Warning, "$1: $2 $3", "Whoever may write there decides what keepalived runs as $4.", "chown root: $2 && chmod go-w $2", scriptWritable,
	},
	{
		"script-without-path", Warning, "$1: $2 has no path", "keepalived looks for it along its own PATH, which differs from yours.", "write the whole path", scriptWithoutPath,
	},
	{
		"process-check", Warning, "$1 only looks whether a process is there", "A Redis that hangs, loads or has lost its data has one too: it keeps the VIP.",
		`write script "/usr/lib/redis-vip/redis-check --heal"`, processCheck,
	},
}

func noScriptUser(h *Host) []hit {
	if !runsAsRoot(h) || global(h.Keepalived, "enable_script_security") != nil {
		return nil
	}
	return []hit{at(globalPlace(h.Keepalived))}
}

func scriptUserRequired(h *Host) []hit {
	security := global(h.Keepalived, "enable_script_security")
	if !runsAsRoot(h) || security == nil {
		return nil
	}
	return []hit{at(security.Position)}
}

// runsAsRoot says whether a script runs as root because nobody said otherwise.
func runsAsRoot(h *Host) bool {
	return len(h.scriptUser()) == 0 && slices.ContainsFunc(scripts(h.Keepalived), func(s script) bool { return len(s.user) == 0 })
}

func noScriptSecurity(h *Host) []hit {
	if global(h.Keepalived, "enable_script_security") != nil || len(scripts(h.Keepalived)) == 0 {
		return nil
	}
	return []hit{at(globalPlace(h.Keepalived))}
}

// globalPlace is where a missing line of global_defs would stand.
func globalPlace(f *keepalived.File) keepalived.Position {
	if list := f.All("global_defs"); len(list) > 0 {
		return list[0].Position
	}
	return f.Position
}

func scriptUserUnknown(h *Host) (hits []hit) {
	check := func(s *keepalived.Statement, user string) {
		if _, found := h.Disk.Users[user]; !found && user != "" && !keepalived.Open(user) {
			hits = append(hits, at(s.Position, user))
		}
	}
	check(global(h.Keepalived, "script_user"), global(h.Keepalived, "script_user").Value(1))
	for _, block := range h.Keepalived.All("vrrp_script") {
		check(block.Last("user"), block.Last("user").Value(1))
	}
	return hits
}

func unquotedArguments(h *Host) (hits []hit) {
	for _, s := range scripts(h.Keepalived) {
		if strings.HasPrefix(s.what, "vrrp_script") || len(s.rest) == 0 {
			continue
		}
		if _, found := h.Disk.Users[s.rest[0]]; !found || len(s.rest) > 2 {
			hits = append(hits, at(s.Position, s.rest[0], s.what, s.path()))
		}
	}
	return hits
}

func argumentsLost(h *Host) (hits []hit) {
	for _, s := range scripts(h.Keepalived) {
		if strings.HasPrefix(s.what, "vrrp_script") && len(s.rest) > 0 {
			hits = append(hits, at(s.Position, s.path()))
		}
	}
	return hits
}

// files are the scripts that have a path, once each, with what is there.
func (h *Host) files(visit func(s script, p Path, userName string, user User, known bool)) {
	seen := map[string]bool{}
	for _, s := range scripts(h.Keepalived) {
		if !s.isFile() || seen[s.path()] {
			continue
		}
		seen[s.path()] = true
		name, user, known := h.runsAs(s)
		visit(s, h.Disk.Paths[s.path()], name, user, known)
	}
}

func scriptMissing(h *Host) (hits []hit) {
	h.files(func(s script, p Path, _ string, _ User, _ bool) {
		if !p.Exists {
			hits = append(hits, at(s.Position, s.what, s.path()))
		}
	})
	return hits
}

func scriptNotExecutable(h *Host) (hits []hit) {
	h.files(func(s script, p Path, name string, user User, known bool) {
		if p.Exists && known && (!p.executableBy(user) || !p.Mode.IsRegular()) {
			hits = append(hits, at(s.Position, s.what, name, s.path()))
		}
	})
	return hits
}

func scriptFormat(h *Host) (hits []hit) {
	h.files(func(s script, p Path, _ string, _ User, _ bool) {
		if what, fix := p.badFormat(); what != "" {
			hits = append(hits, at(s.Position, s.what, s.path(), what, fix))
		}
	})
	return hits
}

// badFormat says what a file is that the kernel does not run, and what to do.
func (p Path) badFormat() (what, fix string) {
	switch {
	case !p.Exists || !p.Mode.IsRegular():
		return "", ""
	case p.Format == NoProgram:
		return "no program for this machine", "install the one for this machine, or begin the script with #!/bin/sh"
	case p.Format == Script && p.Interpreter == "":
		return "a script whose interpreter is not there", "correct its first line"
	}
	return "", ""
}

func scriptInsecure(h *Host) (hits []hit) {
	h.files(func(s script, p Path, _ string, user User, known bool) {
		secured := global(h.Keepalived, "enable_script_security") != nil
		if p.Exists && p.Loose != "" && known && (user.UID == 0 || user.GID == 0) && secured {
			hits = append(hits, at(s.Position, s.what, p.Loose, p.LooseFor, s.path()))
		}
	})
	return hits
}

func scriptWritable(h *Host) (hits []hit) {
	h.files(func(s script, p Path, name string, user User, known bool) {
		secured := global(h.Keepalived, "enable_script_security") != nil
		if p.Exists && p.Loose != "" && (!known || user.UID != 0 && user.GID != 0 || !secured) {
			hits = append(hits, at(s.Position, s.what, p.Loose, p.LooseFor, name))
		}
	})
	return hits
}

func scriptWithoutPath(h *Host) (hits []hit) {
	for _, s := range scripts(h.Keepalived) {
		if s.searched() {
			hits = append(hits, at(s.Position, s.what, s.path()))
		}
	}
	return hits
}

func processCheck(h *Host) (hits []hit) {
	for _, s := range scripts(h.Keepalived) {
		base := s.path()[strings.LastIndexByte(s.path(), '/')+1:]
		signalled := (base == "killall" || base == "pkill" || base == "kill") && slices.Contains(s.program, "-0")
		if strings.HasPrefix(s.what, "vrrp_script") && (signalled || base == "pidof" || base == "pgrep") {
			hits = append(hits, at(s.Position, s.what))
		}
	}
	return hits
}
