package takeover

import (
	"cmp"
	_ "embed"
	"fmt"
	"io"
	"slices"
	"text/template"
	"time"
)

// The picture, in pixels.
const (
	width  = 760
	margin = 12
	scale  = 1600 * time.Millisecond // what the width stands for
	legend = 34
	head   = 30 // the line above the bars of a fault
	bar    = 6
	pitch  = 8 // from one bar to the next
	foot   = 30
)

// phases are the colours of an outage's parts: each can be told from its neighbours by
// who sees no red or no green, and stands out from white and from black.
var phases = []struct {
	name string
	of   func(Phases) Duration
	fill string
	at   float64 // where the legend has it
}{
	{"detection", func(p Phases) Duration { return p.Detection }, "#d4761c", 0},
	{"VRRP: the VIP moves", func(p Phases) Duration { return p.VRRP }, "#8957e5", 120},
	{"hook: Redis is the master", func(p Phases) Duration { return p.Hook }, "#2f9e6e", 310},
	{"client: has found it", func(p Phases) Duration { return p.Client }, "#388bfd", 530},
}

//go:embed picture.svg.tmpl
var picture string

var pictureTemplate = template.Must(template.New("picture").Parse(picture))

type (
	key struct {
		X, TextX   float64
		Text, Fill string
	}
	tick struct {
		X    float64
		Text string
	}
	part struct {
		X, Y, Width, Height float64
		Fill                string
	}
	group struct {
		Y, From, To int
		Title, Text string
		Goal        float64
		Parts       []part
	}
	drawing struct {
		Title, View                string
		Width, Height, Right, Foot int
		Keys                       []key
		Ticks                      []tick
		Groups                     []group
	}
)

// Draw draws each round as a bar that is divided into its phases, the shortest above, and
// the goal of the median as a dashed line.
func (r Report) Draw(out io.Writer) error {
	d := drawing{Right: width, Title: "How long writes pause, and where the time goes: " + r.Date}
	for _, p := range phases {
		d.Keys = append(d.Keys, key{p.at, p.at + 18, p.name, p.fill})
	}
	y := legend
	for _, s := range r.Summaries() {
		g := group{
			Title: s.Title, Y: y + head - 9, From: y + head - 4, Goal: across(Duration(s.Goal)),
			Text: fmt.Sprintf("median of %d: %.2f s, goal %.1f s · lost %d of %d writes", s.Rounds, time.Duration(s.Median).Seconds(), s.Goal.Seconds(), s.Lost, s.Writes),
		}
		y += head
		for _, round := range r.sorted(s.Name) {
			g.Parts = append(g.Parts, parts(round, float64(y))...)
			y += pitch
		}
		g.To = y + 2
		d.Groups = append(d.Groups, g)
	}
	d.Foot, d.Width, d.Height = y+18, width+2*margin, y+foot
	d.View = fmt.Sprintf("%d 0 %d %d", -margin, d.Width, d.Height)
	for t := time.Duration(0); t < scale; t += scale / 8 {
		d.Ticks = append(d.Ticks, tick{across(Duration(t)), fmt.Sprintf("%.1f s", t.Seconds())})
	}
	d.Ticks[0].Text = "0"
	return pictureTemplate.Execute(out, d)
}

// sorted are the rounds of a fault, the shortest first.
func (r Report) sorted(fault string) []Round {
	rounds := slices.DeleteFunc(slices.Clone(r.Rounds), func(round Round) bool { return round.Fault != fault })
	slices.SortStableFunc(rounds, func(a, b Round) int { return cmp.Compare(a.Outage, b.Outage) })
	return rounds
}

func parts(r Round, y float64) (list []part) {
	x := 0.0
	for _, p := range phases {
		wide := across(p.of(r.Phases))
		list = append(list, part{x, y, wide, bar, p.fill})
		x = tenth(x + wide)
	}
	return list
}

func across(d Duration) float64 { return tenth(float64(d) / float64(scale) * width) }

func tenth(x float64) float64 { return float64(int(x*10+0.5)) / 10 }
