package campaign

import (
	"context"
	"fmt"

	"redis-vip/examples/lab/site"
	"redis-vip/examples/sim/world"
)

// The folders that can be full.
const (
	ours   = "/var/lib/redis-vip"
	theirs = "/var/lib/redis"
)

// full are the folders that a full disk is full for. Redis 7.0.15 that has once had no room
// for its append-only file goes on when there is room again, but does not start from that
// file any more ("Bad file format"), with or without us: after a rewrite, it leaves zeros
// where it has cut off the part of a command that it could write. BGREWRITEAOF helps, if
// somebody thinks of it in time. So there, the disk is full for us alone.
func (l *lab) full() []string {
	if l.setup.Persistence == world.AppendOnly {
		return []string{ours}
	}
	return []string{ours, theirs}
}

// partition gives a node's data a file system of its own, which can be full.
func partition(ctx context.Context, n *site.Node) error {
	for _, folder := range []string{ours, theirs} {
		if _, err := n.Output(ctx, "sh", "-c", fmt.Sprintf(`
			set -e
			mount -t tmpfs -o size=256m,mode=$(stat -c %%a %[1]s),uid=$(stat -c %%u %[1]s),gid=$(stat -c %%g %[1]s) data /mnt
			cp -a %[1]s/. /mnt/
			mount --move /mnt %[1]s`, folder)); err != nil {
			return err
		}
	}
	return nil
}

// filler is what takes the room.
const filler = ".full"

func fill(ctx context.Context, l *lab, f Fault) error {
	for _, folder := range l.full() {
		// It ends when there is no room: that is no failure.
		if _, err := l.Nodes[f.On].Output(ctx, "sh", "-c", fmt.Sprintf("dd if=/dev/zero of=%s/%s bs=64k 2>/dev/null || true", folder, filler)); err != nil {
			return err
		}
	}
	return nil
}

func empty(_ context.Context, l *lab, f Fault) error {
	for _, folder := range l.full() {
		if err := l.Nodes[f.On].Remove(folder + "/" + filler); err != nil {
			return err
		}
	}
	return nil
}
