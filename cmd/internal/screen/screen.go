// Package screen prints for a person: folded at 80 columns, in columns, and with
// colours where that is a terminal.
package screen

import (
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/term"
)

// Width is where lines are folded, on whatever terminal: what is read out at the
// telephone, or pasted, looks the same everywhere.
const Width = 80

// Colour is how a word stands out. No meaning is in the colour alone.
type Colour string

// The colours.
const (
	Plain  Colour = ""
	Bold   Colour = "\x1b[1m"
	Dim    Colour = "\x1b[2m"
	Red    Colour = "\x1b[1;31m"
	Green  Colour = "\x1b[32m"
	Yellow Colour = "\x1b[33m"
	reset         = "\x1b[0m"
)

// Screen is where a command prints. Err is the first error, if there was one.
type Screen struct {
	Err    error
	out    io.Writer
	colour bool
}

// New prints to out: in colours if it is a terminal that has them, and nobody asked for
// none (https://no-color.org).
func New(out io.Writer) *Screen {
	file, isFile := out.(*os.File)
	colour := isFile && term.IsTerminal(int(file.Fd())) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	return &Screen{out: out, colour: colour}
}

// Paint colours text. What a terminal might obey becomes a question mark: text may come
// from a server, or out of a file.
func (s *Screen) Paint(c Colour, text string) string {
	text = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, text)
	if !s.colour || c == Plain || text == "" {
		return text
	}
	return string(c) + text + reset
}

// Printf prints.
func (s *Screen) Printf(format string, args ...any) {
	if s.Err == nil {
		_, s.Err = fmt.Fprintf(s.out, format, args...)
	}
}

// Field prints a line that begins with a name, and goes on below its text.
func (s *Screen) Field(name string, width int, c Colour, text string) {
	lines := Fold(text, Width-width)
	for i, line := range lines {
		if i > 0 {
			name = ""
		}
		s.Printf("%s%s%s\n", s.Paint(Bold, name), strings.Repeat(" ", max(width-length(name), 0)), s.Paint(c, line))
	}
}

// Fold cuts text into lines of width columns at its blanks. A word that is longer, a
// path for one, is left whole: it is there to be copied.
func Fold(text string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		switch {
		case line == "":
			line = word
		case length(line)+1+length(word) > width:
			lines, line = append(lines, line), word
		default:
			line += " " + word
		}
	}
	return append(lines, line)
}

func length(s string) int { return utf8.RuneCountInString(s) }
