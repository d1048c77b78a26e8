// Command notify-master makes the local Redis the master where the VIP is: keepalived's
// notify_master.
package main

import (
	"os"

	"redis-vip/cmd/internal/program"
)

func main() {
	os.Exit(program.Run(program.NotifyMaster, os.Args, program.Streams{Out: os.Stdout, Err: os.Stderr}))
}
