package lint

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"redis-vip/checks/lint/redisconf"
)

// Root is the folder that holds a host's files: "" is this host's own, any other one
// holds those of an image or of a chroot. Paths are the host's, without the folder.
type Root string

func (r Root) path(path string) string { return filepath.Join("/", string(r), path) }

const maxFile = 1 << 20

// Read reads a regular file of bounded size. It cannot be made to wait: O_NONBLOCK
// opens a FIFO at once, and then it is no regular file.
func (r Root) Read(path string) ([]byte, error) {
	real, _, err := r.resolve(path, nil)
	if err != nil {
		return nil, err
	}
	return r.head(real, maxFile+1)
}

func (r Root) head(real string, n int64) ([]byte, error) {
	f, err := os.OpenFile(r.path(real), os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", real)
	}
	return io.ReadAll(io.LimitReader(f, n))
}

// Glob lists what a pattern matches.
func (r Root) Glob(pattern string) ([]string, error) {
	list, err := filepath.Glob(r.path(pattern))
	for i, path := range list {
		list[i] = filepath.Join("/", strings.TrimPrefix(path, filepath.Join("/", string(r))))
	}
	return list, err
}

// resolve follows path through all links, and shows visit every file and folder on the
// way, from / to the last.
func (r Root) resolve(path string, visit func(path string, info fs.FileInfo)) (real string, info fs.FileInfo, err error) {
	at := "/"
	info, err = os.Lstat(r.path(at))
	if err != nil {
		return "", nil, err
	}
	if visit != nil {
		visit(at, info)
	}
	rest := strings.Split(path, "/")
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
		next := filepath.Join(at, part)
		if info, err = os.Lstat(r.path(next)); err != nil {
			return "", nil, err
		}
		if info.Mode()&fs.ModeSymlink == 0 {
			at = next
			if visit != nil {
				visit(at, info)
			}
			continue
		}
		target, err := os.Readlink(r.path(next))
		if err != nil {
			return "", nil, err
		}
		if links++; links > 40 {
			return "", nil, &fs.PathError{Op: "open", Path: path, Err: syscall.ELOOP}
		}
		if filepath.IsAbs(target) {
			at = "/"
		}
		rest = append(strings.Split(target, "/"), rest...)
	}
	return at, info, nil
}

// Look says what is at a path.
func (r Root) Look(path string) Path {
	var p Path
	real, info, err := r.resolve(path, func(path string, info fs.FileInfo) {
		if p.Loose == "" {
			if who := loose(info); who != "" {
				p.Loose, p.LooseFor = path, who
			}
		}
	})
	if err != nil {
		return Path{}
	}
	p.Exists, p.Real, p.Mode = true, real, info.Mode()
	p.UID, p.GID = owner(info)
	if p.Mode.IsRegular() {
		head, err := r.head(real, 256)
		if err != nil {
			p.Format = Binary // it cannot be read, which says nothing against it
			return p
		}
		p.Format, p.Interpreter = format(head)
		if p.Interpreter != "" {
			if p.Interpreter, _, err = r.resolve(p.Interpreter, nil); err != nil {
				p.Interpreter = ""
			}
		}
	}
	return p
}

func owner(info fs.FileInfo) (uid, gid uint32) {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return st.Uid, st.Gid
	}
	return 0, 0
}

// loose says who else than root may write a file or change a folder, by the rules of
// keepalived (check_security in lib/notify.c).
func loose(info fs.FileInfo) string {
	uid, gid := owner(info)
	mode := info.Mode()
	switch {
	case uid != 0:
		return fmt.Sprintf("belongs to user %d", uid)
	case mode.IsDir() && mode&fs.ModeSticky != 0:
		return ""
	case mode&0o002 != 0:
		return fmt.Sprintf("may be written by everybody (mode %04o)", mode.Perm())
	case mode&0o020 != 0 && gid != 0:
		return fmt.Sprintf("may be written by group %d (mode %04o)", gid, mode.Perm())
	}
	return ""
}

// machines are the ELF machines (elf.h, EM_…) that the kernel runs here.
var machines = map[string][]uint16{"amd64": {62, 3}, "arm64": {183, 40}}

// format tells what the kernel would do with a file that begins like this.
func format(head []byte) (f Format, interpreter string) {
	if line, found := bytes.CutPrefix(head, []byte("#!")); found {
		line, _, _ = bytes.Cut(line, []byte("\n"))
		words := strings.Fields(string(line))
		if len(words) == 0 {
			return NoProgram, ""
		}
		return Script, words[0]
	}
	const header = 52 // of a 32-bit file; a 64-bit one has 64
	if len(head) < header || !bytes.HasPrefix(head, []byte("\x7fELF")) {
		return NoProgram, ""
	}
	order := binary.ByteOrder(binary.LittleEndian)
	if head[5] == 2 {
		order = binary.BigEndian
	}
	known, listed := machines[runtime.GOARCH]
	if listed && !slices.Contains(known, order.Uint16(head[18:])) {
		return NoProgram, ""
	}
	return Binary, ""
}

// user finds an account in /etc/passwd, or, on this host, wherever else accounts are.
func (r Root) user(name string) (User, bool) {
	data, _ := r.Read("/etc/passwd")
	if user, found := passwd(data, name); found || r != "" {
		return user, found
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	out, _ := exec.CommandContext(ctx, "getent", "passwd", "--", name).Output()
	return passwd(out, name)
}

func passwd(data []byte, name string) (User, bool) {
	lines := bufio.NewScanner(bytes.NewReader(data))
	for lines.Scan() {
		fields := strings.Split(lines.Text(), ":")
		if len(fields) < 4 || fields[0] != name {
			continue
		}
		uid, err := strconv.ParseUint(fields[2], 10, 32)
		gid, err2 := strconv.ParseUint(fields[3], 10, 32)
		return User{uint32(uid), uint32(gid)}, errors.Join(err, err2) == nil
	}
	return User{}, false
}

// LookAround finds out about the paths and accounts that the host's files name.
func (h *Host) LookAround(r Root) {
	h.Disk = Disk{Paths: map[string]Path{}, Users: map[string]User{}}
	paths, users := h.names()
	for _, path := range paths {
		if _, done := h.Disk.Paths[path]; !done {
			h.Disk.Paths[path] = r.Look(path)
		}
	}
	for _, name := range users {
		if user, found := r.user(name); found {
			h.Disk.Users[name] = user
		}
	}
}

// names are the paths and accounts that the rules ask for.
func (h *Host) names() (paths, users []string) {
	users = append([]string{fallbackUser, "root"}, redisUsers...)
	users = append(users, global(h.Keepalived, "script_user").Value(1))
	for _, block := range h.Keepalived.All("vrrp_script") {
		users = append(users, block.Last("user").Value(1))
	}
	for _, s := range scripts(h.Keepalived) {
		if s.isFile() {
			paths = append(paths, s.path())
		}
		users = append(users, s.rest...)
	}
	h.sentinelScripts(func(_ redisconf.Directive, path string, _ Path) { paths = append(paths, path) })
	if h.Redis != nil {
		paths = append(paths, folderOf(h.Redis.File))
	}
	for _, unit := range h.Units {
		users = append(users, unit.User)
	}
	users = slices.DeleteFunc(users, func(name string) bool { return name == "" })
	slices.Sort(users)
	return paths, slices.Compact(users)
}
