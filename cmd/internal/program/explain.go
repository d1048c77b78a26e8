package program

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"redis-vip/checks"
	"redis-vip/checks/clock"
	"redis-vip/cmd/internal/screen"
	"redis-vip/hooks"

	"github.com/urfave/cli/v2"
)

func explainCommand() *cli.Command {
	return &cli.Command{
		Name:  "explain",
		Usage: "show what redis-check sees here, why it says what it says, and what to do",
		Flags: common(
			&cli.StringFlag{Name: "expect", Value: "any", EnvVars: []string{"REDIS_VIP_EXPECT"}, Usage: "judge as for this `ROLE`: master, replica or any"},
			&cli.BoolFlag{Name: "json", Usage: "for programs"},
			&cli.DurationFlag{Name: "wait", Usage: "look again until all is at rest here, for `DURATION` at most"},
		),
		Action: func(c *cli.Context) error {
			var expect checks.Expectation
			if err := expect.UnmarshalText([]byte(c.String("expect"))); err != nil {
				return usage("--expect or REDIS_VIP_EXPECT: %w", err)
			}
			if c.Duration("wait") < 0 {
				return usage("--wait: %v is below zero", c.Duration("wait"))
			}
			seat, err := sit(overrides(c), true)
			if err != nil {
				return err
			}
			policy := seat.policy()
			policy.Expect = expect
			e := Explain{
				Group: seat.Name, VIPs: seat.VIPs, Survey: seat.electing(seat.survey(), policy).Full, Policy: policy, Condition: seat.condition,
				Out: c.App.Writer, JSON: c.Bool("json"), Wait: c.Duration("wait"), Retry: time.Second,
				// One that hangs must not take the others' time: this node, the Sentinels and those
				// that they know, the other nodes.
				Timeout: seat.Timeout + 3*seat.PeerTimeout,
			}
			if len(seat.Sentinels) > 0 {
				e.Convene, e.FenceIn = seat.convene, seat.FenceAfter
			}
			return e.Run(c.Context)
		},
	}
}

// Explain shows the facts and each rule's answer to them.
type Explain struct {
	Group     string
	VIPs      []netip.Prefix
	Survey    func(context.Context) checks.Facts
	Convene   func(context.Context) (answers []checks.Answer, silence time.Duration) // nil: not under Sentinel
	FenceIn   time.Duration
	Policy    checks.Policy
	Condition func() condition
	Out       io.Writer
	JSON      bool
	Timeout   time.Duration // of one look
	Wait      time.Duration // for all to be at rest; 0: it is shown as it is
	Retry     time.Duration // between two looks
}

// report is what explain prints.
type report struct {
	Group     string         `json:"group"`
	VIPs      []netip.Prefix `json:"vips"`
	Facts     checks.Facts   `json:"facts"`
	Policy    checks.Policy  `json:"policy"`
	Sentinels *council       `json:"sentinels,omitempty"`
	Rules     []reportRule   `json:"rules"`
	Verdict   checks.Verdict `json:"verdict"`
	Because   string         `json:"because"`
	Remedy    string         `json:"remedy,omitempty"`
	Unsettled string         `json:"unsettled,omitempty"` // what --wait would wait for
	condition
}

type reportRule struct {
	Name   string        `json:"name"`
	Answer checks.Reason `json:"answer"`
}

// condition is what else is so on this host.
type condition struct {
	Maintenance bool     `json:"maintenance"`
	Fenced      bool     `json:"fenced"` // writers wait
	Waiting     int      `json:"preserved_waiting"`
	Problems    []string `json:"problems,omitempty"` // what could not be seen, or stands wrong in the configuration
}

// council is what the Sentinels say.
type council struct {
	Answers []vote           `json:"answers"`
	Master  netip.AddrPort   `json:"master,omitzero"` // whom the majority names
	Course  checks.Course    `json:"course"`
	Why     string           `json:"why,omitempty"`
	Astray  []netip.AddrPort `json:"astray,omitempty"`
}

type vote struct {
	Sentinel netip.AddrPort `json:"sentinel"`
	Master   netip.AddrPort `json:"master,omitzero"`
	Failover bool           `json:"failover,omitempty"`
	Problem  string         `json:"problem,omitempty"`
}

// Run prints what it saw. An unfit node is explained like any other: it fails only if
// it cannot print, or if it was to wait, in vain.
func (e Explain) Run(ctx context.Context) error {
	r := e.look(ctx)
	for deadline := time.Now().Add(e.Wait); r.Unsettled != "" && time.Now().Before(deadline) && ctx.Err() == nil; r = e.look(ctx) {
		select {
		case <-ctx.Done():
		case <-time.After(e.Retry):
		}
	}
	var err error
	if e.JSON {
		err = printJSON(e.Out, r)
	} else {
		err = r.print(screen.New(e.Out))
	}
	if err == nil && e.Wait > 0 && r.Unsettled != "" {
		err = fmt.Errorf("after %v, it is still so: %s", e.Wait, r.Unsettled)
	}
	return err
}

// look asks all nodes at once.
func (e Explain) look(ctx context.Context) report {
	ctx, cancel := context.WithTimeout(ctx, e.Timeout)
	defer cancel()
	c := checks.Council{FenceIn: e.FenceIn}
	convened := clock.Wall{}.Go(func() {
		if e.Convene != nil {
			c.Answers, c.Silence = e.Convene(ctx)
		}
	})
	facts := e.Survey(ctx)
	convened()

	r := report{Group: e.Group, VIPs: e.VIPs, Facts: facts, Policy: e.Policy, Verdict: checks.Judge(facts, e.Policy), condition: e.Condition()}
	r.Because, r.Remedy = r.Verdict.Reason.Sentence(), r.Verdict.Remedy()
	for _, rule := range checks.Rules {
		answer := rule.Ask(facts, e.Policy)
		r.Rules = append(r.Rules, reportRule{rule.Name, answer})
		if answer != checks.Undecided {
			break
		}
	}
	if e.Convene != nil {
		c.Facts = facts
		r.Sentinels = heard(c, c.Resolve(e.Policy))
	}
	if err := r.unsettled(c); err != nil {
		r.Unsettled = oneLine([]error{err})
	}
	return r
}

func heard(c checks.Council, to checks.Resolution) *council {
	said := &council{Master: to.Master, Course: to.Course, Astray: c.Astray()}
	if to.Why != nil {
		said.Why = oneLine([]error{to.Why})
	}
	for _, a := range c.Answers {
		v := vote{Sentinel: a.Sentinel, Master: a.Master, Failover: a.Failover}
		if a.Err != nil {
			v.Problem = oneLine([]error{a.Err})
		}
		said.Answers = append(said.Answers, v)
	}
	return said
}

// convene asks all Sentinels, and for how long no majority of them was reached.
func (s seat) convene(ctx context.Context) ([]checks.Answer, time.Duration) {
	var silence time.Duration
	if at, known := (stamp{s.file(".majority")}).Get(); known {
		silence = max(clock.Wall{}.Boot()-at, 0)
	}
	return hooks.Convene(ctx, s.Name, netip.AddrPort{}, s.sentinels(), s.sentinel), silence
}

// condition looks at what lies on this host. What this user may not read is said: an
// absent file means something else.
func (s seat) condition() (c condition) {
	for _, warning := range s.warnings {
		c.Problems = append(c.Problems, oneLine([]error{warning}))
	}
	var unseen []string
	for _, path := range []string{s.RunDir, s.StateDir, s.memory()} {
		if file, err := os.Open(path); err == nil {
			file.Close()
		} else if errors.Is(err, fs.ErrPermission) && !slices.Contains(unseen, filepath.Dir(path)) {
			unseen = append(unseen, path)
		}
	}
	if len(unseen) > 0 {
		c.Problems = append(c.Problems, fmt.Sprintf("this user may not read %s: what lies there is left out here, and the verdict may differ from redis-check's: run it as root", strings.Join(unseen, " and ")))
	}
	c.Maintenance, _ = s.flag().Raised() // without the flag, there is none
	c.Fenced = s.fenced().IsSet()
	files, err := store(s.Group).List()
	if err != nil && !errors.Is(err, fs.ErrPermission) {
		c.Problems = append(c.Problems, oneLine([]error{err}))
	}
	c.Waiting = waiting(files)
	return c
}
