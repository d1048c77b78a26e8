package campaign

import (
	"context"
	"fmt"

	"redis-vip/examples/lab/site"
)

// The folders that a full disk is full for.
var onDisk = []string{"/var/lib/redis-vip", "/var/lib/redis"}

// partition gives a node's data a file system of its own, which can be full.
func partition(ctx context.Context, n *site.Node) error {
	for _, folder := range onDisk {
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
	for _, folder := range onDisk {
		// It ends when there is no room: that is no failure.
		if _, err := l.Nodes[f.On].Output(ctx, "sh", "-c", fmt.Sprintf("dd if=/dev/zero of=%s/%s bs=64k 2>/dev/null || true", folder, filler)); err != nil {
			return err
		}
	}
	return nil
}

func empty(_ context.Context, l *lab, f Fault) error {
	for _, folder := range onDisk {
		if err := l.Nodes[f.On].Remove(folder + "/" + filler); err != nil {
			return err
		}
	}
	return nil
}
