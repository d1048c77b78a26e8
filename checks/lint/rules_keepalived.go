package lint

import (
	"slices"
	"strings"

	"redis-vip/checks/lint/keepalived"
)

var keepalivedRules = []rule{
	{
		"unknown-keyword", Error, `unknown keyword "$1"`,
		"keepalived passes over the line. Of a block it passes over the first line only, and the } then ends the block around it.",
		"$2", unknownKeywords,
	},
	{
		"open-quote", Error, "the quote after $1 is not closed",
		"keepalived cuts the line short.", `close it: "…"`, problems(keepalived.OpenQuote),
	},
	{
		"open-block", Error, "the block is not closed: $1",
		"All that follows belongs to it, and means something else there.", "write the missing }", problems(keepalived.OpenBlock),
	},
	{
		"extra-brace", Error, "$1 is one too many",
		"It ends a block that was meant to go on, or begins one that has no name.", "take it out, or find the one that is missing above",
		problems(keepalived.ExtraClose, keepalived.ExtraOpen),
	},
	{
		"include-missing", Error, "no such file: $1",
		"keepalived goes on without it, and keepalived -t exits 0.", "correct the path, or take the line out", problems(keepalived.MissingInclude),
	},
	{
		"include-unreadable", Error, "cannot read $1", "What it says was not looked at.", "run this as root", problems(keepalived.UnreadableInclude),
	},
	{
		"include-loop", Error, "$1 is included again, or too deep", "keepalived would read it until it has no file descriptor left.", "take the line out",
		problems(keepalived.IncludeLoop),
	},
	{
		"too-large", Error, "there is more in $1 than is looked at", "The rest may hold any mistake.", "take apart what grew so large", problems(keepalived.TooLarge),
	},
	{
		"empty-configuration", Error, "there is no vrrp_instance",
		"keepalived starts, does nothing, and says nothing: the VIP is nowhere.", "write a vrrp_instance, or name the right file", emptyConfiguration,
	},
	{
		"wrong-host-name", Error, "no @ line is for $1, only for $2",
		"keepalived passes over all of them: priority and addresses of this host are missing.",
		"write @$1, the part of `uname -n` up to the first dot (or say --config-id NAME here, if keepalived runs with -i NAME)", wrongHostName,
	},
	{
		"given-twice", Warning, "$1 is given twice in this block, first in line $2",
		"Only one of them counts: the $3.", "take out the one that you do not mean", givenTwice,
	},
	{
		"nopreempt-with-master", Error, "nopreempt does not work with state MASTER",
		"keepalived clears it with a line in the log: a node that returns takes the VIP back at once.", "write state BACKUP, on both hosts", nopreemptWithMaster,
	},
	{
		"nopreempt-with-weight", Error, "nopreempt with a weight of $1 for $2",
		"A failing check only lowers the priority then, and nopreempt keeps the other node from taking over: the VIP stays where Redis is dead.",
		"write weight 0: a failing check means FAULT", nopreemptWithWeight,
	},
	{
		"auth-pass-long", Warning, "auth_pass has more than 8 characters", "keepalived uses the first 8.", "write 8 characters at the most", authPassLong,
	},
}

// problems is the rule of what the reader of keepalived.conf could not read.
func problems(kinds ...keepalived.ProblemKind) func(*Host) []hit {
	return func(h *Host) (hits []hit) {
		if h.Keepalived == nil {
			return nil
		}
		for _, p := range h.Keepalived.Problems {
			if slices.Contains(kinds, p.Kind) {
				hits = append(hits, at(p.Position, p.Text))
			}
		}
		return hits
	}
}

func unknownKeywords(h *Host) (hits []hit) {
	if h.Keepalived == nil {
		return nil
	}
	h.Keepalived.Walk(func(block string, s *keepalived.Statement) {
		if s.Known {
			return
		}
		fix := "take it out, or look it up in keepalived.conf(5)"
		if s.Keyword != "" {
			fix = "write " + s.Keyword
		}
		hits = append(hits, at(s.Position, s.Words[0], fix))
	})
	return hits
}

func emptyConfiguration(h *Host) []hit {
	if h.Keepalived == nil || len(h.Keepalived.All("vrrp_instance")) > 0 {
		return nil
	}
	return []hit{at(h.Keepalived.Position)}
}

func wrongHostName(h *Host) []hit {
	f := h.Keepalived
	if f == nil || f.ID == "" || len(f.Names) == 0 || slices.Contains(f.Names, f.ID) {
		return nil
	}
	return []hit{at(f.Position, f.ID, strings.Join(f.Names, ", "))}
}

// once are the keywords that count once; for those of notify scripts the first one
// counts (vrrp_parser.c), for all others the last.
var once = map[string][]string{
	"vrrp_script": {"script", "interval", "timeout", "weight", "rise", "fall", "user"},
	"vrrp_instance": {
		"state", "interface", "virtual_router_id", "priority", "advert_int", "unicast_src_ip", "authentication",
		"notify_master", "notify_backup", "notify_fault", "notify_stop", "notify",
	},
	"global_defs": {"script_user"},
}

func givenTwice(h *Host) (hits []hit) {
	if h.Keepalived == nil {
		return nil
	}
	for _, s := range h.Keepalived.Statements {
		for _, keyword := range once[s.Keyword] {
			list := s.All(keyword)
			if len(list) < 2 {
				continue
			}
			counts := "last"
			if strings.HasPrefix(keyword, "notify") {
				counts = "first"
			}
			hits = append(hits, at(list[1].Position, keyword, lineOf(list[0]), counts))
		}
	}
	return hits
}

func nopreemptWithMaster(h *Host) (hits []hit) {
	for _, v := range instances(h.Keepalived) {
		if state := v.Last("state"); v.Last("nopreempt") != nil && state.Value(1) == "MASTER" {
			hits = append(hits, at(state.Position))
		}
	}
	return hits
}

func nopreemptWithWeight(h *Host) (hits []hit) {
	for _, v := range instances(h.Keepalived) {
		if v.Last("nopreempt") == nil {
			continue
		}
		for _, tracked := range trackedScripts(v) {
			name := tracked.Words[0]
			if tracked.Value(1) == "weight" {
				if weighs(tracked.Value(2)) {
					hits = append(hits, at(tracked.Position, tracked.Value(2), name))
				}
				continue
			}
			for _, s := range h.Keepalived.All("vrrp_script") {
				if weight := s.Last("weight"); s.Value(1) == name && weighs(weight.Value(1)) {
					hits = append(hits, at(weight.Position, weight.Value(1), name))
				}
			}
		}
	}
	return hits
}

func weighs(weight string) bool { return strings.Trim(weight, "+-0") != "" && !keepalived.Open(weight) }

func authPassLong(h *Host) (hits []hit) {
	for _, v := range instances(h.Keepalived) {
		if pass := v.Last("authentication").Last("auth_pass"); len(pass.Value(1)) > 8 {
			hits = append(hits, at(pass.Position))
		}
	}
	return hits
}
