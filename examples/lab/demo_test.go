package main

import (
	"bytes"
	"context"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"redis-vip/examples/lab/netlab"
)

// Every example by its name, as a person sees it: it comes to its end, and says what it cost.
func TestExamplesByName(t *testing.T) {
	cost := regexp.MustCompile(`outage ([0-9.]+) s · acknowledged writes (\d+) · of them lost (\d+)`)
	for _, a := range acts {
		t.Run(a.name, func(t *testing.T) {
			t.Parallel()
			netlab.Require(t, "redis-server", "redis-sentinel", "keepalived", "haproxy", "curl")
			ctx, cancel := context.WithTimeout(t.Context(), 2*limit)
			defer cancel()
			var out bytes.Buffer
			start := time.Now()
			err := demo{Programs: programs, Out: &out}.show(ctx, a)
			t.Logf("%v, after %v\n%s", err, time.Since(start), out.String())
			if err != nil {
				t.Fatal(err)
			}
			scenes := cost.FindAllStringSubmatch(out.String(), -1)
			if len(scenes) == 0 {
				t.Error("it does not say what it cost")
			}
			if preserved := strings.Contains(out.String(), " · preserved "); preserved != (a.name == "haproxy-sentinel") {
				t.Errorf("a master was deposed that took writes: %v", preserved)
			}
			for _, scene := range scenes {
				if lost, _ := strconv.Atoi(scene[3]); lost > inFlight {
					t.Errorf("%d acknowledged writes are lost", lost)
				}
			}
		})
	}
}
