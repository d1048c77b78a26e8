// Package shell has the hooks that people write in place of our programs: a few
// lines of shell each, as articles on Redis under keepalived or Sentinel have
// them. The lab puts them beside our programs in the same fault.
package shell

import (
	"embed"
	"regexp"
	"strings"

	"redis-vip/examples/lab/netlab"
	"redis-vip/examples/lab/site"
)

//go:embed hooks
var hooks embed.FS

// folder is where the examples look for them.
const folder = "/usr/lib/redis-vip/"

// Files are the hooks, at the paths where the examples look for them.
func Files() []netlab.File {
	var files []netlab.File
	for _, name := range []string{"redis-check", "notify-master", "notify-backup", "sentinel-reconfig"} {
		content, err := hooks.ReadFile("hooks/" + name)
		if err != nil {
			panic(err) // it is not embedded
		}
		files = append(files, netlab.File{Path: folder + name, Content: content, Mode: 0o755})
	}
	return files
}

// Options are an example with these hooks, and with nothing of ours: a redis.conf
// without the include that never boots a master, a keepalived.conf without the
// notify line that no article has.
func Options() site.Options {
	return site.Options{
		Files: Files(),
		Edit: map[string]func([]byte) []byte{
			site.RedisConf:      withoutInclude,
			site.KeepalivedConf: withoutContested,
		},
	}
}

func withoutInclude(conf []byte) []byte {
	text, _, _ := strings.Cut(string(conf), "\ninclude ")
	return []byte(text + "\n")
}

var contested = regexp.MustCompile(`(?m)^\s*notify_master_rx_lower_pri .*\n`)

func withoutContested(conf []byte) []byte { return contested.ReplaceAll(conf, nil) }
