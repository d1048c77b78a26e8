package fault

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"

	"redis-vip/checks/node/nodetest"
	"redis-vip/examples/lab/netlab"
	"redis-vip/hooks/preserve"
)

const (
	stateDir = "var/lib/redis-vip/mymaster"
	loading  = 20 * time.Second // of a preserved data set
)

// kept is what is in the preserved files of all hosts.
type kept struct {
	files []string // host:name
	keys  map[string]bool

	servers nodetest.Servers // whose redis-server reads a data set
}

func (k kept) has(key string) bool { return k.keys[key] }

// preserved reads every preserved file. One that cannot be read is an error: it
// is worth nothing.
func (s *Stage) preserved(ctx context.Context) (kept, error) {
	all := kept{keys: make(map[string]bool), servers: s.Servers}
	for _, n := range s.Nodes {
		folder := filepath.Join(fmt.Sprintf("/proc/%d/root", n.PID()), stateDir) // the host's files, seen from here
		if err := all.read(ctx, n.Name, folder); err != nil {
			return all, fmt.Errorf("preserved on %s: %w", n.Name, err)
		}
	}
	return all, nil
}

func (k *kept) read(ctx context.Context, host, folder string) error {
	entries, err := os.ReadDir(folder)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") || strings.HasSuffix(e.Name(), ".json") {
			continue // what a killed run left, and what stands beside a file
		}
		f, err := preserve.Open(filepath.Join(folder, e.Name()))
		if err != nil {
			return err
		}
		k.files = append(k.files, host+":"+e.Name())
		if f.Kind == preserve.RDB {
			err = k.readData(ctx, f)
		} else {
			err = k.readWrites(ctx, f)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", e.Name(), err)
		}
	}
	return nil
}

// readWrites notes every key that a suffix writes.
func (k *kept) readWrites(ctx context.Context, f preserve.File) error {
	_, err := f.Show(ctx, nil, func(l preserve.Line) error {
		for _, key := range l.Keys {
			k.keys[key.Name] = true
		}
		return nil
	})
	return err
}

// readData has a Redis of our own load a data set, and notes every key of it.
func (k *kept) readData(ctx context.Context, f preserve.File) (err error) {
	ctx, cancel := context.WithTimeout(ctx, loading)
	defer cancel()
	dir, err := os.MkdirTemp("", "fault-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := copyFile(filepath.Join(dir, "dump.rdb"), f.Path); err != nil {
		return err
	}
	socket := filepath.Join(dir, "socket")
	cmd, err := k.servers.Command(ctx, "redis-server", "--dir", dir, "--port", "0", "--unixsocket", socket, "--save", "", "--appendonly", "no")
	if err != nil {
		return err
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return err
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	server := redis.NewClient(&redis.Options{Network: "unix", Addr: socket, Protocol: 2, DisableIdentity: true})
	defer server.Close()
	if err := netlab.Until(ctx, func(ctx context.Context) error { return server.Ping(ctx).Err() }); err != nil {
		return err
	}
	keys := server.Scan(ctx, 0, "*", 10000).Iterator()
	for keys.Next(ctx) {
		k.keys[keys.Val()] = true
	}
	return keys.Err()
}

func copyFile(to, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
