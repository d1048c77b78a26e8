package agent

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Host is what a host is given at boot.
type Host struct {
	Name   string
	Hosts  string            // added to /etc/hosts
	Sysctl map[string]string // path below /proc/sys → value

	Instead map[string]string // a program's path → the machine's file that stands there
}

// Boot gives the host its name and a root of its own.
//
// The root is a copy-on-write view of the machine's: programs and stock
// configuration are the machine's, every change stays in the host's memory
// and vanishes with it. So files stand at their real paths, and any number of
// hosts and labs do not see each other.
func (a *Agent) Boot(h Host, _ *Nothing) error {
	if err := unix.Sethostname([]byte(h.Name)); err != nil {
		return fmt.Errorf("set host name: %w", err)
	}
	instead, err := taken(h.Instead)
	if err != nil {
		return err
	}
	if err := newRoot(); err != nil {
		return fmt.Errorf("build the root: %w", err)
	}
	for path, tree := range instead {
		err := unix.MoveMount(tree, "", unix.AT_FDCWD, path, unix.MOVE_MOUNT_F_EMPTY_PATH|unix.MOVE_MOUNT_T_SYMLINKS)
		if err != nil {
			return fmt.Errorf("put %s in place of %s: %w", h.Instead[path], path, err)
		}
		unix.Close(tree)
	}
	for name, value := range h.Sysctl {
		// A kernel without IPv6 lacks its settings, and does not need them.
		err := os.WriteFile(filepath.Join("/proc/sys", name), []byte(value), 0)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if err := os.WriteFile("/etc/hostname", []byte(h.Name+"\n"), 0o644); err != nil {
		return err
	}
	return os.WriteFile("/etc/hosts", []byte("127.0.0.1 localhost\n::1 localhost\n"+h.Hosts), 0o644)
}

// taken takes hold of files of the machine, which the new root hides: each is a mount
// of its own, not yet anywhere.
func taken(files map[string]string) (map[string]int, error) {
	trees := make(map[string]int)
	for path, file := range files {
		tree, err := unix.OpenTree(unix.AT_FDCWD, file, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
		if err != nil {
			return nil, fmt.Errorf("take %s: %w", file, err)
		}
		trees[path] = tree
	}
	return trees, nil
}

// newRoot builds the root below a memory file system and moves into it.
func newRoot() error {
	separate, err := separateFileSystems()
	if err != nil {
		return err
	}
	// Nothing mounted from here on may reach the machine.
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	const base, root = "/tmp", "/tmp/root"
	if err := mount("tmpfs", base, "tmpfs", 0, "mode=0755"); err != nil {
		return err
	}
	if err := os.Mkdir(root, 0o755); err != nil {
		return err
	}
	if err := overlay("/", root, filepath.Join(base, "layer")); err != nil {
		return err
	}
	// An overlay shows one file system. Machines that keep /usr or /var on
	// another one need that one on top.
	for i, dir := range separate {
		if err := overlay(dir, filepath.Join(root, dir), fmt.Sprintf("%s/layer%d", base, i)); err != nil {
			return err
		}
	}
	if err := kernelFileSystems(root); err != nil {
		return err
	}
	// The new root is put over the old one, which is then taken away from
	// below it: pivot_root(2), "pivot_root(".", ".")".
	if err := unix.Chdir(root); err != nil {
		return err
	}
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("pivot_root: %w", err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("leave the old root: %w", err)
	}
	return unix.Chdir("/")
}

func overlay(lower, at, layer string) error {
	upper, work := filepath.Join(layer, "upper"), filepath.Join(layer, "work")
	for _, dir := range []string{upper, work} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	return mount("overlay", at, "overlay", 0, fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s", lower, upper, work))
}

// separateFileSystems lists the folders that hold programs, configuration or
// state and are mount points of their own.
func separateFileSystems() ([]string, error) {
	table, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	var found []string
	for line := range strings.Lines(string(table)) {
		// 36 35 98:0 /mnt1 /mnt2 rw,noatime …: the fifth field is the place.
		if f := strings.Fields(line); len(f) > 4 &&
			slices.Contains([]string{"/usr", "/etc", "/var", "/var/lib", "/var/log"}, f[4]) {
			found = append(found, f[4])
		}
	}
	slices.Sort(found) // /var before /var/lib
	return slices.Compact(found), nil
}

// kernelFileSystems gives the root its own /proc, /sys, /dev, /run and /tmp.
func kernelFileSystems(root string) error {
	const noDev, noSuid = unix.MS_NODEV, unix.MS_NOSUID
	for _, m := range []struct {
		kind, at string
		flags    uintptr
		options  string
	}{
		{"proc", "/proc", noDev | noSuid, ""},
		{"sysfs", "/sys", noDev | noSuid | unix.MS_RDONLY, ""},
		{"tmpfs", "/run", noDev | noSuid, "mode=0755"},
		{"tmpfs", "/tmp", noDev | noSuid, "mode=1777"},
		{"tmpfs", "/dev", noSuid, "mode=0755"},
		{"tmpfs", "/dev/shm", noDev | noSuid, "mode=1777"},
		{"devpts", "/dev/pts", noSuid, "newinstance,ptmxmode=0666,mode=0620"},
	} {
		at := filepath.Join(root, m.at)
		if err := os.MkdirAll(at, 0o755); err != nil {
			return err
		}
		if err := mount(m.kind, at, m.kind, m.flags, m.options); err != nil {
			return err
		}
	}

	// A host has no devices but these. In particular no disk.
	for name, minor := range map[string]uint32{"null": 3, "zero": 5, "full": 7, "random": 8, "urandom": 9} {
		if err := device(filepath.Join(root, "dev", name), 1, minor); err != nil {
			return err
		}
	}
	if err := device(filepath.Join(root, "dev/tty"), 5, 0); err != nil {
		return err
	}
	for name, target := range map[string]string{
		"ptmx": "pts/ptmx", "fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1",
		"stderr": "/proc/self/fd/2", "log": "/run/systemd/journal/dev-log",
	} {
		if err := os.Symlink(target, filepath.Join(root, "dev", name)); err != nil {
			return err
		}
	}
	return os.MkdirAll(filepath.Join(root, "run/systemd/journal"), 0o755)
}

func device(path string, major, minor uint32) error {
	if err := unix.Mknod(path, unix.S_IFCHR|0o666, int(unix.Mkdev(major, minor))); err != nil {
		return fmt.Errorf("mknod %s: %w", path, err)
	}
	return os.Chmod(path, 0o666) // whatever the umask took away
}

func mount(source, at, kind string, flags uintptr, options string) error {
	if err := unix.Mount(source, at, kind, flags, options); err != nil {
		return fmt.Errorf("mount %s at %s: %w", kind, at, err)
	}
	return nil
}
