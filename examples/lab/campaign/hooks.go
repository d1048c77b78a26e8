package campaign

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"redis-vip/examples/lab/netlab"
)

// packaged is where the packages put our programs.
var packaged = map[string]string{
	"/usr/bin/redis-vip":                   "redis-vip",
	"/usr/lib/redis-vip/redis-check":       "redis-check",
	"/usr/lib/redis-vip/notify-master":     "notify-master",
	"/usr/lib/redis-vip/notify-backup":     "notify-backup",
	"/usr/lib/redis-vip/sentinel-reconfig": "sentinel-reconfig",
}

// running matches the command lines of those that change something: as keepalived and
// Sentinel start them, as a check does (detach.go), and as a timer does.
const running = `^(/usr/lib/redis-vip/|)(notify-master|notify-backup|sentinel-reconfig)|^/usr/bin/redis-vip reconcile`

// killHooks kills what runs of our hooks, again and again, wherever they have got to.
func killHooks(ctx context.Context, l *lab, f Fault) error {
	n := l.Nodes[f.On]
	ctx, cancel := context.WithTimeout(ctx, f.For)
	l.during(func() {
		defer cancel()
		killed := 0
		for turn := 0; ctx.Err() == nil; turn++ {
			status, _ := n.Run(ctx, netlab.Command{Args: []string{"pkill", "-KILL", "-c", "-f", running}}) // fails only when its time is over
			count, _ := strconv.Atoi(strings.TrimSpace(string(status.Stdout)))
			killed += count
			rest(ctx, time.Duration(20+37*(turn%7))*time.Millisecond)
		}
		n.Note("%d of our programs were killed half-way", killed)
	})
	return nil
}

// upgrade puts another build in the place of our programs, as a package does: each file by
// a rename. It does so again and again, back and forth, and ends with the other build.
func upgrade(ctx context.Context, l *lab, f Fault) error {
	n := l.Nodes[f.On]
	folders := []string{l.programs, l.other}
	if l.upgraded[n] {
		folders[0], folders[1] = folders[1], folders[0]
	}
	l.upgraded[n] = !l.upgraded[n]
	until := time.Now().Add(f.For)
	l.during(func() {
		turn := 1
		for ; turn%2 == 1 || time.Now().Before(until); turn++ {
			if err := unpack(ctx, n.Host, folders[turn%2]); err != nil {
				n.Note("the upgrade failed: %v", err)
				return
			}
			rest(ctx, 300*time.Millisecond)
		}
		n.Note("our programs were replaced %d times", turn-1)
	})
	return nil
}

func unpack(ctx context.Context, h *netlab.Host, folder string) error {
	for path, name := range packaged {
		content, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			return err
		}
		fresh := path + ".dpkg-new"
		if err := h.WriteFile(netlab.File{Path: fresh, Content: content, Mode: 0o755}); err != nil {
			return err
		}
		if _, err := h.Output(ctx, "mv", "-fT", fresh, path); err != nil {
			return err
		}
	}
	return nil
}

// switchover is done by somebody, who is refused where it cannot succeed.
func switchover(ctx context.Context, l *lab, f Fault) error {
	return l.person(ctx, f, "switchover", "mymaster")
}

func maintenance(to string) func(context.Context, *lab, Fault) error {
	return func(ctx context.Context, l *lab, f Fault) error {
		return l.person(ctx, f, "maintenance", to, "mymaster")
	}
}

func (l *lab) person(whole context.Context, f Fault, args ...string) error {
	const patience = 15 * time.Second
	n := l.Nodes[f.On]
	ctx, cancel := context.WithTimeout(whole, patience)
	defer cancel()
	status, err := n.Run(ctx, netlab.Command{Args: append([]string{"/usr/bin/redis-vip"}, args...)})
	n.Note("redis-vip %v: %v %v: %s%s", args, status, err, status.Stdout, status.Stderr)
	return context.Cause(whole)
}
