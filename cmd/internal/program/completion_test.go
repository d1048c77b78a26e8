package program

import (
	"bytes"
	"flag"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"text/template"

	"github.com/urfave/cli/v2"
)

var update = flag.Bool("update", false, "write the completions in packaging/completions anew")

// completions are the files of the packages. They are made here, ahead, and not asked
// of the program while a person types, as cli can do it: whoever presses the tab key
// in "redis-vip notify-master …" must not start a hook.
var completions = map[string]string{
	"redis-vip.bash": bashCompletion,
	"_redis-vip":     zshCompletion,
	"redis-vip.fish": fishCompletion,
}

func TestCompletionsAreUpToDate(t *testing.T) {
	for _, o := range completionTree().Options() {
		if o.Usage == "" {
			t.Errorf("--%s: nothing says what it is", o.Name) // or it is read wrongly here
		}
	}
	for name, text := range completions {
		var want bytes.Buffer
		if err := template.Must(template.New(name).Funcs(template.FuncMap{
			"join": func(words []string) string { return strings.Join(words, " ") }, "quote": quote, "spec": spec, "cases": cases,
		}).Parse(text)).Execute(&want, completionTree()); err != nil {
			t.Fatal(err)
		}
		path := "../../../packaging/completions/" + name
		if *update {
			if err := os.WriteFile(path, want.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want.Bytes()) {
			t.Errorf("%s is not what the commands are now (%v): go test ./cmd/internal/program -run TestCompletions -update", path, err)
		}
	}
}

// tree is what can follow redis-vip on a command line.
type tree struct {
	Commands []command
	Common   []option // what every command takes
}

type command struct {
	Path      []string // "preserved", "list"
	Usage     string
	Options   []option // beyond the common ones
	Arguments string   // "group", "file", "path", "switch" or ""
	Within    []string // its own commands
}

func (c command) Name() string { return c.Path[len(c.Path)-1] }
func (c command) Words() string {
	return strings.Join(c.Path, " ")
}

type option struct {
	Name, Usage string
	Value       string   // "", "FILE", "DIR" or another word
	Choice      []string // all its values, where they are few
}

func completionTree() (t tree) {
	for _, flag := range common() {
		t.Common = append(t.Common, optionOf(flag))
	}
	var walk func(path []string, list []*cli.Command)
	walk = func(path []string, list []*cli.Command) {
		for _, c := range list {
			one := command{Path: append(slices.Clone(path), c.Name), Usage: c.Usage}
			switch {
			case strings.Contains(c.ArgsUsage, "on|off"):
				one.Arguments = "switch"
			case strings.Contains(c.ArgsUsage, "GROUP"):
				one.Arguments = "group"
			case strings.Contains(c.ArgsUsage, "FILE…"):
				one.Arguments = "path"
			case strings.Contains(c.ArgsUsage, "FILE"): // a preserved one
				one.Arguments = "file"
			}
			for _, flag := range c.Flags {
				o := optionOf(flag)
				if !slices.ContainsFunc(t.Common, func(p option) bool { return p.Name == o.Name }) {
					one.Options = append(one.Options, o)
				}
			}
			for _, s := range c.Subcommands {
				one.Within = append(one.Within, s.Name)
			}
			t.Commands = append(t.Commands, one)
			walk(one.Path, c.Subcommands)
		}
	}
	walk(nil, personApp().Commands)
	return t
}

// valueName is the word in an option's usage that stands for its value.
var valueName = regexp.MustCompile("`([^`]+)`")

func optionOf(flag cli.Flag) option {
	described := flag.(cli.DocGenerationFlag) // as the flags of cli are, and ours around them
	usage := described.GetUsage()
	o := option{Name: flag.Names()[0], Usage: strings.ReplaceAll(usage, "`", "")}
	if described.TakesValue() {
		o.Value = "VALUE"
		if found := valueName.FindStringSubmatch(usage); found != nil {
			o.Value = found[1]
		}
	}
	switch o.Name {
	case "expect":
		o.Choice = []string{"any", "master", "replica"}
	case "preserve":
		o.Value, o.Choice = "POLICY", []string{"require", "try", "off"}
	case "socket", "textfile":
		o.Value = "FILE"
	}
	return o
}

// names of options, with the dashes.
func dashed(list []option) (names []string) {
	for _, o := range list {
		names = append(names, "--"+o.Name)
	}
	return names
}

func (t tree) CommonNames() []string    { return dashed(t.Common) }
func (c command) OptionNames() []string { return dashed(c.Options) }

// Top are the commands that are not within another.
func (t tree) Top() []command {
	return slices.DeleteFunc(slices.Clone(t.Commands), func(c command) bool { return len(c.Path) > 1 })
}

// Options are all, each once.
func (t tree) Options() (all []option) {
	all = slices.Clone(t.Common)
	for _, c := range t.Commands {
		for _, o := range c.Options {
			if !slices.ContainsFunc(all, func(p option) bool { return p.Name == o.Name }) {
				all = append(all, o)
			}
		}
	}
	return all
}

// cases are the names of the options with a kind of value, as a shell pattern.
func cases(all []option, kind string) string {
	var names []string
	for _, o := range all {
		if o.Value != "" && len(o.Choice) == 0 && (o.Value == kind || kind == "" && o.Value != "FILE" && o.Value != "DIR") {
			names = append(names, "--"+o.Name)
		}
	}
	return strings.Join(names, " | ")
}

// quote puts a text between single quotes, for any of the shells.
func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", "’") + "'" }

// spec is a text within a spec of zsh's _arguments.
func spec(text string) string {
	return strings.NewReplacer("'", "’", "[", `\[`, "]", `\]`, ":", `\:`).Replace(text)
}
