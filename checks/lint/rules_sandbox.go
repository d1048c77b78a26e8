package lint

import (
	"path/filepath"
	"strings"

	"redis-vip/checks/lint/redisconf"
)

var sandboxRules = []rule{
	{
		"timer-off", Warning, "group $1 is under Sentinel, and redis-vip-reconcile.timer does not run here",
		"Only Sentinel's script rings then: a master that has restarted stays a replica, and one that is cut off goes on.",
		"systemctl enable --now redis-vip-reconcile.socket redis-vip-reconcile.timer", timerOff,
	},
	{
		"no-reconfig-script", Warning, "no client-reconfig-script for $1", "What has to follow the new master, the VIP or the old master, does so only when the timer looks, up to 2 s later.",
		"write sentinel client-reconfig-script $1 /usr/lib/redis-vip/sentinel-reconfig", noReconfigScript,
	},
	{
		"sentinel-script-missing", Error, "there is no $1", "Sentinel does not start: at the next restart, not before. Until then each run fails.", "install it there, or correct the path", sentinelScriptMissing,
	},
	{
		"sentinel-script-not-executable", Error, "$1 may not execute $2", "Sentinel does not start: at the next restart, not before. Until then each run fails.", "chmod 0755 $2", sentinelScriptNotExecutable,
	},
	{
		"sentinel-script-format", Error, "$1 is $2", "Sentinel's log says -script-error and nothing of the cause: the VIP does not follow the master.", "$3", sentinelScriptFormat,
	},
	{
		"sentinel-script-writable", Warning, "$1 $2", "Whoever may write there decides what Sentinel runs, as a user that may change every Redis.", "chown root: $1 && chmod go-w $1", sentinelScriptWritable,
	},
	{
		"sentinel-script-sandbox", Error, "the sandbox of $1 does not let $2 run",
		"Its unit says NoExecPaths=$3 and ExecPaths=$4. Sentinel's log says -script-error and nothing of the cause: the VIP does not follow the master.",
		"use a static binary below /usr/lib: sentinel client-reconfig-script $5 /usr/lib/redis-vip/sentinel-reconfig", sentinelScriptSandbox,
	},
	{
		"sentinel-script-interpreter", Error, "the sandbox of $1 does not let $2 run, the interpreter of $3",
		"Its unit says NoExecPaths=$4 and ExecPaths=$5: no shell script can start there. Sentinel's log says -script-error and nothing of the cause: the VIP does not follow the master.",
		"use a static binary below /usr/lib: sentinel client-reconfig-script $6 /usr/lib/redis-vip/sentinel-reconfig", sentinelScriptInterpreter,
	},
}

// Unit is what systemd knows of a service.
type Unit struct {
	Name        string
	Active      bool
	User        string
	Restart     string
	NoExecPaths []string
	ExecPaths   []string
}

// reconcileTimer is ours.
const reconcileTimer = "redis-vip-reconcile.timer"

// The units of the packages.
var (
	redisUnits    = []string{"redis-server", "redis", "valkey-server", "valkey"}
	sentinelUnits = []string{"redis-sentinel", "valkey-sentinel"}
)

// unit is the first of the names that the host has.
func (h *Host) unit(names []string) (Unit, bool) {
	for _, name := range names {
		if unit, found := h.Units[name]; found {
			return unit, true
		}
	}
	return Unit{}, false
}

// executes says whether the unit's programs may execute the file: the deepest folder
// that is named decides (systemd.exec(5), NoExecPaths=).
func (u Unit) executes(path string) bool {
	return depth(path, u.ExecPaths) >= depth(path, u.NoExecPaths)
}

// depth is the length of the longest of the folders that hold the path; 0: none does.
func depth(path string, folders []string) (deepest int) {
	for _, folder := range folders {
		folder = strings.TrimSuffix(strings.TrimLeft(folder, "-+"), "/")
		if path == folder || strings.HasPrefix(path, folder+"/") {
			deepest = max(deepest, len(folder)+1)
		}
	}
	return deepest
}

// sentinelScripts visits the scripts that Sentinel runs.
func (h *Host) sentinelScripts(visit func(d redisconf.Directive, path string, p Path)) {
	if h.Sentinel == nil {
		return
	}
	for _, option := range []string{"client-reconfig-script", "notification-script"} {
		for _, d := range h.Sentinel.Of(option, "") {
			if path := d.Arg(2); path != "" {
				visit(d, path, h.Disk.Paths[path])
			}
		}
	}
}

func timerOff(h *Host) (hits []hit) {
	timer, installed := h.Units[reconcileTimer]
	for _, g := range h.Groups {
		if installed && !timer.Active && len(g.Sentinels) > 0 && g.Self.IsValid() {
			hits = append(hits, at(g.at("sentinels"), g.Name))
		}
	}
	return hits
}

func noReconfigScript(h *Host) (hits []hit) {
	for _, m := range monitors(h) {
		if len(m.group.Sentinels) > 0 && len(h.Sentinel.Of("client-reconfig-script", m.name)) == 0 && len(unknownOptions(h)) == 0 {
			hits = append(hits, at(m.Position, m.name))
		}
	}
	return hits
}

func sentinelScriptMissing(h *Host) (hits []hit) {
	h.sentinelScripts(func(d redisconf.Directive, path string, p Path) {
		if !p.Exists {
			hits = append(hits, at(d.Position, path))
		}
	})
	return hits
}

func sentinelScriptNotExecutable(h *Host) (hits []hit) {
	name := redisUsers[0]
	if unit, known := h.unit(sentinelUnits); known && unit.User != "" {
		name = unit.User
	}
	user, known := h.Disk.Users[name]
	h.sentinelScripts(func(d redisconf.Directive, path string, p Path) {
		if p.Exists && known && (!p.executableBy(user) || !p.Mode.IsRegular()) {
			hits = append(hits, at(d.Position, name, path))
		}
	})
	return hits
}

func sentinelScriptFormat(h *Host) (hits []hit) {
	h.sentinelScripts(func(d redisconf.Directive, path string, p Path) {
		if what, fix := p.badFormat(); what != "" {
			hits = append(hits, at(d.Position, path, what, fix))
		}
	})
	return hits
}

func sentinelScriptWritable(h *Host) (hits []hit) {
	h.sentinelScripts(func(d redisconf.Directive, _ string, p Path) {
		if p.Exists && p.Loose != "" {
			hits = append(hits, at(d.Position, p.Loose, p.LooseFor))
		}
	})
	return hits
}

func sentinelScriptSandbox(h *Host) (hits []hit) {
	unit, known := h.unit(sentinelUnits)
	h.sentinelScripts(func(d redisconf.Directive, path string, p Path) {
		if known && p.Exists && !unit.executes(p.Real) {
			hits = append(hits, at(d.Position, unit.Name+".service", path, strings.Join(unit.NoExecPaths, " "), strings.Join(unit.ExecPaths, " "), d.Arg(1)))
		}
	})
	return hits
}

func sentinelScriptInterpreter(h *Host) (hits []hit) {
	unit, known := h.unit(sentinelUnits)
	h.sentinelScripts(func(d redisconf.Directive, path string, p Path) {
		if known && p.Exists && unit.executes(p.Real) && p.Interpreter != "" && !unit.executes(p.Interpreter) {
			hits = append(hits, at(d.Position, unit.Name+".service", p.Interpreter, path, strings.Join(unit.NoExecPaths, " "), strings.Join(unit.ExecPaths, " "), d.Arg(1)))
		}
	})
	return hits
}

func folderOf(path string) string { return filepath.Dir(path) }

func joinTexts(list []string) string { return strings.Join(list, ", ") }
