package booted

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"redis-vip/examples/lab/netlab"
)

// Lab is a running network with hosts that boot, and perhaps others.
type Lab struct {
	*netlab.Lab
	Booted []*Host // in the order of their plans

	groups  *cgroups
	alive   context.Context // until Close
	end     context.CancelFunc
	running sync.WaitGroup
	closed  sync.Once
	failed  error
}

// New builds a network and boots the hosts of the first plans, all at once. The
// others are hosts of netlab. The lab must be closed.
func New(ctx context.Context, booted []netlab.Plan, plain ...netlab.Plan) (_ *Lab, err error) {
	root, err := Root(ctx)
	if err != nil {
		return nil, err
	}
	network, err := netlab.New(ctx, append(booted[:len(booted):len(booted)], plain...)...)
	if err != nil {
		return nil, err
	}
	l := &Lab{Lab: network}
	l.alive, l.end = context.WithCancel(context.Background())
	defer func() {
		if err != nil {
			err = errors.Join(err, l.Close())
		}
	}()
	for _, h := range network.Hosts()[:len(booted)] {
		if _, err := h.Output(ctx, "mount", "-t", "cgroup2", "cgroup2", cgroupRoot); err != nil {
			return nil, err
		}
		l.Booted = append(l.Booted, &Host{Host: h, lab: l})
	}
	if l.groups, err = newCgroups(l.Booted[0].Host); err != nil {
		return nil, err
	}
	return l, Each(l.Booted, func(h *Host) error {
		if err := h.assemble(ctx, root); err != nil {
			return fmt.Errorf("%s: %w", h.Name, err)
		}
		return h.PowerOn(ctx)
	})
}

// Each does something for all at once, and returns when it is done for all.
func Each[T any](all []T, do func(T) error) error {
	failed := make([]error, len(all))
	var running sync.WaitGroup
	for i, one := range all {
		running.Go(func() { failed[i] = do(one) })
	}
	running.Wait()
	return errors.Join(failed...)
}

// Close takes the power from every host, ends every process and takes the
// network down. It takes a few seconds at most and may be called again.
func (l *Lab) Close() error {
	l.closed.Do(func() {
		l.end()
		for _, h := range l.Booted {
			h.kill()
		}
		l.running.Wait()
		l.failed = l.Lab.Close()
		for _, h := range l.Booted {
			if h.journal != nil {
				l.failed = errors.Join(l.failed, h.journal.Close())
			}
		}
		if l.groups != nil {
			l.failed = errors.Join(l.failed, l.groups.close())
		}
	})
	return l.failed
}
