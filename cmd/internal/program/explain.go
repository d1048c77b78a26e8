package program

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"text/tabwriter"
	"time"

	"redis-vip/checks"
	"redis-vip/checks/node"

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
			var expect checks.Expectation
			if err := expect.UnmarshalText([]byte(c.String("expect"))); err != nil {
				return usage("--expect or REDIS_VIP_EXPECT: %w", err)
			}
			seat, err := sit(overrides(c), true)
			if err != nil {
				return err
			}
			policy := seat.policy()
			policy.Expect = expect
			return Explain{
				Group: seat.Name, VIPs: seat.VIPs, Survey: seat.survey().Full, Policy: policy,
				Out: c.App.Writer, JSON: c.Bool("json"), Timeout: seat.Timeout,
			}.Run(c.Context)
		},
	}
}

// Explain shows the facts and each rule's answer to them.
type Explain struct {
	Group   string
	VIPs    []netip.Prefix
	Survey  func(context.Context) checks.Facts
	Policy  checks.Policy
	Out     io.Writer
	JSON    bool
	Timeout time.Duration
}

// report is what explain prints.
type report struct {
	Group   string         `json:"group"`
	VIPs    []netip.Prefix `json:"vips"`
	Facts   checks.Facts   `json:"facts"`
	Policy  checks.Policy  `json:"policy"`
	Rules   []reportRule   `json:"rules"`
	Verdict checks.Verdict `json:"verdict"`
	Because string         `json:"because"`
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
	facts := e.Survey(ctx)
	r := report{Group: e.Group, VIPs: e.VIPs, Facts: facts, Policy: e.Policy, Verdict: checks.Judge(facts, e.Policy)}
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

// holder says who has the lease.
func (r report) holder(l checks.Lease) string {
	switch {
	case l.Mine:
		return fmt.Sprintf("this node has it, for %.1f s more", l.Left.Seconds())
	case l.Other != "":
		return fmt.Sprintf("%s has it, and renewed it %.1f s ago", l.Other, l.Age.Seconds())
	default:
		return "nobody has it"
	}
}

// votes says whether this node may take writes, or could.
func (r report) votes() string {
	switch f := r.Facts; {
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

func (r report) print(out io.Writer) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "NODE\tROLE\tSTATE\tFOLLOWS\tLINK\tOFFSET\tKEYS\n")
	for i, n := range append([]checks.Node{r.Facts.Node}, r.Facts.Peers...) {
		name, follows, link := n.Addr.String(), "-", "-"
		if i == 0 {
			name += " (here)"
		}
		if n.Role == node.Replica {
			follows, link = fmt.Sprintf("%s:%d", n.Upstream.Host, n.Upstream.Port), n.Upstream.Link()
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%d\t%d\n", name, n.Role, n.Class, follows, link, n.Offset, n.Keys)
	}
	table.Flush()

	fmt.Fprintf(out, "\nVIP %v of group %s: %s", r.VIPs, r.Group, r.Facts.VIP)
	if r.Verdict.Goal != checks.NoGoal {
		fmt.Fprintf(out, ", so this node should be a %s", r.Verdict.Goal)
	}
	fmt.Fprintf(out, "\n")
	if r.Facts.Gateway != checks.NoGateway {
		fmt.Fprintf(out, "gateway: %s\n", r.Facts.Gateway)
	}
	if l := r.Facts.Lease; l.Witnesses > 0 {
		fmt.Fprintf(out, "lease: %s; %d of %d witnesses answer", r.holder(l), l.Reached, l.Witnesses)
		if l.Problem != "" {
			fmt.Fprintf(out, " (%s)", l.Problem)
		}
		fmt.Fprintf(out, "\nvotes: %s\n", r.votes())
	}
	if m := r.Facts.Memory; m.Role != node.NoRole {
		fmt.Fprintf(out, "this node remembers: %s, offset %d, %d keys, at %s", m.Role, m.Offset, m.Keys, m.At.Format(time.DateTime))
		if m.Role == node.Master && m.Online {
			fmt.Fprintf(out, ", with a replica that may have succeeded it")
		}
		fmt.Fprintln(out)
	}
	fmt.Fprintln(out)
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
		_, err = fmt.Fprintf(out, "DRIFT: it is a %s.\n", r.Facts.Role)
	}
	return err
}
