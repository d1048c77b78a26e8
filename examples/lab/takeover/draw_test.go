package takeover

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"redis-vip/examples/lab/ledger"
)

const example = "../../fast-failover"

// The picture and the table in the README of the example are those of the data beside
// them, and the data keep what is promised.
func TestPublished(t *testing.T) {
	report, err := Load(example)
	if err != nil {
		t.Fatal(err)
	}
	var drawn bytes.Buffer
	if err := report.Draw(&drawn); err != nil {
		t.Fatal(err)
	}
	if is, err := os.ReadFile(example + "/" + pictureFile); err != nil || !bytes.Equal(is, drawn.Bytes()) {
		t.Errorf("%s is not drawn from %s (%v): bin/lab takeover --save examples/fast-failover", pictureFile, dataFile, err)
	}
	readme, err := os.ReadFile(example + "/README.md")
	if err != nil {
		t.Fatal(err)
	}
	list := report.Summaries()
	if len(list) != len(Faults) {
		t.Errorf("%d faults were measured, of %d", len(list), len(Faults))
	}
	for _, s := range list {
		if s.Rounds < 10 || time.Duration(s.Median) > s.Goal || s.Lost > 0 {
			t.Errorf("%s: %+v", s.Name, s)
		}
		row := regexp.MustCompile(fmt.Sprintf(`(?m)^\| [^|]*%s[^|]* \| \*\*%.2f s\*\* \| %.2f–%.2f s \| %.1f s \| %d of %d \|`, s.Title,
			time.Duration(s.Median).Seconds(), time.Duration(s.Least).Seconds(), time.Duration(s.Worst).Seconds(), s.Goal.Seconds(), s.Lost, s.Writes))
		if !row.Match(readme) {
			t.Errorf("README.md has no %v", row)
		}
	}
}

// Whatever was measured, it is XML, no bar leaves the picture, and the parts of one are
// together as long as the outage.
func TestDraw(t *testing.T) {
	report := Report{Date: "2026-11-21", Rounds: []Round{{
		Fault: "killed", Outage: Duration(time.Second),
		Phases: Phases{Detection: Duration(100 * time.Millisecond), VRRP: Duration(200 * time.Millisecond), Hook: Duration(300 * time.Millisecond), Client: Duration(400 * time.Millisecond)},
	}}}
	var out bytes.Buffer
	if err := report.Draw(&out); err != nil {
		t.Fatal(err)
	}
	for decoder := xml.NewDecoder(bytes.NewReader(out.Bytes())); ; {
		if _, err := decoder.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	for _, bar := range []string{`x="0" y="64" width="47.5"`, `x="47.5" y="64" width="95"`, `x="142.5" y="64" width="142.5"`, `x="285" y="64" width="190"`} {
		if !strings.Contains(out.String(), "<rect "+bar) {
			t.Errorf("no %s in\n%s", bar, out.String())
		}
	}
}

// An outage is divided at what happened, in order; what came before it, or after, takes
// no time of it.
func TestDivide(t *testing.T) {
	start := time.Unix(1_800_000_000, 0)
	at := func(ms int) time.Time { return start.Add(time.Duration(ms) * time.Millisecond) }
	for name, test := range map[string]struct {
		noticed, arrived, promoted int
		want                       [4]int
	}{
		"one after the other":            {10, 15, 25, [4]int{10, 5, 10, 75}},
		"known before writes end":        {-5, 15, 25, [4]int{0, 15, 10, 75}},
		"a master before the VIP":        {10, 30, 20, [4]int{10, 20, 0, 70}},
		"logged after the first write":   {10, 15, 110, [4]int{10, 5, 85, 0}},
		"everything before it was known": {120, 130, 140, [4]int{100, 0, 0, 0}},
	} {
		p := divide(ledger.Gap{From: start, To: at(100)}, at(test.noticed), at(test.arrived), at(test.promoted))
		for i, got := range []Duration{p.Detection, p.VRRP, p.Hook, p.Client} {
			if got != Duration(time.Duration(test.want[i])*time.Millisecond) {
				t.Errorf("%s: %+v, want %v", name, p, test.want)
				break
			}
		}
	}
}
