package site

import (
	"errors"
	"io/fs"
	"strings"

	"redis-vip/examples/lab/netlab"
)

// dropIn plays systemd's part in the drop-in of redis-server.service that an example may
// have: it runs the very lines of the file when Redis is up, and when it has ended.
func (r *Redis) dropIn(from source) error {
	const file = "tell-keepalived.conf"
	text, err := from.file(file, "/etc/systemd/system/redis-server.service.d/"+file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	r.startPost, r.stopPost, r.ready = commands(text, "ExecStartPost"), commands(text, "ExecStopPost"), r.WaitAnswering
	return nil
}

// commands are what a unit says to run on an occasion. The quotes of systemd mean the same
// to a shell, as long as they are simple.
func commands(unit []byte, occasion string) (list []netlab.Command) {
	for line := range strings.Lines(string(unit)) {
		if command, found := strings.CutPrefix(strings.TrimSpace(line), occasion+"="); found {
			list = append(list, netlab.Command{Args: []string{"/bin/sh", "-c", strings.TrimLeft(command, "-+")}})
		}
	}
	return list
}
