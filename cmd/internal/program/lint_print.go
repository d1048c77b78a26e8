package program

import (
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"redis-vip/checks/lint"

	"golang.org/x/term"
)

// Colours of a terminal.
const (
	plain  = "\x1b[0m"
	bold   = "\x1b[1m"
	red    = "\x1b[1;31m"
	purple = "\x1b[1;35m"
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
	paint := painter(l.Out)
	var text strings.Builder
	errors, said := 0, map[string]bool{}
	for _, f := range findings {
		place := f.File
		if f.Line > 0 {
			place = fmt.Sprintf("%s:%d", f.File, f.Line)
		}
		colour := purple
		if f.Severity == lint.Error {
			colour = red
			errors++
		}
		fmt.Fprintf(&text, "%s %s %s [%s]\n", paint(bold, place+":"), paint(colour, f.Severity.String()+":"), f.Message, f.Rule)
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

// painter colours words, on a terminal only, and where nobody asked for none
// (no-color.org).
func painter(out io.Writer) func(colour, text string) string {
	file, ok := out.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) || os.Getenv("NO_COLOR") != "" {
		return func(_, text string) string { return text }
	}
	return func(colour, text string) string { return colour + text + plain }
}
