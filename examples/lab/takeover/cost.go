package takeover

import (
	"context"
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"redis-vip/examples/lab/netlab"
	"redis-vip/examples/lab/site"
)

// Cost is what it takes to be fast while nothing happens, of one host, in an hour.
type Cost struct {
	Active  float64 `json:"active_cpu_s"`  // of keepalived and its checks, on the host that has the VIP
	Standby float64 `json:"standby_cpu_s"` // and on the other
	Adverts float64 `json:"adverts"`       // that VRRP sends
}

// Idle measures a whole pair for a while in which nothing happens.
func Idle(ctx context.Context, s *site.Site, d time.Duration) (Cost, error) {
	active, err := s.Master(ctx)
	if err != nil {
		return Cost{}, err
	}
	standby := s.Standby(active)
	before, err := usage(ctx, active, standby)
	if err != nil {
		return Cost{}, err
	}
	select {
	case <-time.After(d):
	case <-ctx.Done():
		return Cost{}, context.Cause(ctx)
	}
	after, err := usage(ctx, active, standby)
	hours := after.at.Sub(before.at).Hours()
	return Cost{
		Active:  round((after.active-before.active)/hours, 10),
		Standby: round((after.standby-before.standby)/hours, 10),
		Adverts: round((after.adverts-before.adverts)/hours, 1),
	}, err
}

func round(x, parts float64) float64 { return math.Round(x*parts) / parts }

type used struct {
	at                       time.Time
	active, standby, adverts float64
}

func usage(ctx context.Context, active, standby *site.Node) (u used, err error) {
	u.at = time.Now()
	var err1, err2, err3 error
	u.active, err1 = processor(ctx, active)
	u.standby, err2 = processor(ctx, standby)
	u.adverts, err3 = received(ctx, standby)
	return u, errors.Join(err1, err2, err3)
}

// processor is the time in seconds that keepalived has taken, with all checks that it has
// waited for: utime, stime, cutime and cstime of proc_pid_stat(5).
func processor(ctx context.Context, n *site.Node) (seconds float64, err error) {
	pids, err := n.Keepalived.Main().Group(ctx)
	if err != nil {
		return 0, err
	}
	const ticks = 100 // USER_HZ
	for _, pid := range pids {
		text, err := n.Output(ctx, "cat", fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			continue // a check that has ended
		}
		_, rest, _ := strings.Cut(text, ") ") // what comes before is its name
		for _, field := range strings.Fields(rest)[11:15] {
			count, err := strconv.ParseFloat(field, 64)
			if err != nil {
				return 0, err
			}
			seconds += count / ticks
		}
	}
	return seconds, nil
}

var receivedAdverts = regexp.MustCompile(`Received: (\d+)`)

// received is how many adverts keepalived has heard, by its own account.
func received(ctx context.Context, n *site.Node) (count float64, err error) {
	const stats = "/tmp/keepalived.stats"
	if err := n.Remove(stats); err != nil {
		return 0, err
	}
	if err := n.Keepalived.Main().Signal(syscall.SIGUSR2); err != nil {
		return 0, err
	}
	return count, netlab.Until(ctx, func(context.Context) error {
		text, err := n.ReadFile(stats)
		if err != nil {
			return err
		}
		found := receivedAdverts.FindSubmatch(text)
		if found == nil {
			return fmt.Errorf("%s says nothing of adverts", stats)
		}
		count, err = strconv.ParseFloat(string(found[1]), 64)
		return err
	})
}
