// Command redis-check says whether this node is fit to hold the VIP: the script of a
// keepalived vrrp_script.
package main

import (
	"os"

	"redis-vip/cmd/internal/program"
)

func main() {
	os.Exit(program.RunCheck(os.Args, program.Streams{Out: os.Stdout, Err: os.Stderr}))
}
