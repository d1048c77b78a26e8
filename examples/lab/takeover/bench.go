package takeover

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
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

// Run measures. What it returns with an error is what it has measured until then.
func (b Bench) Run(ctx context.Context) (r Report, err error) {
	if r, err = where(); err != nil {
		return r, err
	}
	err = b.on(ctx, site.Pair, func(s *site.Site) error { return b.cost(ctx, s, &r.Plain) })
	if err != nil {
		return r, err
	}
	return r, b.on(ctx, site.Fast, func(s *site.Site) error {
		for n := range b.Rounds {
			if err := b.faults(ctx, s, n, &r); err != nil {
				return err
			}
		}
		for n := range (b.Rounds + 1) / 2 {
			if err := b.stalls(ctx, s, n, &r); err != nil {
				return err
			}
		}
		return b.cost(ctx, s, &r.Cost)
	})
}

// on runs something on a pair of its own.
func (b Bench) on(ctx context.Context, build func(context.Context, site.Options) (*site.Site, error), run func(*site.Site) error) (err error) {
	s, err := build(ctx, site.Options{Programs: b.Programs})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if err := s.Start(ctx); err != nil {
		return err
	}
	return run(s)
}

// faults makes each once, one after the other.
func (b Bench) faults(ctx context.Context, s *site.Site, n int, r *Report) error {
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
			return fmt.Errorf("%s, round %d: %w", f.Title, n+1, err)
		}
	}
	return nil
}

// stalls has the active host stand still for ever longer.
func (b Bench) stalls(ctx context.Context, s *site.Site, n int, r *Report) error {
	for _, d := range stalls {
		err := b.settled(ctx, s, n, func(ctx context.Context) error {
			stall, err := StandStill(ctx, s, d, fmt.Sprintf("still%v-%d", d, n))
			if err == nil {
				r.Stalls = append(r.Stalls, stall)
			}
			return err
		})
		if err != nil {
			return fmt.Errorf("stands still for %v: %w", d, err)
		}
	}
	return nil
}

// cost lets nothing happen for a while.
func (b Bench) cost(ctx context.Context, s *site.Site, into *Cost) error {
	return b.settled(ctx, s, 0, func(ctx context.Context) (err error) {
		*into, err = Idle(ctx, s, idle)
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

// where says when, and with what, it is measured.
func where() (Report, error) {
	redis, err1 := versionOf("redis-server")
	keepalived, err2 := versionOf("keepalived")
	var kernel unix.Utsname
	err3 := unix.Uname(&kernel)
	release, _, _ := strings.Cut(unix.ByteSliceToString(kernel.Release[:]), "-")
	return Report{
		Date: time.Now().UTC().Format(time.DateOnly), Redis: redis, Keepalived: keepalived, Linux: release, CPUs: runtime.NumCPU(),
	}, errors.Join(err1, err2, err3)
}

var version = regexp.MustCompile(`v=?([0-9.]+)`)

func versionOf(daemon string) (string, error) {
	text, err := exec.Command(daemon, "--version").CombinedOutput()
	found := version.FindSubmatch(text)
	if err == nil && found == nil {
		err = errors.New("no version")
	}
	if err != nil {
		return "", fmt.Errorf("%s --version: %w", daemon, err)
	}
	return string(found[1]), nil
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
