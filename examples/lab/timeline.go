package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"redis-vip/examples/lab/netlab"
	"redis-vip/examples/lab/site"
)

// event is a line of the timeline: who said or did what, in plain words.
type event struct {
	at    time.Time
	where string
	text  string
}

// timeline gathers what happens on all hosts, for a person to read.
type timeline struct {
	mu     sync.Mutex
	events []event
	stop   context.CancelFunc
}

// watch gathers from now on.
func watch(ctx context.Context, s *site.Site) (*timeline, error) {
	ctx, stop := context.WithCancel(ctx)
	t := &timeline{stop: stop}
	from := time.Now()
	for _, n := range s.Carriers() {
		addresses, err := n.WatchAddresses(ctx)
		if err != nil {
			stop()
			return nil, err
		}
		go func() {
			for a := range addresses.Follow(ctx) {
				if a.Address.Addr() == s.VIP.Addr() {
					t.add(event{a.At, n.Name, arrived(a)})
				}
			}
		}()
	}
	go func() {
		for e := range s.Journal.Follow(ctx) {
			if text := plain(e); text != "" && e.At.After(from) {
				t.add(event{e.At, e.Host, text})
			}
		}
	}()
	return t, nil
}

func arrived(a netlab.AddressEvent) string {
	if a.Added {
		return fmt.Sprintf("the kernel has the VIP %s", a.Address.Addr())
	}
	return fmt.Sprintf("the VIP %s is gone from here", a.Address.Addr())
}

func (t *timeline) add(e event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.events = append(t.events, e)
}

// print writes the events from start to end, counted from start.
func (t *timeline) print(out io.Writer, start, end time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	slices.SortStableFunc(t.events, func(a, b event) int { return cmp.Compare(a.at.UnixNano(), b.at.UnixNano()) })
	last := ""
	for _, e := range t.events {
		line := fmt.Sprintf("%-8s  %s", e.where, e.text)
		if e.at.Before(start) || e.at.After(end) || line == last {
			continue
		}
		last = line
		fmt.Fprintf(out, "  %+8.0f ms  %s\n", float64(e.at.Sub(start).Microseconds())/1000, line)
	}
}

// phrases put what keepalived and Sentinel log into words for somebody who has
// never seen VRRP. What is not here is left out.
var phrases = []struct {
	identifier string
	match      *regexp.Regexp
	text       string
}{
	{"Keepalived_vrrp", regexp.MustCompile(`VRRP_Script\(redis\) failed`), "keepalived: redis-check has failed as often as it may"},
	{"Keepalived_vrrp", regexp.MustCompile(`VRRP_Script\(haproxy\) failed`), "keepalived: HAProxy does not answer"},
	{"Keepalived_vrrp", regexp.MustCompile(`Entering FAULT STATE`), "keepalived: gives the VIP up (FAULT), and tells the other node"},
	{"Keepalived_vrrp", regexp.MustCompile(`Entering BACKUP STATE`), "keepalived: stands by (BACKUP)"},
	{"Keepalived_vrrp", regexp.MustCompile(`Receive advertisement timeout`), "keepalived: hears nobody who has the VIP"},
	{"Keepalived_vrrp", regexp.MustCompile(`Backup received priority 0`), "keepalived: hears that the other node gives the VIP up"},
	{"Keepalived_vrrp", regexp.MustCompile(`Entering MASTER STATE`), "keepalived: takes the VIP (MASTER)"},
	{"redis-sentinel", regexp.MustCompile(`\+sdown master`), "Sentinel: the master does not answer me"},
	{"redis-sentinel", regexp.MustCompile(`\+odown master`), "Sentinel: enough of us agree that the master is down"},
	{"redis-sentinel", regexp.MustCompile(`\+elected-leader`), "Sentinel: I am elected to lead the failover"},
	{"redis-sentinel", regexp.MustCompile(`\+promoted-slave`), "Sentinel: the new master is a master"},
	{"redis-sentinel", regexp.MustCompile(`\+switch-master`), "Sentinel: knows the new master"},
	{"redis-server", regexp.MustCompile(`MASTER MODE enabled`), "Redis: is a master now"},
	{"redis-server", regexp.MustCompile(`REPLICAOF (\S+) enabled`), "Redis: is a replica of $1 now"},
	{"redis-server", regexp.MustCompile(`MASTER <-> REPLICA sync: Finished with success`), "Redis: has a full copy of the data"},
	{"redis-server", regexp.MustCompile(`Successful partial resynchronization`), "Redis: has what it missed, and goes on from there"},
	{"haproxy", regexp.MustCompile(`^Server master/(\S+) is UP`), "HAProxy: the clients go to $1"},
	{"haproxy", regexp.MustCompile(`^Server master/(\S+) is DOWN`), "HAProxy: no clients for $1"},
	{"lab", regexp.MustCompile(`^(kill -9 .*|start (redis-server|haproxy))$`), "$1"},
}

// plain puts an entry into plain words, or returns nothing.
func plain(e netlab.Entry) string {
	switch e.Identifier {
	case "redis-check":
		if strings.HasPrefix(e.Host, "haproxy") {
			return fmt.Sprintf("redis-check of %s: %s (%s)", e.Fields["NODE"], e.Message, e.Fields["REASON"])
		}
		return fmt.Sprintf("redis-check: %s (%s)", e.Message, e.Fields["REASON"])
	case "notify-master", "notify-backup", "sentinel-reconfig":
		return hookRecord(e)
	}
	for _, p := range phrases {
		if e.Identifier == p.identifier {
			if at := p.match.FindStringSubmatchIndex(e.Message); at != nil {
				return string(p.match.ExpandString(nil, p.text, e.Message, at))
			}
		}
	}
	return ""
}

// hookRecord puts the record of a hook's run into words.
func hookRecord(e netlab.Entry) string {
	text := fmt.Sprintf("%s: %s", e.Identifier, e.Message)
	if actions := strings.Trim(e.Fields["ACTIONS"], "[]"); actions != "" {
		text += "\n" + strings.Repeat(" ", 25) + strings.ReplaceAll(actions, `"`, "")
	}
	return text
}
