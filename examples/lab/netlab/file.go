package netlab

import (
	"context"
	"time"

	"redis-vip/examples/lab/netlab/internal/agent"
)

// File is a file or a folder of a host.
type File = agent.File

// fileTime is more than any file takes.
const fileTime = 10 * time.Second

// WriteFile writes a file, or makes a folder, with the folders above it.
func (h *Host) WriteFile(f File) error { return h.quick("WriteFile", f, nil) }

// ReadFile returns a file's content.
func (h *Host) ReadFile(path string) (content []byte, err error) {
	err = h.quick("ReadFile", path, &content)
	return content, err
}

// Remove removes a file, or a folder with everything in it.
func (h *Host) Remove(path string) error { return h.quick("Remove", path, nil) }

// AddUser adds a system account with a group of the same name, to this host
// alone.
func (h *Host) AddUser(name, home string) error {
	return h.quick("AddUser", agent.User{Name: name, Home: home}, nil)
}

// FollowLog leads a log file into the journal: f becomes a pipe, and what is
// written to it becomes entries.
func (h *Host) FollowLog(f File, identifier string) error {
	return h.quick("FollowLog", agent.Log{File: f, Identifier: identifier}, nil)
}

func (h *Host) quick(method string, argument, result any) error {
	ctx, cancel := context.WithTimeout(context.Background(), fileTime)
	defer cancel()
	return h.call(ctx, method, argument, result)
}
