package keepalived

import "strings"

const blank = " \t\r\n\f\v"

// words splits a line at blanks. Double quotes hold words together and may stand
// within one another's way: a"b c"d are three words, as in alloc_strvec_r.
func words(line string) (list []string, closed bool) {
	for {
		line = strings.TrimLeft(line, blank)
		if line == "" {
			return list, true
		}
		if line[0] == '"' {
			end := strings.IndexByte(line[1:], '"')
			if end < 0 {
				return list, false
			}
			list = append(list, line[1:end+1])
			line = line[end+2:]
			continue
		}
		end := strings.IndexAny(line, blank+`"`)
		if end < 0 {
			end = len(line)
		}
		list = append(list, line[:end])
		line = line[end:]
	}
}

// Command is what a keyword that names a program makes of its line: the program with
// its arguments, which are the second word, and the words after it. Of notify scripts
// these are a user and a group; those of a vrrp_script are passed over
// (set_script_params_array and notify_script_init in lib/notify.c).
func (s *Statement) Command() (program, rest []string) {
	list := escaped(s.text)
	if len(list) < 2 {
		return nil, nil
	}
	return escaped(list[1]), list[2:]
}

// escaped splits a line at blanks that stand neither in quotes nor after a backslash,
// as alloc_strvec_quoted_escaped does. Escapes for control characters are not
// translated: no path has them.
func escaped(line string) (list []string) {
	var word strings.Builder
	var quote byte
	started := false
	for i := 0; i < len(line); i++ {
		c := line[i]
		switch {
		case c == '\\' && i+1 < len(line):
			i++
			word.WriteByte(line[i])
			started = true
		case quote != 0:
			if c == quote {
				quote = 0
			} else {
				word.WriteByte(c)
			}
		case c == '"', c == '\'':
			quote, started = c, true
		case strings.IndexByte(blank, c) >= 0:
			if started {
				list = append(list, word.String())
				word.Reset()
				started = false
			}
		default:
			word.WriteByte(c)
			started = true
		}
	}
	if started {
		list = append(list, word.String())
	}
	return list
}

// uncomment cuts the comment and the blanks around a line. A line that goes on in the
// next one ends in a backslash (decomment in lib/parser.c).
func uncomment(line string) string {
	line = strings.Trim(line, blank)
	var out strings.Builder
	quoted := false
	for i := 0; i < len(line); i++ {
		c := line[i]
		switch {
		case c == '"':
			quoted = !quoted
		case c == '\\' && i+1 < len(line):
			i++
			if quoted || line[i] != '#' && line[i] != '!' {
				out.WriteByte(c)
			}
			out.WriteByte(line[i])
			continue
		case !quoted && (c == '!' || c == '#'):
			text := strings.TrimRight(out.String(), blank)
			if strings.HasSuffix(line, `\`) {
				text += `\`
			}
			return text
		}
		out.WriteByte(c)
	}
	return strings.TrimRight(out.String(), blank)
}

// pieces splits a line where a block begins or ends: "{" and "}" are pieces of their
// own, unless they are quoted.
func pieces(line string) (list []string) {
	from, quoted := 0, false
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case c == '"':
			quoted = !quoted
		case !quoted && (c == '{' || c == '}'):
			list = appendPiece(list, line[from:i])
			list = append(list, line[i:i+1])
			from = i + 1
		}
	}
	return appendPiece(list, line[from:])
}

func appendPiece(list []string, piece string) []string {
	if piece = strings.Trim(piece, blank); piece != "" {
		list = append(list, piece)
	}
	return list
}
