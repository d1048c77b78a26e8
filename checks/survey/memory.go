package survey

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"redis-vip/checks"

	"golang.org/x/sys/unix"
)

// File is where this node remembers: [Recall] from path.
func File(path string) func() checks.Memory {
	return func() checks.Memory { return Recall(path) }
}

// Recall reads what this node remembers of itself. A memory that is absent, or not
// readable as one, is none: it only makes the node more careful.
func Recall(path string) (m checks.Memory) {
	text, err := Read(path)
	if err != nil || json.Unmarshal(text, &m) != nil {
		return checks.Memory{}
	}
	return m
}

// most is the size of the largest file that is one of ours.
const most = 64 << 10

// Read reads a small file that programs of several users may have made. What is no
// plain file (a pipe would keep a check waiting) is refused.
func Read(path string) ([]byte, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, errors.Join(err, fmt.Errorf("%s is no plain file", path))
	}
	return io.ReadAll(io.LimitReader(file, most))
}

// Note writes the memory down, so that a power cut leaves the old one or the new. It
// waits for the disk.
func Note(path string, m checks.Memory) error {
	text, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return Replace(path, text, true)
}

// Update is Note for a memory that was made out of what had been written down at
// base. What somebody has written since knows better, and stays: a hook, say, that
// has changed the role.
func Update(path string, m checks.Memory, base time.Time) error {
	if !Recall(path).At.Equal(base) {
		return nil
	}
	return Note(path, m)
}

// Replace puts text into a file in one step: another run may be at it. With sync,
// it is on the disk when Replace returns. A file that root makes belongs to whom
// the folder belongs to.
func Replace(path string, text []byte, sync bool) error {
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	err = errors.Join(err, file.Chmod(0o640)) // keepalived's umask is 0177
	var folder unix.Stat_t
	if os.Geteuid() == 0 && unix.Stat(filepath.Dir(path), &folder) == nil {
		err = errors.Join(err, file.Chown(int(folder.Uid), int(folder.Gid)))
	}
	if sync {
		err = errors.Join(err, file.Sync())
	}
	if err = errors.Join(err, file.Close()); err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		os.Remove(file.Name())
	}
	return err
}
