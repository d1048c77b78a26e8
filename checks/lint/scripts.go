package lint

import (
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"redis-vip/checks/lint/keepalived"
)

// The programs that keepalived and Sentinel call.
const (
	ourCheck   = "redis-check"
	ourMaster  = "notify-master"
	ourBackup  = "notify-backup"
	ourCommand = "redis-vip"
)

// notifyKeywords name a script that keepalived starts when the state changes.
var notifyKeywords = []string{"notify_master", "notify_backup", "notify_fault", "notify_stop", "notify_deleted", "notify", "notify_master_rx_lower_pri"}

// script is a program that keepalived calls.
type script struct {
	*keepalived.Statement          // where it is named
	what                  string   // "vrrp_script redis", "notify_master"
	program               []string // its path and arguments
	rest                  []string // the words after it
	user                  []string // user and group; empty: not said
}

func (s script) path() string { return s.program[0] }

// searched says whether keepalived looks for it along its PATH. "</path" is no program
// but a file to open.
func (s script) searched() bool { return !strings.Contains(s.path(), "/") }

func (s script) isFile() bool { return !s.searched() && !strings.HasPrefix(s.path(), "<") }

// isOurs says whether it is one of our programs, by its name.
func (s script) isOurs(name string) bool {
	return filepath.Base(s.path()) == name ||
		filepath.Base(s.path()) == ourCommand && len(s.program) > 1 && s.program[1] == name
}

// scripts lists the programs of all vrrp_scripts, instances and sync groups.
func scripts(f *keepalived.File) (list []script) {
	add := func(block, s *keepalived.Statement, what string, notify bool) {
		program, rest := s.Command()
		if len(program) == 0 || slices.ContainsFunc(program, keepalived.Open) {
			return
		}
		entry := script{Statement: s, what: what, program: program, rest: rest}
		if notify {
			entry.user = rest
		} else if user := block.Last("user"); user != nil {
			entry.user = user.Words[1:]
		}
		list = append(list, entry)
	}
	for _, block := range f.All("vrrp_script") {
		if s := block.Last("script"); s != nil {
			add(block, s, "vrrp_script "+block.Value(1), false)
		}
	}
	for _, block := range append(instances(f), f.All("vrrp_sync_group")...) {
		for _, keyword := range notifyKeywords {
			if list := block.All(keyword); len(list) > 0 {
				add(block, list[0], keyword, true)
			}
		}
	}
	return list
}

func callsOurs(f *keepalived.File) bool {
	return slices.ContainsFunc(scripts(f), func(s script) bool {
		return s.isOurs(ourCheck) || s.isOurs(ourMaster) || s.isOurs(ourBackup)
	})
}

func instances(f *keepalived.File) []*keepalived.Statement { return f.All("vrrp_instance") }

// trackedScripts are the lines of an instance's track_script.
func trackedScripts(v *keepalived.Statement) (list []*keepalived.Statement) {
	for _, block := range v.All("track_script") {
		list = append(list, block.Body...)
	}
	return list
}

// global is the last statement of global_defs with the keyword, or nil.
func global(f *keepalived.File, keyword string) (last *keepalived.Statement) {
	for _, block := range f.All("global_defs") {
		if s := block.Last(keyword); s != nil {
			last = s
		}
	}
	return last
}

// fallbackUser is whose rights scripts have without script_user, if there is such an
// account.
const fallbackUser = "keepalived_script"

// runsAs finds the account that a script runs as. It is not known if there is no such
// account, which is another rule's mistake.
func (h *Host) runsAs(s script) (name string, user User, known bool) {
	words := s.user
	if len(words) == 0 {
		words = h.scriptUser()
	}
	if len(words) == 0 {
		return "root", User{}, true
	}
	user, known = h.Disk.Users[words[0]]
	return words[0], user, known
}

// scriptUser are user and group of scripts that name none; empty means root.
func (h *Host) scriptUser() []string {
	if s := global(h.Keepalived, "script_user"); s != nil && len(s.Words) > 1 {
		return s.Words[1:]
	}
	if _, found := h.Disk.Users[fallbackUser]; found {
		return []string{fallbackUser}
	}
	return nil
}

// seconds reads a keyword's value in seconds; without one, it is the default.
func seconds(s *keepalived.Statement, standard time.Duration) (time.Duration, bool) {
	if s == nil {
		return standard, true
	}
	if keepalived.Open(s.Value(1)) {
		return 0, false
	}
	n, err := strconv.ParseFloat(s.Value(1), 64)
	if err != nil || n < 0 || n > 1e6 {
		return 0, false
	}
	return time.Duration(n * float64(time.Second)), true
}

func lineOf(s *keepalived.Statement) string { return strconv.Itoa(s.Line) }
