package program

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"redis-vip/checks/lint"
	"redis-vip/cmd/internal/screen"
)

// lintWidth is where lines are folded.
const lintWidth = 92

// print writes the findings as a compiler does, or as JSON. What was not looked at is
// said apart from them.
func (l *Lint) print(findings []lint.Finding) error {
	for _, note := range l.notes {
		fmt.Fprintf(l.Err, "note: %s\n", note)
	}
	if l.JSON {
		return printJSON(l.Out, append([]lint.Finding{}, findings...)) // [], not null
	}
	paint := screen.New(l.Out).Paint
	var text strings.Builder
	errors, said := 0, map[string]bool{}
	for _, f := range findings {
		place := f.File
		if f.Line > 0 {
			place = fmt.Sprintf("%s:%d", f.File, f.Line)
		}
		colour := screen.Yellow
		if f.Severity == lint.Error {
			colour = screen.Red
			errors++
		}
		fmt.Fprintf(&text, "%s %s %s [%s]\n", paint(screen.Bold, place+":"), paint(colour, f.Severity.String()+":"), f.Message, f.Rule)
		if !said[f.Why] { // once is enough
			indent(&text, "    ", f.Why)
			said[f.Why] = true
		}
		indent(&text, "    → ", f.Fix)
	}
	if len(findings) > 0 {
		fmt.Fprintf(&text, "%s, %s\n", count(errors, "error"), count(len(findings)-errors, "warning"))
	}
	_, err := io.WriteString(l.Out, text.String())
	return err
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// indent writes a sentence on lines of its own, folded at blanks.
func indent(text *strings.Builder, margin, sentence string) {
	line := margin
	for _, word := range strings.Fields(sentence) {
		if len(line)+len(word) >= lintWidth && strings.TrimSpace(line) != strings.TrimSpace(margin) {
			text.WriteString(strings.TrimRight(line, " ") + "\n")
			line = strings.Repeat(" ", utf8.RuneCountInString(margin))
		}
		line += word + " "
	}
	text.WriteString(strings.TrimRight(line, " ") + "\n")
}
