package main

import (
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// Every program starts every package, and a check starts once a second: what only some
// command needs (a regular expression, a table) is made when it needs it.
func TestPackagesStartWithLittle(t *testing.T) {
	const most = 2 << 10 // bytes
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command(self, "-test.run=^$")
	command.Env = append(os.Environ(), "GODEBUG=inittrace=1")
	trace, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, trace)
	}
	started := regexp.MustCompile(`(?m)^init (\S+) @.*, (\d+) bytes, \d+ allocs$`).FindAllStringSubmatch(string(trace), -1)
	if len(started) == 0 {
		t.Fatalf("no trace: %s", trace)
	}
	for _, line := range started {
		name, bytes := line[1], line[2]
		if n, _ := strconv.Atoi(bytes); strings.HasPrefix(name, "redis-vip/") && n > most {
			t.Errorf("%s allocates %d bytes when it is initialised, and %d are enough", name, n, most)
		}
	}
}
