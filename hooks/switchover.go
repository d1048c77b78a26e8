package hooks

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"redis-vip/checks"
	"redis-vip/checks/node"
	"redis-vip/checks/survey"

	"golang.org/x/sys/unix"
)

// Flag is the track_file by which keepalived learns that this host is to give the
// VIP up: with weight 0, any number but 0 is FAULT. keepalived makes the file
// (init_file), watches it with inotify, and ignores what is no number.
type Flag struct{ Path string }

// ErrNoFlag says that keepalived tracks no such file here.
var ErrNoFlag = errors.New("keepalived does not track it")

// Raised says whether this host is in maintenance.
func (f Flag) Raised() (bool, error) {
	text, err := survey.Read(f.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, fmt.Errorf("%s: %w: put the track_file of examples/active-standby/keepalived.conf into keepalived.conf, and reload", f.Path, ErrNoFlag)
	case err != nil:
		return false, err
	}
	value := strings.TrimSpace(string(text))
	return value != "" && value != "0", nil
}

// Set raises or lowers the flag. It writes in place, because keepalived watches this
// very file, and never through a link: the folder is not root's alone.
func (f Flag) Set(raised bool) error {
	if _, err := f.Raised(); err != nil {
		return err
	}
	file, err := os.OpenFile(f.Path, os.O_WRONLY|os.O_TRUNC|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	value := "0\n"
	if raised {
		value = "1\n"
	}
	_, err = file.WriteString(value)
	return errors.Join(err, file.Close())
}

// Switchover moves the VIP, and with it the master, to the other node of a pair
// under keepalived, and leaves this one standing by. The hooks that keepalived
// starts do the work; this checks beforehand that they can, watches, and takes it
// back if nothing comes of it.
type Switchover struct {
	Survey func(context.Context) checks.Facts
	Where  func() checks.Presence
	Flag   Flag
	Keep   bool          // leave the flag raised: maintenance
	Retry  time.Duration // between two looks
	Say    func(format string, args ...any)
}

// Plan checks that a switchover can succeed, and returns the node that will take
// over.
func (s Switchover) Plan(ctx context.Context) (checks.Node, error) {
	raised, err := s.Flag.Raised()
	if err != nil {
		return checks.Node{}, err
	}
	f := s.Survey(ctx)
	switch {
	case raised:
		return checks.Node{}, errors.New("this host is in maintenance already: redis-vip maintenance off")
	case f.VIP != checks.Here && f.Holder != "":
		for _, p := range f.Peers {
			if p.RunID == f.Holder {
				return p, fmt.Errorf("the VIP is on %s: run this there", p.Addr.Addr())
			}
		}
		fallthrough
	case f.VIP != checks.Here:
		return checks.Node{}, errors.New("the VIP is not on this host: run this where it is")
	case f.Role != node.Master:
		return checks.Node{}, fmt.Errorf("the VIP is here and Redis is no master (%s): see redis-vip explain", Describe(f.Node.Facts))
	}
	for _, p := range f.Peers {
		if p.Linked() && p.Follows(f.Addr) && len(f.Downstream) > 0 {
			return p, nil
		}
	}
	return checks.Node{}, fmt.Errorf("no other node is a replica of this one that hears it%s", seen(f.Peers))
}

// Run moves the VIP. The context is its deadline; where that comes first, the flag
// is lowered again, and the VIP comes back here unless it has moved after all.
func (s Switchover) Run(ctx context.Context) (err error) {
	to, err := s.Plan(ctx)
	if err != nil {
		return err
	}
	s.Say("%s is a replica in sync and takes over", to.Addr)
	if err := s.Flag.Set(true); err != nil {
		return err
	}
	defer func() {
		if err != nil || !s.Keep {
			err = errors.Join(err, s.Flag.Set(false))
		}
	}()
	s.Say("keepalived is told to give the VIP up")
	for _, stage := range []struct {
		name string
		done func(checks.Facts) bool
	}{
		{"the VIP has left this host", func(checks.Facts) bool { return s.Where() == checks.Absent }},
		{"another node is the master and has the VIP", func(f checks.Facts) bool {
			for _, p := range f.Peers {
				if p.IsMaster() && f.Holder == p.RunID {
					return true
				}
			}
			return false
		}},
		{"this node follows it", func(f checks.Facts) bool { return f.Linked() }},
	} {
		var last checks.Facts
		for last = s.Survey(ctx); !stage.done(last); last = s.Survey(ctx) {
			select {
			case <-ctx.Done():
				return fmt.Errorf("gave up, and took it back: waited for: %s; this node is: %s%s", stage.name, Describe(last.Node.Facts), seen(last.Peers))
			case <-time.After(s.Retry):
			}
		}
		s.Say("%s", stage.name)
	}
	return nil
}
