package lint

import (
	"fmt"
	"slices"
	"strings"

	"redis-vip/checks/lint/keepalived"
)

var hookRules = []rule{
	{
		"notify-missing", Error, "no $1, but $2",
		"keepalived calls notify_fault, and not notify_backup, when the check of a MASTER fails; only notify_stop when it is stopped; notify_backup when it comes back. Where one is missing, a second master stays.",
		`write $1 "$3"`, notifyMissing,
	},
	{
		"no-check", Error, "$1 tracks nothing", "Nobody looks whether Redis lives: a dead one keeps the VIP.", "write track_script { redis }", noCheck,
	},
	{
		"track-script-unknown", Error, "there is no vrrp_script $1", "keepalived passes over it: nothing is checked.", "$2", trackScriptUnknown,
	},
	{
		"script-unused", Warning, "no instance tracks vrrp_script $1", "It is not run.", "write track_script { $1 } into the vrrp_instance", scriptUnused,
	},
}

// needed are the hooks that belong together, and which of our programs serves each.
var needed = []struct{ keyword, program string }{
	{"notify_master", "/usr/lib/redis-vip/notify-master"},
	{"notify_backup", "/usr/lib/redis-vip/notify-backup"},
	{"notify_fault", "/usr/lib/redis-vip/notify-backup"},
	{"notify_stop", "/usr/lib/redis-vip/notify-backup"},
}

func notifyMissing(h *Host) (hits []hit) {
	f := h.Keepalived
	if global(f, "notify_fifo") != nil || global(f, "vrrp_notify_fifo") != nil {
		return nil
	}
	for _, v := range instances(f) {
		has := func(keyword string) *keepalived.Statement {
			for _, block := range append(syncGroups(f, v.Value(1)), v) {
				if s := block.Last(keyword); s != nil {
					return s
				}
			}
			return nil
		}
		master := has("notify_master")
		if has("notify") != nil || master == nil && has("notify_backup") == nil {
			continue
		}
		there := "notify_master"
		if master == nil {
			there = "notify_backup"
		}
		for _, n := range needed {
			if has(n.keyword) == nil {
				hits = append(hits, at(v.Position, n.keyword, there, n.program))
			}
		}
	}
	return hits
}

// syncGroups are the groups that an instance belongs to.
func syncGroups(f *keepalived.File, instance string) (list []*keepalived.Statement) {
	for _, g := range f.All("vrrp_sync_group") {
		for _, members := range g.All("group") {
			if slices.ContainsFunc(members.Body, func(s *keepalived.Statement) bool { return slices.Contains(s.Words, instance) }) {
				list = append(list, g)
			}
		}
	}
	return list
}

func noCheck(h *Host) (hits []hit) {
	for _, v := range instances(h.Keepalived) {
		if v.Last("notify_master") == nil && v.Last("notify") == nil {
			continue
		}
		tracks := func(block *keepalived.Statement) bool {
			return block.Last("track_script") != nil || block.Last("track_process") != nil
		}
		if !tracks(v) && !slices.ContainsFunc(syncGroups(h.Keepalived, v.Value(1)), tracks) {
			hits = append(hits, at(v.Position, fmt.Sprintf("vrrp_instance %s", v.Value(1))))
		}
	}
	return hits
}

func trackScriptUnknown(h *Host) (hits []hit) {
	var names []string
	for _, s := range h.Keepalived.All("vrrp_script") {
		names = append(names, s.Value(1))
	}
	for _, tracked := range allTracked(h.Keepalived) {
		if name := tracked.Words[0]; !slices.Contains(names, name) && !keepalived.Open(name) && !slices.ContainsFunc(names, keepalived.Open) {
			fix := "write vrrp_script " + name + " { … }"
			if len(names) > 0 {
				fix = "write one of these: " + strings.Join(names, ", ")
			}
			hits = append(hits, at(tracked.Position, name, fix))
		}
	}
	return hits
}

func scriptUnused(h *Host) (hits []hit) {
	tracked := allTracked(h.Keepalived)
	// A misspelled name is one mistake, not two.
	if len(trackScriptUnknown(h)) > 0 || slices.ContainsFunc(tracked, func(s *keepalived.Statement) bool { return keepalived.Open(s.Words[0]) }) {
		return nil
	}
	for _, s := range h.Keepalived.All("vrrp_script") {
		name := s.Value(1)
		if !slices.ContainsFunc(tracked, func(s *keepalived.Statement) bool { return s.Words[0] == name }) && !keepalived.Open(name) && len(noCheck(h)) == 0 {
			hits = append(hits, at(s.Position, name))
		}
	}
	return hits
}

func allTracked(f *keepalived.File) (list []*keepalived.Statement) {
	for _, block := range append(instances(f), f.All("vrrp_sync_group")...) {
		list = append(list, trackedScripts(block)...)
	}
	return list
}
