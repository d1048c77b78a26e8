// Command notify-backup makes the local Redis a replica where the VIP is not: keepalived's
// notify_backup, notify_fault and notify_stop.
package main

import (
	"os"

	"redis-vip/cmd/internal/program"
)

func main() {
	os.Exit(program.Run(program.NotifyBackup, os.Args, program.Streams{Out: os.Stdout, Err: os.Stderr}))
}
