package packaging_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestManPagesAreClean(t *testing.T) {
	require(t, "mandoc", "man")
	pages, err := filepath.Glob("man/*")
	if err != nil || len(pages) == 0 {
		t.Fatal(err)
	}
	for _, page := range pages {
		out, err := exec.Command("mandoc", "-T", "lint", page).Output() // its exit code tells of the worst
		for line := range strings.Lines(string(out)) {
			// Those of this package are not installed, others may not be.
			if !strings.Contains(line, "referenced manual not found") {
				t.Errorf("%v: %s", err, line)
			}
		}
		groff := exec.Command("man", "--warnings", "--local-file", "-Z", page)
		groff.Env = append(os.Environ(), "MANWIDTH=80", "LC_ALL=C.UTF-8")
		var said strings.Builder
		groff.Stderr = &said
		if err := groff.Run(); err != nil || said.Len() > 0 {
			t.Errorf("%s: %v: %s", page, err, said.String())
		}
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		sections := []string{"NAME", "SYNOPSIS", "DESCRIPTION", "FILES", "EXAMPLES", "SEE ALSO"}
		if strings.HasSuffix(page, ".7") { // of no program and no file
			sections = []string{"NAME", "DESCRIPTION", "SEE ALSO"}
		}
		for _, section := range sections {
			if !strings.Contains(string(text), "\n.Sh "+section+"\n") {
				t.Errorf("%s lacks %s", page, section)
			}
		}
		if strings.HasSuffix(page, ".8") && !strings.Contains(string(text), "\n.Sh EXIT STATUS\n") {
			t.Errorf("%s lacks EXIT STATUS", page)
		}
	}
}

// What the tab key offers, in each shell.
var completed = map[string][]string{
	"redis-vip lint ./build":              {"./build"},
	"redis-vip pre":                       {"preserved"},
	"redis-vip preserved ":                {"list", "replay", "show"},
	"redis-vip preserved replay --d":      {"--dry-run"},
	"redis-vip maintenance o":             {"off", "on"},
	"redis-vip explain --expect ":         {"any", "master", "replica"},
	"redis-vip switchover --sentinel-pas": {"--sentinel-password-file"},
}

func TestBashCompletes(t *testing.T) {
	require(t, "bash")
	for line, want := range completed {
		got := command(t, "bash", "-c", `source completions/redis-vip.bash
read -ra COMP_WORDS <<<"$1"; [[ $1 == *" " ]] && COMP_WORDS+=("")
COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _redis_vip; printf '%s\n' "${COMPREPLY[@]}"`, "bash", line)
		same(t, strings.Split(got, "\n"), want)
	}
}

func TestFishCompletes(t *testing.T) {
	require(t, "fish")
	for line, want := range completed {
		var got []string
		said := command(t, "fish", "--no-config", "-c", `source completions/redis-vip.fish; complete -C $argv[1]`, line)
		for _, one := range strings.Split(said, "\n") {
			word, _, _ := strings.Cut(one, "\t")
			got = append(got, word)
		}
		same(t, got, want)
	}
}

// zsh completes only at a terminal, and this is one: it presses the tab key, and reads
// the line. Where there are several, nothing is added to it.
func TestZshCompletes(t *testing.T) {
	require(t, "zsh")
	const script = `zmodload zsh/zpty
zpty shell 'COLUMNS=200 TERM=dumb zsh -f -i'
zpty -w shell 'PS1=; setopt no_beep no_zle_bracketed_paste 2>/dev/null; unset zle_bracketed_paste
fpath=($PWD/completions $fpath); autoload -U compinit; compinit -u -D; echo rea""dy'
zpty -r shell said '*ready*' || exit 1
zpty -n -w shell "$1"$'\t'
zpty -r -m shell said "*$2*" || exit 1
print -r -- "$said"`
	for line, want := range completed {
		if len(want) == 1 {
			if got := command(t, "timeout", "20", "zsh", "-f", "-c", script, "zsh", line, want[0]); !strings.Contains(got, want[0]) {
				t.Errorf("%q: %q, want %s", line, got, want[0])
			}
		}
	}
}
