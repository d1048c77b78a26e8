package program

import (
	"context"
	"time"

	"redis-vip/checks"
	"redis-vip/checks/clock"
	"redis-vip/checks/node"
	"redis-vip/checks/survey"
	"redis-vip/cmd/internal/history"
	"redis-vip/hooks"
	"redis-vip/hooks/lease"

	"github.com/rs/zerolog"
)

// bootID is random for each boot of the machine.
const bootID = "/proc/sys/kernel/random/boot_id"

// lease is the third vote as this node sees it.
func (s seat) lease() lease.Lease {
	token, _ := survey.Read(bootID)
	l := lease.Lease{
		Node: s.self, Token: string(token[:max(len(token)-1, 0)]),
		Stamp: stamp{s.file(".lease")}, Clock: clock.Wall{}, Patience: s.PeerTimeout,
	}
	for _, addr := range s.Witnesses {
		e := node.Endpoint{Addr: addr, Username: s.WitnessUsername, Password: s.WitnessPassword.Reveal(), TLS: s.TLS}
		l.Witnesses = append(l.Witnesses, lease.Redis{Endpoint: e, Group: s.Name, Timeout: s.PeerTimeout})
	}
	return l
}

// ballot is that vote for a hook; nil where nobody votes.
func (s seat) ballot() hooks.Ballot {
	if len(s.Witnesses) == 0 {
		return nil
	}
	return s.lease()
}

// serving is the survey of who renews the lease where this node serves.
func (s seat) serving() survey.Survey {
	view := s.survey()
	if look := view.Lease; look != nil {
		lease := s.lease()
		view.Lease = func(ctx context.Context, f checks.Facts) checks.Lease {
			if f.Claims() {
				return lease.Claim(ctx)
			}
			return look(ctx, f)
		}
	}
	return view
}

// A guard looks this often. One that has found no end leaves the rest to the next.
const (
	guardEvery = 250 * time.Millisecond
	guardTime  = time.Minute
)

// guard runs beside the checks while this node has too few votes.
func (s seat) guard(ctx context.Context, log zerolog.Logger) error {
	ctx, cancel := context.WithTimeout(ctx, guardTime)
	defer cancel()
	return hooks.Guard{
		Survey: s.serving().Brief, Local: s.local(), Left: s.lease().Left, Fenced: s.fenced(),
		Group: s.lock(), Alone: hooks.Lock{Path: s.file(".guard.lock")}, Clock: clock.Wall{}, Every: guardEvery,
		Say: func(event string) {
			log.Warn().Str("group", s.Name).Msg(event)
			s.tellAll(log, "", bulletin{Entry: &history.Entry{At: time.Now(), Program: string(RedisCheck), Event: event, To: "master", Reason: "lease"}})
		},
	}.Run(ctx)
}
