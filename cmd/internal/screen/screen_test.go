package screen

import (
	"bytes"
	"strings"
	"testing"
	"unicode"
)

// Nothing of what is printed is a command to the terminal, and no line of text is longer
// than it has to be.
func FuzzScreen(f *testing.F) {
	f.Add("name", "some text that goes on and on, and is folded somewhere in its middle, for it is longer than a line", "cell")
	f.Add("\x1b[2J", "\u009b31m \r \x00 \xff", "\t")
	f.Add("", "", "")
	f.Add("wide 漢字", strings.Repeat("x", 200), "→")
	f.Fuzz(func(t *testing.T, name, text, cell string) {
		var out bytes.Buffer
		s := New(&out)
		s.Field(name, 12, Bold, text)
		table := Table{Head: []string{"A", "B"}}
		table.Row(Cell{Text: cell}, Cell{Text: name, Colour: Red})
		table.Say(Cell{Text: name}, Cell{Text: text, Colour: Dim})
		table.Detail(Cell{Text: text})
		table.Print(s)
		if s.Err != nil {
			t.Error(s.Err)
		}
		if strings.ContainsFunc(out.String(), func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }) {
			t.Errorf("%q", out.String())
		}
		for _, line := range Fold(text, 40) {
			if length(line) > 40 && strings.ContainsAny(line, " \n") {
				t.Errorf("%q is longer than 40", line)
			}
		}
	})
}
