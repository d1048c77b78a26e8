// Command sentinel-reconfig puts the VIP where the Sentinels say the master is: Sentinel's
// client-reconfig-script.
package main

import (
	"os"

	"redis-vip/cmd/internal/program"
)

func main() {
	os.Exit(program.Run(program.SentinelReconfig, os.Args, program.Streams{Out: os.Stdout, Err: os.Stderr}))
}
