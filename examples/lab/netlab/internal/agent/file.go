package agent

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// File is a file or folder of a host.
type File struct {
	Path    string
	Content []byte
	Mode    fs.FileMode // with fs.ModeDir it is a folder
	Owner   string      // root if empty
	Group   string      // the owner's own if empty
}

// WriteFile writes a file, with the folders above it, in place of what is
// there.
func (a *Agent) WriteFile(f File, _ *Nothing) error {
	if err := os.MkdirAll(filepath.Dir(f.Path), 0o755); err != nil {
		return err
	}
	if f.Mode.IsDir() {
		if err := os.MkdirAll(f.Path, 0o755); err != nil {
			return err
		}
	} else if err := replace(f.Path, f.Content); err != nil {
		return err
	}
	return own(f)
}

// replace writes a new file and renames it: a program that runs from the old
// one keeps it, and a reader sees one or the other.
func replace(path string, content []byte) error {
	temporary, err := os.CreateTemp(filepath.Dir(path), ".lab-*")
	if err != nil {
		return err
	}
	_, err = temporary.Write(content)
	err = errors.Join(err, temporary.Close())
	if err == nil {
		err = os.Rename(temporary.Name(), path)
	}
	if err != nil {
		os.Remove(temporary.Name())
	}
	return err
}

func own(f File) error {
	credential, _, err := credentials(f.Owner, f.Group)
	if err != nil {
		return err
	}
	uid, gid := 0, 0
	if credential != nil {
		uid, gid = int(credential.Uid), int(credential.Gid)
	}
	if err := os.Chown(f.Path, uid, gid); err != nil {
		return err
	}
	return os.Chmod(f.Path, f.Mode) // after chown, which clears set-id bits
}

// ReadFile returns a file's content.
func (a *Agent) ReadFile(path string, content *[]byte) (err error) {
	*content, err = os.ReadFile(path)
	return err
}

// Remove removes a file, or a folder with everything in it.
func (a *Agent) Remove(path string, _ *Nothing) error {
	return os.RemoveAll(path)
}

// User is a system account.
type User struct {
	Name string // also the name of its group
	Home string
}

// AddUser adds an account that cannot log in, as a package's maintainer
// script would. One that exists already is left alone.
func (a *Agent) AddUser(u User, _ *Nothing) error {
	if _, err := user.Lookup(u.Name); err == nil {
		return nil
	}
	id, err := freeID()
	if err != nil {
		return err
	}
	if err := appendLine("/etc/group", fmt.Sprintf("%s:x:%d:", u.Name, id)); err != nil {
		return err
	}
	return appendLine("/etc/passwd", fmt.Sprintf("%s:x:%d:%d::%s:/usr/sbin/nologin", u.Name, id, id, u.Home))
}

// freeID returns a number below 1000 that neither a user nor a group has.
func freeID() (int, error) {
	for id := 999; id > 100; id-- {
		_, noUser := user.LookupId(strconv.Itoa(id))
		_, noGroup := user.LookupGroupId(strconv.Itoa(id))
		if noUser != nil && noGroup != nil {
			return id, nil
		}
	}
	return 0, errors.New("no free user id below 1000")
}

func appendLine(path, line string) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	text := strings.TrimRight(string(content), "\n") + "\n" + line + "\n"
	return os.WriteFile(path, []byte(text), 0o644) // keeps the owner and the mode
}

// Log is a log file that is led into the journal.
type Log struct {
	File
	Identifier string
}

// FollowLog puts a pipe in the place of a log file, so that what a program
// writes there becomes journal entries at once.
func (a *Agent) FollowLog(l Log, _ *Nothing) error {
	if err := os.MkdirAll(filepath.Dir(l.Path), 0o755); err != nil {
		return err
	}
	if err := os.RemoveAll(l.Path); err != nil {
		return err
	}
	if err := unix.Mkfifo(l.Path, 0o600); err != nil {
		return fmt.Errorf("mkfifo %s: %w", l.Path, err)
	}
	if err := own(l.File); err != nil {
		return err
	}
	// Open for writing too: the pipe never ends, and a program never waits
	// for a reader.
	pipe, err := os.OpenFile(l.Path, os.O_RDWR|syscall.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	stream, err := journalStream(l.Identifier)
	if err != nil {
		pipe.Close()
		return err
	}
	go io.Copy(stream, pipe)
	return nil
}
