package world

import (
	"context"
	"errors"
	"slices"
	"time"

	"redis-vip/hooks"
	"redis-vip/hooks/preserve"
)

// preserved is one file: everything that leads to last and not to before.
type preserved struct {
	last, before *entry
	node         *redis // which had it
	life         int    // of that
	replid       string
}

// saved says whether an earlier file has all that f would have. PINGs are nothing.
func (f preserved) saved(files []preserved) bool {
	return slices.ContainsFunc(files, func(old preserved) bool {
		return old.node == f.node && old.life == f.life && old.replid == f.replid &&
			(old.before == nil || old.before == f.before) && old.last.writes == f.last.writes
	})
}

func (f preserved) has(w *entry) bool {
	return f.last.has(w) && (f.before == nil || !f.before.has(w))
}

var errNoMasterLink = errors.New("NOMASTERLINK Can't SYNC while not connected with my master")

// save is [redis-vip/hooks/preserve.Store.Save], with the same decision, and the
// model's Redis in place of a connection.
func (p *process) save(ctx context.Context, loss hooks.Loss) (preserve.File, error) {
	h := p.host.world.redisAt(loss.From).host
	ctx, cancel := p.clock.WithTimeout(ctx, 30*time.Minute)
	defer cancel()
	a := p.look(ctx, h, 15*time.Second)
	if a.ReplID == "" {
		return preserve.File{}, errors.New("does not say what it has")
	}
	d := preserve.Diverge(a, loss.Winner.Facts)
	file := preserve.File{Meta: preserve.Meta{Divergence: d}}
	if d.Safe() {
		return file, nil
	}
	var saved preserved
	var whole bool
	err := p.call(ctx, h, 15*time.Second, func(r *redis) error {
		switch u := r.upstream; {
		case r.loading:
			return errLoading
		case u != nil && (u.link == nil || u.link.state != online):
			return errNoMasterLink
		}
		saved.last = r.head.upTo(d.To + r.shift)
		if d.From > 0 && r.replid == a.ReplID && r.backlog && r.reaches() <= d.From {
			saved.before = r.head.upTo(d.From - 1 + r.shift)
		}
		saved.node, saved.life, saved.replid = r, r.life, r.replid
		if file.Reused = saved.saved(p.host.disk.files); file.Reused || saved.before != nil {
			return nil
		}
		whole, saved.last = true, r.head
		if !r.backlog {
			r.replid, r.replid2, r.second = r.world.name(r.host.name+"-"), "0", -1
			r.createBacklog()
			saved.replid = r.replid
		}
		return nil
	})
	if err != nil {
		return preserve.File{}, err
	}
	file.Kind = preserve.Suffix
	if file.Reused {
		return file, nil
	}
	took := time.Millisecond
	if whole {
		file.Kind = preserve.RDB
		took = p.host.world.setup.CopyTime
	}
	if r, life := h.redis, h.redis.life; whole {
		r.saved++
		h.world.after(took, func() { // the reader's connection ends with the reader, but for a cut wire
			if r.life == life {
				r.saved--
			}
		})
	}
	p.clock.Sleep(ctx, took)
	if err := ctx.Err(); err != nil {
		return preserve.File{}, err
	}
	if !p.host.world.network.both(p.host, h) || !h.redis.running {
		return preserve.File{}, errors.New("the connection broke")
	}
	if saved.last.keys == 0 || saved.before != nil && saved.before.writes == saved.last.writes {
		file.Kind = preserve.Nothing
		return file, nil
	}
	p.host.disk.files = append(p.host.disk.files, saved)
	p.host.world.note(p.host.name, "preserved what %s has and %s lacks (%s)", h.name, p.host.world.nameOf(loss.Winner.Addr), d.Reason)
	return file, nil
}
