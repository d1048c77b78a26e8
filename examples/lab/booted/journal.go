package booted

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"redis-vip/examples/lab/netlab"
)

// journals is where journald keeps what is to outlive a boot.
const journals = "/var/log/journal"

// journald loses nothing of a storm, and does not fill the memory.
const journald = "[Journal]\nStorage=persistent\nRateLimitBurst=0\nSystemMaxUse=64M\nCompress=no\n"

// followJournal leads a host's journal into the lab's, over all its boots: the
// files are read from outside. (Without --merge journalctl would show one boot.)
func (h *Host) followJournal(ctx context.Context) (err error) {
	// Open for writing too: then it does not end between writers.
	if h.journal, err = os.OpenFile(fmt.Sprintf("/proc/%d/root%s", h.PID(), pipe), os.O_RDWR|unix.O_NONBLOCK, 0); err != nil {
		return err
	}
	go h.readJournal()
	_, err = h.Host.Start(ctx, netlab.Command{Args: []string{"sh", "-c", `exec journalctl --directory="$0" --merge --follow --no-tail --all --output=json >"$1"`, rootPath + journals, pipe}})
	return err
}

func (h *Host) readJournal() {
	lines := bufio.NewReaderSize(h.journal, 1<<16)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return // closed
		}
		e, err := parseEntry(line)
		if err != nil {
			e = netlab.Entry{At: time.Now(), Identifier: "lab", Priority: 3, Message: fmt.Sprintf("unreadable entry: %v", err)}
		}
		e.Host = h.Name
		h.lab.Journal.Add(e)
	}
}

// parseEntry reads an entry as journalctl writes it in JSON.
func parseEntry(line []byte) (netlab.Entry, error) {
	var fields map[string]field
	if err := json.Unmarshal(line, &fields); err != nil {
		return netlab.Entry{}, err
	}
	e := netlab.Entry{Priority: 6, Fields: make(map[string]string, len(fields))}
	for name, value := range fields {
		e.Fields[name] = string(value)
	}
	e.Message = e.Fields["MESSAGE"]
	e.Identifier = first(e.Fields["SYSLOG_IDENTIFIER"], e.Fields["_COMM"])
	if p, err := strconv.Atoi(e.Fields["PRIORITY"]); err == nil {
		e.Priority = p
	}
	// When it was sent, where that is known, else when it came.
	at, err := strconv.ParseInt(first(e.Fields["_SOURCE_REALTIME_TIMESTAMP"], e.Fields["__REALTIME_TIMESTAMP"]), 10, 64)
	e.At = time.UnixMicro(at)
	return e, err
}

func first(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// field is a journal field's value: a string, or an array of bytes if it is no
// text, or an array of either if there are several; then the first counts.
type field string

// UnmarshalJSON implements json.Unmarshaler.
func (f *field) UnmarshalJSON(b []byte) error {
	var text string
	if err := json.Unmarshal(b, &text); err == nil {
		*f = field(text)
		return nil
	}
	var octets []int // not bytes: those would be base64
	if err := json.Unmarshal(b, &octets); err == nil {
		raw := make([]byte, len(octets))
		for i, o := range octets {
			raw[i] = byte(o)
		}
		*f = field(raw)
		return nil
	}
	var several []field
	if err := json.Unmarshal(b, &several); err != nil {
		return err
	}
	if len(several) > 0 {
		*f = several[0]
	}
	return nil
}

// FollowLog leads a log file of the booted system into the journal, over all
// boots: f becomes a pipe, and what is written to it becomes entries.
func (h *Host) FollowLog(ctx context.Context, f netlab.File, identifier string) error {
	// Accounts are the booted system's: to be looked up there.
	outside := netlab.File{Path: rootPath + f.Path, Mode: f.Mode}
	if err := h.Host.FollowLog(outside, identifier); err != nil {
		return err
	}
	_, err := h.Output(ctx, "chown", first(f.Owner, "root")+":"+f.Group, f.Path)
	return err
}
