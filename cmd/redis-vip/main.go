// Command redis-vip looks at, and looks after, a Redis behind a virtual address. It
// is the one binary of the packages: as a link or a copy of another name, or with
// one as its first argument, it is also redis-check, notify-master, notify-backup
// and sentinel-reconfig.
package main

import (
	"os"

	"redis-vip/cmd/internal/program"
)

func main() {
	os.Exit(program.Named(os.Args, program.Streams{Out: os.Stdout, Err: os.Stderr}))
}
