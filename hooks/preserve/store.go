package preserve

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
	"unicode"

	"golang.org/x/sys/unix"
)

// Store is the folder of a group in which preserved writes are kept:
// `/var/lib/redis-vip/GROUP/`.
//
// A preserved file has its final name only when all of it is on the disk, and what
// a killed run left is removed by the next one. Files that were not replayed are
// never deleted by this program. Of those that were, the oldest go as long as there
// are more than Keep files in all.
type Store struct {
	Dir   string // the state folder, /var/lib/redis-vip; it must be there
	Group string // one folder in it
	Keep  int    // how many files are kept; 0 means 10
}

const (
	defaultKeep = 10
	draftPrefix = ".saving-"
	sidecar     = ".json"
	reserve     = 1 << 20 // bytes of the disk that are left to others
)

// ErrNoSpace says that the disk cannot hold what is to be preserved.
var ErrNoSpace = errors.New("not enough space")

func (s Store) folder() string { return filepath.Join(s.Dir, s.Group) }

// open opens the group's folder, and makes it if it is not there. Nothing is
// reached through it that lies elsewhere, whatever links a user made in it.
func (s Store) open() (*os.Root, error) {
	if !filepath.IsLocal(s.Group) || filepath.Base(s.Group) != s.Group || strings.HasPrefix(s.Group, ".") {
		return nil, fmt.Errorf("group %q cannot be the name of a folder", s.Group)
	}
	state, err := os.OpenRoot(s.Dir)
	if err != nil {
		return nil, fmt.Errorf("%w: make the state folder: install -d -o redis-vip -g redis -m 0750 %s", err, s.Dir)
	}
	defer state.Close()
	if err := state.Mkdir(s.Group, 0o700); err == nil {
		state.Chmod(s.Group, 0o700) // keepalived's umask is 0177
		adopt(state, ".", func(uid, gid int) error { return state.Lchown(s.Group, uid, gid) })
	} else if !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	return state.OpenRoot(s.Group)
}

// adopt gives what root made to the owner of the folder it lies in, so that
// keepalived's script user can read it too.
func adopt(root *os.Root, name string, chown func(uid, gid int) error) error {
	if os.Geteuid() != 0 {
		return nil
	}
	info, err := root.Stat(name)
	if err != nil {
		return err
	}
	owner := info.Sys().(*syscall.Stat_t)
	return chown(int(owner.Uid), int(owner.Gid))
}

// room says whether the file system has space for n bytes more.
func (s Store) room(n int64) error {
	var disk unix.Statfs_t
	if err := unix.Statfs(s.folder(), &disk); err != nil {
		return fmt.Errorf("%s: statfs: %w", s.folder(), err)
	}
	if free := int64(disk.Bavail) * disk.Bsize; free < n+reserve {
		return fmt.Errorf("%w: %s has %s free, and %s are to be preserved%s", ErrNoSpace, s.folder(), size(free), size(n), s.ballast())
	}
	return nil
}

// ballast names what an operator might remove.
func (s Store) ballast() string {
	files, _ := s.List()
	var sum int64
	for _, f := range files {
		sum += f.Size
	}
	if sum == 0 {
		return ""
	}
	return fmt.Sprintf(": %d older files there hold %s: see redis-vip preserved list", len(files), size(sum))
}

func size(n int64) string {
	switch {
	case n < 1000:
		return fmt.Sprintf("%d B", n)
	case n < 1000*1000:
		return fmt.Sprintf("%.1f kB", float64(n)/1e3)
	default:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	}
}

// draft is a file that has no final name yet. It is locked for as long as somebody
// writes it.
type draft struct {
	store Store
	root  *os.Root
	file  *os.File
	name  string
	out   *bufio.Writer
}

func (s Store) draft() (*draft, error) {
	root, err := s.open()
	if err != nil {
		return nil, err
	}
	s.sweep(root)
	d := &draft{store: s, root: root, name: fmt.Sprintf("%s%d-%d", draftPrefix, os.Getpid(), time.Now().UnixNano())}
	if d.file, err = create(root, d.name); err != nil {
		root.Close()
		return nil, err
	}
	if err := unix.Flock(int(d.file.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		d.discard()
		return nil, fmt.Errorf("%s: another run took it for a leftover: %w", d.name, err)
	}
	d.out = bufio.NewWriterSize(d.file, readBuffer)
	return d, nil
}

// create makes a file that only its owner reads.
func create(root *os.Root, name string) (*os.File, error) {
	file, err := root.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	if err := adopt(root, ".", file.Chown); err != nil {
		file.Close()
		root.Remove(name)
		return nil, err
	}
	return file, nil
}

// Write adds to the draft.
func (d *draft) Write(p []byte) (int, error) { return d.out.Write(p) }

// restart empties it.
func (d *draft) restart() error {
	d.out.Reset(d.file)
	if _, err := d.file.Seek(0, 0); err != nil {
		return err
	}
	return d.file.Truncate(0)
}

// discard leaves nothing behind. After keep it does nothing.
func (d *draft) discard() {
	if d.file == nil {
		return
	}
	d.root.Remove(d.name)
	d.file.Close()
	d.root.Close()
	d.file = nil
}

// keep gives the draft its final name. The sidecar comes first: alone it counts for
// nothing.
func (d *draft) keep(m Meta) (File, error) {
	name := m.fileName()
	if err := m.named(); err != nil {
		return File{}, err
	}
	if err := errors.Join(d.out.Flush(), d.file.Sync()); err != nil {
		return File{}, err
	}
	info, err := d.file.Stat()
	if err != nil {
		return File{}, err
	}
	if err := writeSidecar(d.root, name, m); err != nil {
		return File{}, err
	}
	if err := errors.Join(d.root.Rename(d.name, name), syncFolder(d.root)); err != nil {
		d.root.Remove(name + sidecar)
		return File{}, err
	}
	d.file.Close()
	d.root.Close()
	d.file = nil
	return File{Path: filepath.Join(d.store.folder(), name), Size: info.Size(), Meta: m}, nil
}

// writeSidecar puts m beside the file of that name, all of it or nothing.
func writeSidecar(root *os.Root, name string, m Meta) error {
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	temporary := fmt.Sprintf("%s%d-%d%s", draftPrefix, os.Getpid(), time.Now().UnixNano(), sidecar)
	file, err := create(root, temporary)
	if err != nil {
		return err
	}
	_, err = file.Write(append(text, '\n'))
	if err = errors.Join(err, file.Sync(), file.Close()); err == nil {
		err = root.Rename(temporary, name+sidecar)
	}
	if err != nil {
		root.Remove(temporary)
		return err
	}
	return syncFolder(root)
}

func syncFolder(root *os.Root) error {
	folder, err := root.Open(".")
	if err != nil {
		return err
	}
	defer folder.Close()
	return folder.Sync()
}

// sweep removes what killed runs left: drafts that nobody holds locked, and
// sidecars without a file.
func (s Store) sweep(root *os.Root) {
	names := list(root)
	for _, name := range names {
		of, isSidecar := strings.CutSuffix(name, sidecar)
		switch {
		case strings.HasPrefix(name, draftPrefix):
			if file, err := root.OpenFile(name, os.O_RDWR|unix.O_NOFOLLOW, 0); err == nil {
				if unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil {
					root.Remove(name)
				}
				file.Close()
			}
		case isSidecar && fileName().MatchString(of) && !slices.Contains(names, of):
			root.Remove(name)
		}
	}
}

func list(root *os.Root) (names []string) {
	folder, err := root.Open(".")
	if err != nil {
		return nil
	}
	defer folder.Close()
	names, _ = folder.Readdirnames(-1)
	return names
}

// List is what is preserved, the newest first. A folder that is not there yet is
// empty.
func (s Store) List() ([]File, error) {
	entries, err := os.ReadDir(s.folder())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var files []File
	for _, entry := range slices.Backward(entries) { // names begin with the time
		if !fileName().MatchString(entry.Name()) {
			continue
		}
		if f, err := Open(filepath.Join(s.folder(), entry.Name())); err == nil {
			files = append(files, f)
		}
	}
	return files, nil
}

// Find opens a file of the store by its name, or any preserved file by its path.
func (s Store) Find(name string) (File, error) {
	if filepath.Base(name) == name {
		name = filepath.Join(s.folder(), name)
	}
	return Open(name)
}

// Open opens a preserved file, which may have been copied to another place. What
// its sidecar would say and its name does not is unknown where that is missing.
func Open(path string) (File, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return File{}, err
	}
	if !info.Mode().IsRegular() {
		return File{}, fmt.Errorf("%s: is no file", path)
	}
	f := File{Path: path, Size: info.Size()}
	f.Meta, err = metaOfName(filepath.Base(path))
	if err != nil {
		return File{}, err
	}
	m, err := readSidecar(path + sidecar)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return f, nil
	case err == nil && m.Kind != f.Kind:
		err = fmt.Errorf("says that this is of the kind %.10q", m.Kind)
	}
	if err != nil {
		return File{}, fmt.Errorf("%s%s: %w: put it aside, and the file is read without", path, sidecar, err)
	}
	f.Meta = m
	return f, nil
}

// maxSidecar is what is read of a sidecar at most, in bytes: the conflicts of a replay
// may be many.
const maxSidecar = 64 << 20

func readSidecar(path string) (m Meta, err error) {
	file, err := openPlain(path)
	if err != nil {
		return m, err
	}
	defer file.Close()
	if err := json.NewDecoder(io.LimitReader(file, maxSidecar)).Decode(&m); err != nil {
		return m, err
	}
	for _, text := range []string{m.Group, m.ReplID, m.Common, m.Node.Addr, m.Winner.Addr, m.Event, m.Why} {
		if strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
			return m, fmt.Errorf("holds %.40q, which no run writes", text)
		}
	}
	return m, nil
}

// openPlain opens a file that others may have made: nothing that would keep the reader
// waiting, such as a pipe.
func openPlain(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() {
		file.Close()
		return nil, errors.Join(err, fmt.Errorf("%s: is no plain file", path))
	}
	return file, nil
}

// prune deletes the oldest files that were replayed while there are more than Keep.
func (s Store) prune() {
	files, _ := s.List()
	keep := s.Keep
	if keep <= 0 {
		keep = defaultKeep
	}
	for _, f := range slices.Backward(files) {
		if len(files) <= keep {
			return
		}
		if f.Replayed != nil && f.Replayed.Done {
			os.Remove(f.Path)
			os.Remove(f.Path + sidecar)
			files = files[:len(files)-1]
		}
	}
}
