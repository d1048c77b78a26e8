package packaging_test

import (
	"regexp"
	"strings"
	"testing"
)

// step is a block of commands of the quick start, and the hosts it is for: the words
// of its comment up to a semicolon.
type step struct {
	on       string
	commands []string
}

// mostCommands is what a newcomer types on one host until the first failover.
const mostCommands = 10

// quickStart reads the steps out of a section of a README, so that what is tested is
// what people are told.
func quickStart(t *testing.T, path, section string) (steps []step) {
	t.Helper()
	_, text, found := strings.Cut(string(read(t, path)), "# "+section+"\n")
	if !found {
		t.Fatalf("%s has no section %q", path, section)
	}
	text, _, _ = strings.Cut(text, "\n##")
	perHost := 0
	for _, block := range regexp.MustCompile("(?s)\n```sh\n(.*?)```").FindAllStringSubmatch(text, -1) {
		for line := range strings.Lines(block[1]) {
			line = strings.TrimSpace(line)
			comment, isComment := strings.CutPrefix(line, "# ")
			switch {
			case line == "":
			case isComment:
				on, _, _ := strings.Cut(comment, ";")
				steps = append(steps, step{on: on})
			case len(steps) == 0:
				t.Fatalf("%s, %s: %q: on which host?", path, section, line)
			default:
				last := &steps[len(steps)-1]
				last.commands = append(last.commands, line)
			}
		}
	}
	for _, s := range steps {
		if s.on != "then, on the other" { // the same as on the first
			perHost += len(s.commands)
		}
	}
	t.Logf("%s: %d commands on each host", section, perHost)
	if perHost > mostCommands {
		t.Errorf("%s: %d commands on each host; %d are enough", section, perHost, mostCommands)
	}
	return steps
}
