package keepalived

import "strings"

// Definitions may name one another, so that a few lines could grow without end.
// keepalived's own lines have 1024 bytes (MAXBUF).
const (
	maxLine   = 4096
	maxRounds = 16
)

// definitions are the texts of $NAME. One of several lines has line ends in it.
type definitions map[string]string

// define reads "$NAME=TEXT". A text that ends in a backslash goes on in the next line.
func (d definitions) define(line string) (name string, more, ok bool) {
	if len(line) == 0 || line[0] != '$' {
		return "", false, false
	}
	name, text, found := strings.Cut(line[1:], "=")
	name = strings.TrimRight(name, " \t")
	if !found || !isName(name) {
		return "", false, false
	}
	text, more = strings.CutSuffix(strings.TrimLeft(text, " \t"), `\`)
	if more {
		text = strings.TrimRight(text, " \t")
	}
	d[name] = text
	return name, more, true
}

// extend adds a line to a definition.
func (d definitions) extend(name, line string) (more bool) {
	line, more = strings.CutSuffix(line, `\`)
	line = strings.Trim(line, " \t")
	if have := d[name]; have == "" {
		d[name] = line
	} else if len(have)+len(line) < maxLine {
		d[name] = have + "\n" + line
	}
	return more
}

// expand replaces $NAME and ${NAME} until nothing changes. What nobody defined stays,
// and so does what grows too long.
func (d definitions) expand(line string) string {
	for round := 0; round < maxRounds && strings.Contains(line, "$"); round++ {
		next, changed := d.once(line)
		if !changed || len(next) > maxLine {
			return line
		}
		line = next
	}
	return line
}

func (d definitions) once(line string) (string, bool) {
	var out strings.Builder
	changed := false
	for {
		before, after, found := strings.Cut(line, "$")
		out.WriteString(before)
		if !found || out.Len() > maxLine {
			return out.String(), changed
		}
		name, braces := "", 0
		if strings.HasPrefix(after, "{") {
			if end := strings.IndexByte(after, '}'); end > 0 && end < 1+maxLine {
				name, braces = after[1:end], 2
			}
		} else {
			name = after[:nameLength(after)]
		}
		text, known := d[name]
		switch {
		case name == "_HASH":
			text, known = `\#`, true
		case name == "_BANG":
			text, known = `\!`, true
		}
		if !known || name == "" {
			out.WriteByte('$')
			line = after
			continue
		}
		changed = true
		out.WriteString(text)
		line = after[len(name)+braces:]
	}
}

func isName(s string) bool { return s != "" && nameLength(s) == len(s) }

func nameLength(s string) int {
	for i := 0; i < len(s); i++ {
		c := s[i]
		letter := c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return i
		}
	}
	return len(s)
}
