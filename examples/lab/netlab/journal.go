package netlab

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Entry is one journal entry of a host.
type Entry struct {
	At         time.Time // when it was sent
	Host       string    // empty for a note about the whole lab
	Identifier string    // the program; "lab" for the lab's own notes
	Priority   int       // 0 (emergency) to 7 (debug)
	Message    string
	Fields     map[string]string // of the native protocol; nil otherwise
}

// String is a line of a timeline.
func (e Entry) String() string {
	return fmt.Sprintf("%s %-7s %s: %s", e.At.Format("15:04:05.000"), e.Host, e.Identifier, e.Message)
}

// listenForLogs takes the place of systemd-journald on a host: its native
// socket, syslog, and the streams that services' output goes to.
//
// The sockets are in the host, the reader is here: so entries of all hosts
// come in order, and the times are the kernel's, of the moment of sending.
func (h *Host) listenForLogs() error {
	// Our own mounts are below these paths, with no symlink on the way.
	dir := fmt.Sprintf("/proc/%d/root/run/systemd/journal/", h.pid)
	for name, parse := range map[string]func([]byte, *Entry) error{
		"socket":  parseNative,
		"dev-log": parseSyslog,
	} {
		conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: dir + name, Net: "unixgram"})
		if err != nil {
			return err
		}
		h.sockets = append(h.sockets, conn)
		if err := os.Chmod(dir+name, 0o666); err != nil {
			return err
		}
		raw, err := conn.SyscallConn()
		if err != nil {
			return err
		}
		if err := askForTimes(raw); err != nil {
			return err
		}
		go h.readDatagrams(conn, parse)
	}
	streams, err := net.ListenUnix("unix", &net.UnixAddr{Name: dir + "stdout", Net: "unix"})
	if err != nil {
		return err
	}
	// It is closed after the host is gone, when the path may lead elsewhere.
	streams.SetUnlinkOnClose(false)
	h.sockets = append(h.sockets, streams)
	go func() {
		for {
			conn, err := streams.Accept()
			if err != nil {
				return // closed
			}
			go h.readStream(conn)
		}
	}()
	return os.Chmod(dir+"stdout", 0o666)
}

// readDatagrams reads entries of one protocol until the socket is closed.
func (h *Host) readDatagrams(conn *net.UnixConn, parse func([]byte, *Entry) error) {
	datagram, control := make([]byte, 256<<10), make([]byte, 256)
	for {
		n, cn, _, _, err := conn.ReadMsgUnix(datagram, control)
		if err != nil {
			return
		}
		e := Entry{At: kernelTime(control[:cn]), Host: h.Name, Priority: 6}
		content := datagram[:n]
		for _, f := range attached(control[:cn]) {
			// An entry too large for a datagram. The file's offset is at its
			// end; a section reader has its own.
			content, err = io.ReadAll(io.NewSectionReader(f, 0, 1<<26))
			f.Close()
		}
		if err == nil {
			err = parse(content, &e)
		}
		if err != nil {
			e.Identifier, e.Priority, e.Message = "lab", 3, fmt.Sprintf("unreadable entry: %v", err)
		}
		h.lab.Journal.Add(e)
	}
}

// readStream reads what journalStream of the agent wrote: seven header lines,
// then the output of a service.
func (h *Host) readStream(conn net.Conn) {
	defer conn.Close()
	lines := bufio.NewReader(conn)
	var identifier string
	for i := range 7 {
		line, err := lines.ReadString('\n')
		if err != nil {
			return
		}
		if i == 0 {
			identifier = strings.TrimSuffix(line, "\n")
		}
	}
	for {
		line, err := lines.ReadString('\n')
		if line = strings.TrimRight(line, "\r\n"); line != "" {
			h.lab.Journal.Add(Entry{At: time.Now(), Host: h.Name, Identifier: identifier, Priority: 6, Message: line})
		}
		if err != nil {
			return
		}
	}
}

// attached returns the files that came beside a datagram.
func attached(control []byte) (files []*os.File) {
	messages, _ := unix.ParseSocketControlMessage(control)
	for _, m := range messages {
		fds, _ := unix.ParseUnixRights(&m) // fails for other kinds of messages
		for _, fd := range fds {
			files = append(files, os.NewFile(uintptr(fd), "attached"))
		}
	}
	return files
}

// parseNative reads the journal's own protocol: NAME=value lines, or for a
// value with line breaks NAME, its length in 8 bytes, the value.
// https://systemd.io/JOURNAL_NATIVE_PROTOCOL/
func parseNative(b []byte, e *Entry) error {
	e.Fields = make(map[string]string)
	for len(b) > 0 {
		line, rest, _ := bytes.Cut(b, []byte("\n"))
		name, value, oneLine := bytes.Cut(line, []byte("="))
		if !oneLine && len(line) > 0 {
			if len(rest) < 8 {
				return fmt.Errorf("field %q is cut short", name)
			}
			size := binary.LittleEndian.Uint64(rest)
			rest = rest[8:]
			if size >= uint64(len(rest)) {
				return fmt.Errorf("field %q is cut short", name)
			}
			value, rest = rest[:size], rest[size+1:]
		}
		if len(name) > 0 {
			e.Fields[string(name)] = string(value)
		}
		b = rest
	}
	e.Message = e.Fields["MESSAGE"]
	e.Identifier = e.Fields["SYSLOG_IDENTIFIER"]
	if p, err := strconv.Atoi(e.Fields["PRIORITY"]); err == nil {
		e.Priority = p
	}
	return nil
}

// parseSyslog reads what syslog(3) sends: "<30>Nov 20 23:17:01 name[12]: text",
// or without the time.
func parseSyslog(b []byte, e *Entry) error {
	text := strings.TrimRight(string(b), "\n\x00")
	if head, rest, ok := strings.Cut(text, ">"); ok && strings.HasPrefix(head, "<") {
		if p, err := strconv.Atoi(head[1:]); err == nil {
			e.Priority, text = p&7, rest
		}
	}
	if len(text) > len(time.Stamp) {
		if _, err := time.Parse(time.Stamp, text[:len(time.Stamp)]); err == nil {
			text = text[len(time.Stamp)+1:]
		}
	}
	tag, message, ok := strings.Cut(text, ": ")
	if !ok {
		e.Message = text
		return nil
	}
	e.Identifier, _, _ = strings.Cut(tag, "[")
	e.Message = message
	return nil
}
