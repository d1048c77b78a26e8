package booted

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strconv"

	"redis-vip/examples/lab/netlab"
)

// Start starts a process in the booted system, outside of all units. Its output
// goes to the journal unless c.Capture is set. The Process is that of nsenter(1)
// around it: signals have to go to all.
func (h *Host) Start(ctx context.Context, c netlab.Command) (*netlab.Process, error) {
	c, err := h.inside(c)
	if err != nil {
		return nil, err
	}
	return h.Host.Start(ctx, c)
}

// Run runs a process in the booted system to its end, as netlab's Run does.
func (h *Host) Run(ctx context.Context, c netlab.Command) (netlab.Status, error) {
	c, err := h.inside(c)
	if err != nil {
		return netlab.Status{}, err
	}
	return h.Host.Run(ctx, c)
}

// Output runs a command line in the booted system that must succeed, and returns
// its standard output.
func (h *Host) Output(ctx context.Context, args ...string) (string, error) {
	return h.output(ctx, netlab.Command{Args: args})
}

// Systemctl runs systemctl(1) with these arguments.
func (h *Host) Systemctl(ctx context.Context, args ...string) (string, error) {
	return h.Output(ctx, append([]string{"systemctl"}, args...)...)
}

func (h *Host) output(ctx context.Context, c netlab.Command) (string, error) {
	name := fmt.Sprint(c.Args)
	status, err := h.Run(ctx, c)
	if err == nil && (status.Code != 0 || status.Signal != 0) {
		err = fmt.Errorf("%s: %s: %v: %s", h.Name, name, status, status.Stderr)
	}
	return string(status.Stdout), err
}

// inside turns a command for the booted system into one for the host around it.
// Accounts and paths are the booted system's, so others look them up.
func (h *Host) inside(c netlab.Command) (netlab.Command, error) {
	enter, err := h.enter()
	if err != nil {
		return c, err
	}
	if len(c.Args) == 0 || len(c.Ambient) > 0 {
		return c, errors.New("no program, or ambient capabilities: these are for units")
	}
	if c.User != "" || c.Group != "" {
		enter = append(enter, "sh", "-c", become, "sh", first(c.User, "root"), c.Group)
		c.User, c.Group = "", ""
	}
	if c.Dir != "" {
		enter = append(enter, "env", "-C", c.Dir)
		c.Dir = ""
	}
	if c.Identifier == "" {
		c.Identifier = c.Args[0]
	}
	c.Args = append(enter, c.Args...)
	return c, nil
}

// become changes to a user and a group, the user's own if empty.
const become = `u=$1 g=${2:-$(id -g "$1")}; shift 2; exec setpriv --reuid="$u" --regid="$g" --init-groups -- "$@"`

// enter is the beginning of a command line that goes into the booted system.
func (h *Host) enter() ([]string, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.power == nil || !h.power.on() {
		return nil, fmt.Errorf("%s is off", h.Name)
	}
	return []string{"nsenter", "--all", "--target", strconv.Itoa(h.power.leader), "--"}, nil
}

// write is what puts its standard input in the place of a file.
const write = `set -e; umask 022
mkdir -p "$(dirname "$1")"; t=$(mktemp "$1.lab-XXXXXX"); cat >"$t"
chown "$2" "$t"; chmod "$3" "$t"; mv -fT "$t" "$1"`

// folder makes a folder.
const folder = `set -e; umask 022; mkdir -p "$1"; chown "$2" "$1"; chmod "$3" "$1"`

// WriteFile writes a file of the booted system, or makes a folder, with the
// folders above it.
func (h *Host) WriteFile(ctx context.Context, f netlab.File) error {
	owner := first(f.Owner, "root") + ":" + f.Group // without a group: the owner's own
	mode := fmt.Sprintf("%04o", bits(f.Mode))
	if f.Mode.IsDir() {
		_, err := h.Output(ctx, "sh", "-c", folder, "sh", f.Path, owner, mode)
		return err
	}
	enter, err := h.enter()
	if err != nil {
		return err
	}
	staged := fmt.Sprintf("%s/%d", staging, h.staged.Add(1))
	if err := h.Host.WriteFile(netlab.File{Path: staged, Content: f.Content, Mode: 0o600}); err != nil {
		return err
	}
	args := append([]string{"sh", "-c", `exec "$@" <"$0"`, staged}, enter...)
	if _, err := h.Host.Output(ctx, append(args, "sh", "-c", write, "sh", f.Path, owner, mode)...); err != nil {
		return err
	}
	return h.Host.Remove(staged)
}

// bits are a mode as chmod(1) wants it.
func bits(m fs.FileMode) uint32 {
	b := uint32(m.Perm())
	for i, special := range []fs.FileMode{fs.ModeSticky, fs.ModeSetgid, fs.ModeSetuid} {
		if m&special != 0 {
			b |= 0o1000 << i
		}
	}
	return b
}

// ReadFile returns the content of a file of the booted system.
func (h *Host) ReadFile(ctx context.Context, path string) ([]byte, error) {
	content, err := h.Output(ctx, "cat", path)
	return []byte(content), err
}

// Remove removes a file of the booted system, or a folder with everything in it.
func (h *Host) Remove(ctx context.Context, path string) error {
	_, err := h.Output(ctx, "rm", "-rf", path)
	return err
}

// AddUser adds a system account with a group of the same name.
func (h *Host) AddUser(ctx context.Context, name, home string) error {
	_, err := h.Output(ctx, "useradd", "--system", "--user-group", "--no-create-home", "--home-dir", home, name)
	return err
}
