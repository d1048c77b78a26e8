package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// Sizes beyond which a file is not what it should be.
const (
	maxConfig   = 1 << 20
	maxPEM      = 1 << 20 // the system's whole bundle of authorities has 0.2 MB
	maxPassword = 4 << 10
)

// owner of a file.
type owner struct{ uid, gid uint32 }

func ownerOf(info fs.FileInfo) owner {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return owner{st.Uid, st.Gid}
	}
	return owner{^uint32(0), ^uint32(0)} // nobody's: trusted by no rule
}

// readTrusted reads a file that decides what a privileged program does. It
// refuses one that anybody but root and the running user could have written
// or put in its place: the file, each directory above it, and the same for
// whatever symbolic links lead to. A missing file is fs.ErrNotExist.
func readTrusted(path string) ([]byte, error) {
	real, err := resolve(path)
	if err != nil {
		return nil, err
	}
	data, info, err := readRegular(real, maxConfig, syscall.O_NOFOLLOW)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if err == nil {
		err = writtenByOthers(real, info)
	}
	var bad *Error
	switch {
	case errors.As(err, &bad):
		return nil, bad
	case errors.Is(err, fs.ErrPermission):
		return nil, &Error{
			File: real, Problem: fmt.Sprintf("cannot be read by user %d", os.Geteuid()),
			Remedy: "let its group be one of the user's, mode 0640",
		}
	case err != nil:
		return nil, &Error{File: real, Problem: reason(err)}
	}
	return data, nil
}

// resolve follows path through all symbolic links and checks every directory
// and every link on the way.
func resolve(path string) (string, error) {
	rest := strings.Split(filepath.Clean(path), "/")
	at := "/"
	for links := 0; len(rest) > 0; {
		part := rest[0]
		rest = rest[1:]
		switch part {
		case "", ".":
			continue
		case "..":
			at = filepath.Dir(at)
			continue
		}
		dir, err := os.Lstat(at)
		if err == nil {
			err = writtenByOthers(at, dir)
		}
		if err != nil {
			return "", unreachable(path, err)
		}
		next := filepath.Join(at, part)
		info, err := os.Lstat(next)
		if err != nil {
			return "", unreachable(path, err)
		}
		if info.Mode()&fs.ModeSymlink == 0 {
			at = next
			continue
		}
		if links++; links > 40 {
			return "", &Error{File: path, Problem: "too many symbolic links"}
		}
		if err := ownedByOthers(next, info); err != nil {
			return "", err
		}
		target, err := os.Readlink(next)
		if err != nil {
			return "", unreachable(path, err)
		}
		if filepath.IsAbs(target) {
			at = "/"
		}
		// Not cleaned: ".." after a link means the parent of its target.
		rest = append(strings.Split(target, "/"), rest...)
	}
	return at, nil
}

// unreachable keeps "does not exist" recognisable and explains the rest.
func unreachable(path string, err error) error {
	var bad *Error
	switch {
	case errors.As(err, &bad), errors.Is(err, fs.ErrNotExist):
		return err
	case errors.Is(err, fs.ErrPermission):
		return &Error{
			File: path, Problem: fmt.Sprintf("cannot be reached by user %d: %v", os.Geteuid(), err),
			Remedy: "let the user's group enter the directory, mode 0750",
		}
	}
	return &Error{File: path, Problem: reason(err)}
}

// ownedByOthers is an *[Error] if neither root nor the running user owns it.
func ownedByOthers(path string, info fs.FileInfo) error {
	if uid := ownerOf(info).uid; uid != 0 && uid != uint32(os.Geteuid()) {
		return &Error{File: path, Problem: fmt.Sprintf("belongs to user %d, who could change it", uid), Remedy: "chown root " + path}
	}
	return nil
}

// writtenByOthers is an *[Error] if anybody but root and the running user can
// write it. Of a directory with the sticky bit nobody can replace another's
// entries, so /tmp will do.
func writtenByOthers(path string, info fs.FileInfo) error {
	if err := ownedByOthers(path, info); err != nil {
		return err
	}
	mode := info.Mode()
	switch {
	case mode.IsDir() && mode&fs.ModeSticky != 0:
	case mode&0o002 != 0:
		return &Error{File: path, Problem: fmt.Sprintf("may be written by everybody (mode %04o)", mode.Perm()), Remedy: "chmod o-w " + path}
	case mode&0o020 != 0 && ownerOf(info).gid != 0:
		return &Error{File: path, Problem: fmt.Sprintf("may be written by group %d (mode %04o)", ownerOf(info).gid, mode.Perm()), Remedy: "chmod g-w " + path}
	}
	return nil
}

// readRegular reads a regular file of bounded size. It cannot be made to wait:
// O_NONBLOCK opens a FIFO at once, and then it is no regular file.
func readRegular(path string, limit int64, flags int) ([]byte, fs.FileInfo, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK|flags, 0)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, nil, &Error{File: path, Problem: "is not a regular file"}
	}
	data := make([]byte, 0, min(info.Size(), limit)+1)
	for {
		n, err := f.Read(data[len(data):cap(data)])
		data = data[:len(data)+n]
		if int64(len(data)) > limit {
			return nil, nil, &Error{File: path, Problem: fmt.Sprintf("has more than %d bytes", limit)}
		}
		if errors.Is(err, io.EOF) {
			return data, info, nil
		}
		if err != nil {
			return nil, nil, err
		}
		if len(data) == cap(data) {
			data = append(data, 0)[:len(data)]
		}
	}
}

// reason is the error without the path and the operation.
func reason(err error) string {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err.Error()
	}
	return err.Error()
}
