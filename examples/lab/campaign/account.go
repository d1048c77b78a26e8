package campaign

import (
	"context"
	"fmt"
	"slices"
	"time"

	"redis-vip/examples/lab/fault"
	"redis-vip/examples/lab/ledger"
	"redis-vip/examples/sim/world"
)

// account is what became of the writes that were acknowledged, up to the end of a round. A
// write is in the account of one round: the one after which the master did not have it.
type account struct {
	Acknowledged int      // since the lab came up
	Preserved    int      // only in files
	Died         int      // with the last process that had them
	Thrown       []string // neither: which, and why nobody had to lose them
}

// settle accounts for every write.
func (l *lab) settle(ctx context.Context) (a account, err error) {
	const limit = time.Minute
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	master, err := l.Master(ctx)
	if err != nil {
		return a, err
	}
	var writes []ledger.Write
	for _, b := range l.books {
		list := b.Since(0)
		a.Acknowledged += len(list)
		writes = append(writes, list...)
	}
	writes = slices.DeleteFunc(writes, func(w ledger.Write) bool { return l.off[w.Key] })
	missing, err := ledger.Absent(ctx, master.Redis, writes)
	if err != nil {
		return a, err
	}
	if len(missing) > 0 {
		files, err := fault.Preserved(ctx, l.Site)
		if err != nil {
			return a, err
		}
		for _, w := range missing {
			l.off[w.Key] = true
			if files[w.Key] {
				a.Preserved++
			} else if why := l.sights.lives(w, l.setup.Persistence == world.AppendOnly); why != "" {
				a.Thrown = append(a.Thrown, fmt.Sprintf("%s of %s: %s", w.Key, w.At.Format("15:04:05.000"), why))
			} else {
				a.Died++
			}
		}
	}
	mark := fmt.Sprintf("settled:%d", time.Now().UnixNano())
	if err := master.Redis.Set(ctx, mark, 1, 0).Err(); err != nil {
		return a, err
	}
	l.sights.settle(mark, slices.DeleteFunc(writes, func(w ledger.Write) bool { return l.off[w.Key] }))
	return a, nil
}
