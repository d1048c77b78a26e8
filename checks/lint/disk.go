package lint

import "io/fs"

// Disk is what the files name on the host's disk.
type Disk struct {
	Paths map[string]Path // by the name that the file has
	Users map[string]User // by name; who is missing does not exist
}

// Path is a file or folder, with all links followed.
type Path struct {
	Exists bool
	Real   string // without links
	UID    uint32
	GID    uint32
	Mode   fs.FileMode
	Format Format
	// Interpreter is what #! names, without links; empty if there is none such.
	Interpreter string
	// Loose is the first folder on the way, or the file itself, that somebody else
	// than root may write; LooseFor says who.
	Loose, LooseFor string
}

// Format says what a file is to the kernel that shall run it.
type Format uint8

// The formats.
const (
	NoProgram Format = iota // the kernel would not run it (ENOEXEC)
	Script                  // begins with #!
	Binary                  // an ELF file for this machine
)

// User is an account.
type User struct{ UID, GID uint32 }

// executableBy says whether the permissions let the user run the file (is_executable
// in lib/notify.c of keepalived).
func (p Path) executableBy(u User) bool { return p.permits(u, 0o111) }

func (p Path) writableBy(u User) bool { return u.UID == 0 || p.permits(u, 0o222) }

func (p Path) permits(u User, bits fs.FileMode) bool {
	mode := p.Mode.Perm() & bits
	switch {
	case u.UID == 0:
		return mode != 0
	case u.UID == p.UID:
		return mode&0o700 != 0
	case u.GID == p.GID:
		return mode&0o070 != 0
	default:
		return mode&0o007 != 0
	}
}
