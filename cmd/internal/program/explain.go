package program

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"sync"
	"text/tabwriter"
	"time"

	"redis-vip/checks"
	"redis-vip/checks/node"
	"redis-vip/hooks"

	"github.com/urfave/cli/v2"
)

func explainCommand() *cli.Command {
	return &cli.Command{
		Name:  "explain",
		Usage: "show what redis-check sees here, and why it says what it says",
		Flags: common(
			&cli.StringFlag{Name: "expect", Value: "any", EnvVars: []string{"REDIS_VIP_EXPECT"}, Usage: "judge as for this `ROLE`: master, replica or any"},
			&cli.BoolFlag{Name: "json", Usage: "for programs"},
		),
		Action: func(c *cli.Context) error {
			var policy checks.Policy
			if err := policy.Expect.UnmarshalText([]byte(c.String("expect"))); err != nil {
				return usage("--expect or REDIS_VIP_EXPECT: %w", err)
			}
			seat, err := sit(overrides(c), true)
			if err != nil {
				return err
			}
			return Explain{
				Group: seat.Name, Self: seat.local(), Others: seat.others(), VIPs: seat.VIPs,
				Where: seat.where, Policy: policy, Out: c.App.Writer, JSON: c.Bool("json"),
				Timeout: seat.Timeout,
			}.Run(c.Context)
		},
	}
}

// Explain shows the facts and each rule's answer to them.
type Explain struct {
	Group   string
	Self    hooks.Server
	Others  []hooks.Server
	VIPs    []netip.Prefix
	Where   func() checks.Presence
	Policy  checks.Policy
	Out     io.Writer
	JSON    bool
	Timeout time.Duration
}

// report is what explain prints.
type report struct {
	Group   string          `json:"group"`
	Nodes   []reportNode    `json:"nodes"`
	VIPs    []netip.Prefix  `json:"vips"`
	VIP     checks.Presence `json:"vip"`
	Policy  checks.Policy   `json:"policy"`
	Rules   []reportRule    `json:"rules"`
	Verdict checks.Verdict  `json:"verdict"`
	Because string          `json:"because"`
}

type reportNode struct {
	Addr  netip.AddrPort `json:"addr"`
	Here  bool           `json:"here"`
	Facts node.Facts     `json:"facts"`
}

type reportRule struct {
	Name   string        `json:"name"`
	Answer checks.Reason `json:"answer"`
}

// Run looks at all nodes at once and prints what it saw. It fails only if it
// cannot print: an unfit node is explained like any other.
func (e Explain) Run(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, e.Timeout)
	defer cancel()
	r := report{Group: e.Group, VIPs: e.VIPs, VIP: e.Where(), Policy: e.Policy}
	servers := append([]hooks.Server{e.Self}, e.Others...)
	r.Nodes = make([]reportNode, len(servers))
	var wait sync.WaitGroup
	for i, server := range servers {
		wait.Go(func() { r.Nodes[i] = reportNode{server.Addr(), i == 0, server.Look(ctx)} })
	}
	wait.Wait()

	facts := checks.Facts{Self: r.Nodes[0].Facts, VIP: r.VIP}
	r.Verdict = checks.Judge(facts, e.Policy)
	r.Because = r.Verdict.Reason.Sentence()
	for _, rule := range checks.Rules {
		answer := rule.Ask(facts, e.Policy)
		r.Rules = append(r.Rules, reportRule{rule.Name, answer})
		if answer != checks.Undecided {
			break
		}
	}
	if e.JSON {
		encoder := json.NewEncoder(e.Out)
		encoder.SetIndent("", "  ")
		return encoder.Encode(r)
	}
	return r.print(e.Out)
}

func (r report) print(out io.Writer) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "NODE\tROLE\tSTATE\tFOLLOWS\tLINK\tOFFSET\tKEYS\n")
	for _, n := range r.Nodes {
		name, follows, link := n.Addr.String(), "-", "-"
		if n.Here {
			name += " (here)"
		}
		if n.Facts.Role == node.Replica {
			follows, link = fmt.Sprintf("%s:%d", n.Facts.Upstream.Host, n.Facts.Upstream.Port), n.Facts.Upstream.Link()
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%d\t%d\n", name, n.Facts.Role, n.Facts.Class, follows, link, n.Facts.Offset, n.Facts.Keys)
	}
	table.Flush()

	fmt.Fprintf(out, "\nVIP %v of group %s: %s", r.VIPs, r.Group, r.VIP)
	if r.Verdict.Goal != checks.NoGoal {
		fmt.Fprintf(out, ", so this node should be a %s", r.Verdict.Goal)
	}
	fmt.Fprintf(out, "\n\n")
	for _, rule := range r.Rules {
		answer := "no objection"
		if rule.Answer != checks.Undecided {
			answer = rule.Answer.String()
		}
		fmt.Fprintf(table, "rule %s\t%s\n", rule.Name, answer)
	}
	table.Flush()

	word := "UNFIT"
	if r.Verdict.Fit {
		word = "FIT"
	}
	_, err := fmt.Fprintf(out, "\n%s (%s): %s\n", word, r.Verdict.Reason, r.Because)
	if err == nil && r.Verdict.Drift {
		_, err = fmt.Fprintf(out, "DRIFT: it is a %s.\n", r.Nodes[0].Facts.Role)
	}
	return err
}
