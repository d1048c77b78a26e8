package program

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

// An option that a program takes stands in its man page, and one that stands there is
// taken; the common ones stand in redis-vip(8). The same goes for commands.
func TestManPagesHaveAllOptions(t *testing.T) {
	shared := described(t, "redis-vip")[""]
	if want := optionNames(common()); !slices.Equal(shared, want) {
		t.Errorf("redis-vip(8), OPTIONS: %v; the programs take %v", shared, want)
	}
	apps := map[Name]*cli.App{
		RedisCheck: checkApp(), NotifyMaster: notifyApp(NotifyMaster), NotifyBackup: notifyApp(NotifyBackup), SentinelReconfig: reconfigApp(),
	}
	for name, app := range apps {
		page := described(t, string(name))[""]
		if want := own(app.Flags); !slices.Equal(page, want) {
			t.Errorf("%s(8) has the options %v; of its own it takes %v", name, page, want)
		}
	}
}

func TestManPageHasAllCommands(t *testing.T) {
	page := described(t, "redis-vip")
	delete(page, "")
	var walk func(before string, list []*cli.Command)
	walk = func(before string, list []*cli.Command) {
		for _, c := range list {
			name := before + c.Name
			if len(c.Subcommands) > 0 {
				walk(name+" ", c.Subcommands)
				continue
			}
			options, there := page[name]
			if !there && !c.Hidden {
				t.Errorf("redis-vip(8) lacks the command %s: add .It Ic %[1]s", name)
			}
			if want := own(c.Flags); !slices.Equal(options, want) {
				t.Errorf("redis-vip(8), %s: the options %v; it takes %v", name, options, want)
			}
			delete(page, name)
		}
	}
	walk("", personApp().Commands)
	for name := range page {
		t.Errorf("redis-vip(8) describes %s, which is no command", name)
	}
}

// own are the names of the options beyond the common ones.
func own(flags []cli.Flag) []string {
	shared := optionNames(common())
	return slices.DeleteFunc(optionNames(flags), func(name string) bool { return slices.Contains(shared, name) })
}

// optionNames are sorted, and without those that only programs use.
func optionNames(flags []cli.Flag) (names []string) {
	for _, f := range flags {
		if v, ok := f.(cli.VisibleFlag); ok && !v.IsVisible() {
			continue
		}
		names = append(names, f.Names()[0])
	}
	slices.Sort(names)
	return names
}

var (
	manOption  = regexp.MustCompile(`^\.It Fl (?:Fl )?([a-z-]+)`)
	manCommand = regexp.MustCompile(`^\.It Ic ([a-z]+(?: [a-z]+)?)\b`)
)

// described are the options of a man page, sorted, by the command that they belong
// to, or by "" in other sections.
func described(t *testing.T, name string) map[string][]string {
	t.Helper()
	text, err := os.ReadFile("../../../packaging/man/" + name + ".8")
	if err != nil {
		t.Fatal(err)
	}
	options := map[string][]string{"": nil}
	command := ""
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, ".Sh") {
			command = ""
		} else if found := manCommand.FindStringSubmatch(line); found != nil {
			command = found[1]
			options[command] = nil
		} else if found := manOption.FindStringSubmatch(line); found != nil {
			options[command] = append(options[command], found[1])
		}
	}
	for _, list := range options {
		slices.Sort(list)
	}
	return options
}
