package takeover

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"redis-vip/examples/lab/site"
)

// Bench makes each fault some times, lets the active host stand still for ever longer, and
// looks what it costs while nothing happens.
type Bench struct {
	Programs string // folder of the built programs
	Rounds   int
}

// stalls are for how long the active host stands still.
var stalls = []time.Duration{
	500 * time.Millisecond, 600 * time.Millisecond, 800 * time.Millisecond,
	time.Second, 2 * time.Second, 5 * time.Second,
}

const (
	idle     = 20 * time.Second // for the cost of nothing
	patience = time.Minute      // for one round
)

// Run measures in one lab, one fault after the other. What it returns with an error is
// what it has measured until then.
func (b Bench) Run(ctx context.Context) (r Report, err error) {
	var plain Cost
	if err := b.plain(ctx, &plain); err != nil {
		return r, err
	}
	s, err := site.Fast(ctx, site.Options{Programs: b.Programs})
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if err := s.Start(ctx); err != nil {
		return r, err
	}
	if r, err = where(ctx, s); err != nil {
		return r, err
	}
	r.Plain = plain
	for n := range b.Rounds {
		for _, f := range Faults {
			err := b.settled(ctx, s, n, func(ctx context.Context) error {
				active, err := s.Holder()
				if err != nil {
					return err
				}
				round, err := Run(ctx, s, f, fmt.Sprintf("%s%d", f.Name, n))
				if err != nil {
					return err
				}
				r.Rounds = append(r.Rounds, round)
				return f.Back(ctx, s, active)
			})
			if err != nil {
				return r, fmt.Errorf("%s, round %d: %w", f.Title, n+1, err)
			}
		}
	}
	for n := range (b.Rounds + 1) / 2 {
		for _, d := range stalls {
			err := b.settled(ctx, s, n, func(ctx context.Context) error {
				stall, err := StandStill(ctx, s, d, fmt.Sprintf("still%v-%d", d, n))
				r.Stalls = append(r.Stalls, stall)
				return err
			})
			if err != nil {
				return r, fmt.Errorf("stands still for %v: %w", d, err)
			}
		}
	}
	return r, b.cost(ctx, s, &r.Cost)
}

// plain measures what the plain pair costs, to compare with.
func (b Bench) plain(ctx context.Context, into *Cost) (err error) {
	s, err := site.Pair(ctx, site.Options{Programs: b.Programs})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if err := s.Start(ctx); err != nil {
		return err
	}
	return b.cost(ctx, s, into)
}

func (b Bench) cost(ctx context.Context, s *site.Site, into *Cost) error {
	return b.settled(ctx, s, 0, func(ctx context.Context) (err error) {
		*into, err = Watch(ctx, s, idle)
		return err
	})
}

// settled waits until the pair is whole, and goes on in another phase of the check, which
// runs once a second, each time.
func (b Bench) settled(ctx context.Context, s *site.Site, n int, then func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, patience+idle)
	defer cancel()
	if err := WaitStandby(ctx, s); err != nil {
		return err
	}
	select {
	case <-time.After(time.Second + time.Duration(n%10)*100*time.Millisecond):
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return then(ctx)
}

var version = regexp.MustCompile(`v=?([0-9.]+)`)

// where says when, and with what, it was measured.
func where(ctx context.Context, s *site.Site) (r Report, err error) {
	n := s.Nodes[0]
	of := func(args ...string) (string, error) {
		text, err := n.Output(ctx, "/bin/sh", "-c", strings.Join(args, " ")+" 2>&1")
		found := version.FindStringSubmatch(text)
		if err == nil && found == nil {
			err = fmt.Errorf("%v does not say its version", args)
		}
		if err != nil {
			return "", err
		}
		return found[1], nil
	}
	var kernel unix.Utsname
	redis, err1 := of("redis-server", "--version")
	keepalived, err2 := of("keepalived", "--version")
	if err := unix.Uname(&kernel); err != nil {
		return r, err
	}
	release, _, _ := strings.Cut(unix.ByteSliceToString(kernel.Release[:]), "-")
	return Report{
		Date: time.Now().UTC().Format(time.DateOnly), Redis: redis, Keepalived: keepalived, Linux: release, CPUs: runtime.NumCPU(),
	}, errors.Join(err1, err2)
}

// The files beside the example.
const (
	dataFile    = "takeover.json"
	pictureFile = "takeover.svg"
)

// Save writes the data and the picture of them into a folder.
func (r Report) Save(folder string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(folder, dataFile), append(text, '\n'), 0o644); err != nil {
		return err
	}
	file, err := os.Create(filepath.Join(folder, pictureFile))
	if err != nil {
		return err
	}
	if r, err = Load(folder); err != nil { // what can be drawn again
		return err
	}
	return errors.Join(r.Draw(file), file.Close())
}

// Load reads the data out of a folder.
func Load(folder string) (r Report, err error) {
	text, err := os.ReadFile(filepath.Join(folder, dataFile))
	if err != nil {
		return r, err
	}
	return r, json.Unmarshal(text, &r)
}
