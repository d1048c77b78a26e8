package program

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"redis-vip/checks"
	"redis-vip/checks/node"
	"redis-vip/cmd/internal/screen"
)

// margin is where the text of a field begins.
const margin = 12

// print shows the report so that the end, which is next to the prompt, is what counts:
// the verdict, and what to do.
func (r report) print(s *screen.Screen) error {
	r.nodes(s)
	s.Printf("\n")
	r.vip(s)
	if r.Sentinels != nil {
		r.sentinels(s)
	}
	r.third(s)
	r.host(s)
	s.Printf("\n")
	r.rules(s)
	s.Printf("\n")
	r.verdict(s)
	return s.Err
}

func (r report) nodes(s *screen.Screen) {
	table := screen.Table{Head: []string{"NODE", "ROLE", "FOLLOWS", "LINK", "OFFSET", "KEYS"}}
	for i, n := range append([]checks.Node{r.Facts.Node}, r.Facts.Peers...) {
		name := screen.Cell{Text: n.Addr.String()}
		if i == 0 {
			name.Text += " (here)"
		}
		if n.Role == node.NoRole {
			table.Say(name, screen.Cell{Text: said(n.Facts), Colour: screen.Red})
			continue
		}
		follows, link := "-", screen.Cell{Text: "-"}
		if n.Role == node.Replica {
			follows, link = fmt.Sprintf("%s:%d", n.Upstream.Host, n.Upstream.Port), linkOf(n)
		}
		table.Row(name, screen.Cell{Text: n.Role.String(), Colour: map[bool]screen.Colour{true: screen.Bold}[n.Role == node.Master]},
			screen.Cell{Text: follows}, link, screen.Cell{Text: fmt.Sprint(n.Offset)}, screen.Cell{Text: fmt.Sprint(n.Keys)})
		if n.Class != node.Alive {
			table.Detail(screen.Cell{Text: said(n.Facts), Colour: screen.Yellow})
		}
	}
	table.Print(s)
}

// said is what a server does, and in what words, where those say more.
func said(f node.Facts) string {
	switch f.Class {
	case node.Unreachable, node.Garbage, node.Untrusted, node.NoPerm, node.Misconf:
		return strings.TrimSuffix(f.Class.Sentence()+": "+f.Problem, ": ")
	}
	return f.Class.Sentence()
}

func linkOf(n checks.Node) screen.Cell {
	u := n.Upstream
	switch {
	case u.Syncing:
		return screen.Cell{Text: u.Link(), Colour: screen.Yellow}
	case u.Up && u.LastIO > checks.Silence:
		return screen.Cell{Text: "silent " + roughly(u.LastIO), Colour: screen.Red}
	case u.Up:
		return screen.Cell{Text: u.Link(), Colour: screen.Green}
	case u.DownSince >= 0:
		return screen.Cell{Text: u.Link() + " " + roughly(u.DownSince), Colour: screen.Red}
	default: // it never was up
		return screen.Cell{Text: u.Link(), Colour: screen.Red}
	}
}

// roughly is a time that is told in whole seconds.
func roughly(d time.Duration) string {
	switch {
	case d < 2*time.Minute:
		return fmt.Sprintf("%d s", d/time.Second)
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min", d/time.Minute)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", d/time.Hour)
	default:
		return fmt.Sprintf("%d days", d/(24*time.Hour))
	}
}

func (r report) vip(s *screen.Screen) {
	var names []string
	for _, vip := range r.VIPs {
		names = append(names, vip.String())
	}
	text, colour := strings.Join(names, ", ")+" of "+r.Group, screen.Plain
	switch {
	case len(names) == 0 && r.Sentinels != nil:
		text = "none in the configuration of " + r.Group
	case len(names) == 0:
		text = "none in the configuration of " + r.Group + ": keepalived's events decide"
	case r.Facts.VIP == checks.Unasked:
		text, colour = text+" is not known to be here or not", screen.Red
	case r.Facts.VIP == checks.Here:
		text, colour = text+" is here", screen.Green
	case r.Facts.Holder == "" && slices.ContainsFunc(r.Facts.Peers, func(n checks.Node) bool { return n.Class.Answers() && n.Role == node.NoRole }):
		text += " is not here; who has it is not known"
	case r.Facts.Holder == "":
		text, colour = text+" is not here, and no Redis answers there", screen.Yellow
	default:
		text += " is not here; " + r.holder() + " answers there"
	}
	if r.Sentinels == nil && r.Verdict.Goal != checks.NoGoal {
		text += fmt.Sprintf(": this node should be a %s", r.Verdict.Goal)
	}
	s.Field("VIP", margin, colour, text)
	if r.Facts.Contested {
		s.Field("", margin, screen.Red, "keepalived hears another node announce it")
	}
}

func (r report) holder() string {
	for _, peer := range r.Facts.Peers {
		if peer.RunID == r.Facts.Holder {
			return peer.Addr.String()
		}
	}
	return "a Redis that is none of the nodes"
}

// courses say what a host under Sentinel has to do, with a VIP and without; the others say
// why by themselves.
var courses = map[bool]map[checks.Course]string{
	true: {
		checks.Serve: "the VIP belongs here",
		checks.Yield: "the VIP belongs there, and Redis here has to follow it",
		checks.Fence: "the VIP has to go, and writers have to wait",
	},
	false: {
		checks.Yield: "Redis here has to follow it",
		checks.Fence: "writers here have to wait",
	},
}

func (r report) sentinels(s *screen.Screen) {
	votes, reached, colour := make(map[string]int), 0, screen.Plain
	for _, a := range r.Sentinels.Answers {
		if a.Problem == "" {
			reached++
			votes[a.Master.String()]++
		}
	}
	text := fmt.Sprintf("%d of %d answer", reached, len(r.Sentinels.Answers))
	switch m := r.Sentinels.Master; {
	case !m.IsValid():
		text, colour = text+", and no master has a majority", screen.Red
	case m == r.Facts.Addr:
		text += fmt.Sprintf(", %d name this node", votes[m.String()])
	default:
		text += fmt.Sprintf(", %d name %s", votes[m.String()], m)
	}
	if course := cmp.Or(courses[len(r.VIPs) > 0][r.Sentinels.Course], r.Sentinels.Why); course != "" {
		text += ": " + course
	}
	s.Field("Sentinels", margin, colour, text)
	for _, a := range r.Sentinels.Answers {
		switch {
		case a.Problem != "":
			s.Field("", margin, screen.Yellow, a.Sentinel.String()+": "+a.Problem)
		case a.Master != r.Sentinels.Master:
			s.Field("", margin, screen.Yellow, a.Sentinel.String()+" names "+a.Master.String())
		}
		if a.Failover {
			s.Field("", margin, screen.Yellow, a.Sentinel.String()+" is in the middle of a failover")
		}
	}
}

// third is what tells "the other node is dead" from "this one is cut off".
func (r report) third(s *screen.Screen) {
	if r.Facts.Gateway != checks.NoGateway {
		s.Field("Gateway", margin, map[bool]screen.Colour{true: screen.Red}[r.Facts.Gateway == checks.GatewaySilent], r.Facts.Gateway.String())
	}
	l := r.Facts.Lease
	if l.Witnesses == 0 {
		return
	}
	text, colour := fmt.Sprintf("%s; %d of %d witnesses answer", r.lease(), l.Reached, l.Witnesses), screen.Plain
	if l.Problem != "" {
		text, colour = text+": "+l.Problem, screen.Yellow
	}
	s.Field("Lease", margin, colour, text)
	s.Field("Votes", margin, screen.Plain, r.votes())
}

// lease says who has it.
func (r report) lease() string {
	switch l := r.Facts.Lease; {
	case l.Mine:
		return fmt.Sprintf("this node has it, for %.1f s more", l.Left.Seconds())
	case l.Other != "":
		return fmt.Sprintf("%s has it, and renewed it %.1f s ago", l.Other, l.Age.Seconds())
	case !l.Majority():
		return "nobody knows who has it"
	default:
		return "nobody has it"
	}
}

// votes says whether this node may take writes, or could.
func (r report) votes() string {
	switch f := r.Facts; {
	case f.Role == node.NoRole:
		return "this node's Redis does not say what it is, and has no vote"
	case f.Role == node.Master && f.Entitled():
		return "this node has two of three, and may take writes"
	case f.Role == node.Master:
		return "this node has one of three, and must not take writes"
	case f.Succeeds():
		return "the other node is no master: with this one's own, that is two of three"
	case f.Lease.Other == "" && f.Lease.Majority():
		return "the lease is free: with this node's own, that would be two of three"
	default:
		return "this node has one of three, and cannot become the master unless the old one hands over"
	}
}

// host is what else is so here.
func (r report) host(s *screen.Screen) {
	if m := r.Facts.Memory; m.Role != node.NoRole {
		text := fmt.Sprintf("%s, offset %d, %d keys, at %s", m.Role, m.Offset, m.Keys, m.At.Local().Format(time.DateTime))
		if m.Role == node.Master && m.Online {
			text += ", with a replica that may have succeeded it"
		}
		s.Field("Remembers", margin, screen.Plain, text)
	}
	if r.Maintenance {
		s.Field("Maintenance", margin, screen.Yellow, "on")
	}
	if r.Fenced {
		s.Field("Writers", margin, screen.Red, "wait: a hook has stopped them, or this node has too few votes, or is cut off from the Sentinels")
	}
	if r.Waiting > 0 {
		s.Field("Preserved", margin, screen.Yellow, fmt.Sprintf("%d files on this host wait to be replayed", r.Waiting))
	}
	for _, problem := range r.Problems {
		s.Field("Problem", margin, screen.Red, problem)
	}
}

func (r report) rules(s *screen.Screen) {
	var passed, open []string
	decided := r.Rules[len(r.Rules)-1]
	for i, rule := range checks.Rules {
		switch {
		case i < len(r.Rules)-1:
			passed = append(passed, rule.Name)
		case i >= len(r.Rules):
			open = append(open, rule.Name)
		}
	}
	if len(passed) > 0 {
		s.Field("No objection", margin+2, screen.Plain, strings.Join(passed, ", "))
	}
	s.Field("Decided", margin+2, map[bool]screen.Colour{true: screen.Red}[!r.Verdict.Fit], decided.Name+": "+decided.Answer.String())
	if len(open) > 0 {
		s.Field("Not asked", margin+2, screen.Dim, strings.Join(open, ", "))
	}
}

func (r report) verdict(s *screen.Screen) {
	word, colour := "UNFIT", screen.Red
	if r.Verdict.Fit {
		word, colour = "FIT", screen.Green
	}
	head := fmt.Sprintf("%s (%s):", word, r.Verdict.Reason)
	for i, line := range screen.Fold(head+" "+r.Because, screen.Width) {
		if rest, found := strings.CutPrefix(line, head); i == 0 && found {
			line = s.Paint(colour, head) + rest
		}
		s.Printf("%s\n", line)
	}
	if r.Verdict.Drift {
		s.Field("DRIFT:", len("DRIFT: "), screen.Yellow, fmt.Sprintf("it is a %s, and should be a %s.", r.role(), r.Verdict.Goal))
	}
	todo := r.todo()
	if len(todo) == 0 {
		todo = []string{"nothing."}
	}
	for i, line := range todo {
		s.Field(map[bool]string{true: "What to do:"}[i == 0], margin, screen.Plain, line)
	}
}

func (r report) role() string {
	if r.Facts.Role == node.Replica {
		return fmt.Sprintf("replica of %s:%d", r.Facts.Upstream.Host, r.Facts.Upstream.Port)
	}
	return r.Facts.Role.String()
}
