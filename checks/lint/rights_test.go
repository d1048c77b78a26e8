package lint

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	continued = regexp.MustCompile(`\\e?\n\s*`) // a line of a shell, in Markdown or in mdoc
	setUser   = regexp.MustCompile(`redis-cli (.*)acl setuser ([a-z]+) (.*)`)
	noRight   = regexp.MustCompile(`^(on|reset|resetkeys|resetchannels|-@all|>SECRET)$`)
)

// What people are told to grant is what Accounts says, wherever it stands; and the manual
// page has all of them.
func TestTextsGrantTheLeastRights(t *testing.T) {
	told := map[string][]Owner{}
	for _, pattern := range []string{"../../README.md", "../../examples/*/README.md", "../../packaging/man/*"} {
		pages, err := filepath.Glob(pattern)
		if err != nil || len(pages) == 0 {
			t.Fatal(pattern, err)
		}
		for _, page := range pages {
			text, err := os.ReadFile(page)
			must(t, err)
			plain := strings.NewReplacer(`\(aq`, "'").Replace(continued.ReplaceAllString(string(text), " "))
			for _, found := range setUser.FindAllStringSubmatch(plain, -1) {
				owner, known := granted(found[1], found[2], found[3])
				if !known {
					t.Errorf("%s: this is nobody's least: %s", page, found[0])
				}
				told[filepath.Base(page)] = append(told[filepath.Base(page)], owner)
			}
		}
	}
	for owner, account := range Accounts {
		if !slices.Contains(told["redis-vip-procedures.7"], owner) {
			t.Errorf("redis-vip-procedures(7) lacks %s %v", account.Name, account.Rules())
		}
	}
}

// granted is whose account a command makes.
func granted(options, name, words string) (Owner, bool) {
	var rules []string
	for _, word := range strings.Fields(words) {
		if word = strings.Trim(word, "'"); !noRight.MatchString(word) {
			rules = append(rules, word)
		}
	}
	slices.Sort(rules)
	for owner, a := range Accounts {
		want := slices.Sorted(slices.Values(a.Rules()[1:])) // without -@all
		if a.Name == name && slices.Equal(rules, want) && (a.On == OnSentinel) == strings.Contains(options, "-p 26379") {
			return owner, true
		}
	}
	return 0, false
}
