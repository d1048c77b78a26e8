package keepalived

import (
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
)

// Source is where files come from. [os.ReadFile] and [filepath.Glob] fit.
type Source struct {
	Read func(path string) ([]byte, error)
	Glob func(pattern string) ([]string, error)
}

// What is read at most, so that no file makes a reader of it wait.
const (
	maxBytes   = 1 << 20
	maxInclude = 16 // deep
	maxFiles   = 256
	maxBlocks  = 64 // deep
	maxNames   = 64
)

// Read reads the file at path for the host with the given id: what keepalived -i
// says, or the first part of the host's name. Only the file itself must be there.
func Read(path, id string, source Source) (*File, error) {
	data, err := source.Read(path)
	if err != nil {
		return nil, err
	}
	r := reader{source: source, defined: definitions{}, file: &File{Position: Position{File: path}, ID: id}}
	r.blocks = []*Statement{{}}
	r.open = []string{path}
	r.lines(path, data)
	for _, s := range r.blocks[1:] {
		r.problem(s.Position, OpenBlock, strings.Join(s.Words, " "))
	}
	r.file.Statements = r.blocks[0].Body
	r.mean("", r.file.Statements)
	return r.file, nil
}

type reader struct {
	source  Source
	defined definitions
	file    *File
	blocks  []*Statement // those that are open; the first is the file
	last    *Statement   // that a { would belong to
	open    []string     // the files that are being read
	files   int
	bytes   int // read, or made by definitions
	unknown int // words
}

func (r *reader) problem(at Position, kind ProblemKind, text string) {
	if len(r.file.Problems) < maxFiles {
		r.file.Problems = append(r.file.Problems, Problem{at, kind, text})
	}
}

// lines reads one file. A definition may go on over several of its lines.
func (r *reader) lines(path string, data []byte) {
	if r.full(Position{path, 0}, len(data)) {
		return
	}
	at, defining := Position{path, 0}, ""
	for line := range strings.Lines(string(data)) {
		at.Line++
		line = uncomment(line)
		if defining != "" {
			if !r.defined.extend(defining, line) {
				defining = ""
			}
			continue
		}
		if line != "" {
			defining = r.line(at, line)
		}
	}
}

// full says, once, that there is more than is read.
func (r *reader) full(at Position, more int) bool {
	if r.bytes > maxBytes {
		return true
	}
	if r.bytes += more; r.bytes > maxBytes {
		r.problem(at, TooLarge, at.File)
		return true
	}
	return false
}

// line reads one line. It returns the name of the definition that goes on in the next.
func (r *reader) line(at Position, line string) (defining string) {
	for range maxRounds {
		for strings.HasPrefix(line, "@") {
			if line = r.conditional(line); line == "" {
				return ""
			}
		}
		if name, more, ok := r.defined.define(line); ok {
			if more {
				return name
			}
			return ""
		}
		expanded := r.defined.expand(line)
		if expanded == line {
			break
		}
		if r.full(at, len(expanded)) {
			return ""
		}
		// The first of several lines goes on where the definition stood.
		first, others, several := strings.Cut(expanded, "\n")
		line = uncomment(first)
		if several {
			r.statement(at, line)
			for other := range strings.SplitSeq(others, "\n") {
				r.statement(at, uncomment(other))
			}
			return ""
		}
		if !strings.HasPrefix(line, "@") {
			break
		}
	}
	r.statement(at, line)
	return ""
}

// conditional is what follows "@NAME " if that is this host, and nothing else. A line
// for every host but one is written "@^NAME ".
func (r *reader) conditional(line string) string {
	name, rest := line[1:], ""
	if end := strings.IndexAny(name, " \t"); end >= 0 {
		name, rest = name[:end], strings.TrimLeft(name[end:], " \t")
	}
	name, not := strings.CutPrefix(name, "^")
	if name != "" && len(r.file.Names) < maxNames && !slices.Contains(r.file.Names, name) {
		r.file.Names = append(r.file.Names, name)
	}
	if (name == r.file.ID) == not {
		return ""
	}
	return rest
}

// statement takes a line apart. "~SEQ(…) text" and "~LST(…) text" stand for several
// lines: one is read, with its names open.
func (r *reader) statement(at Position, line string) {
	if rest, repeated := cutRepetition(line); repeated {
		line = rest
	}
	if pattern, found := includes(line); found {
		r.include(at, pattern)
		return
	}
	for _, piece := range pieces(line) {
		switch piece {
		case "{":
			r.begin(at)
		case "}":
			r.end(at)
		default:
			list, closed := words(piece)
			if !closed {
				first, _, _ := strings.Cut(piece, " ") // the rest may be a secret
				r.problem(at, OpenQuote, strings.TrimRight(first, `"`))
			}
			if len(list) == 0 {
				continue
			}
			r.last = &Statement{Position: at, Words: list, text: piece}
			parent := r.blocks[len(r.blocks)-1]
			parent.Body = append(parent.Body, r.last)
		}
	}
}

func (r *reader) begin(at Position) {
	switch {
	case r.last == nil:
		r.problem(at, ExtraOpen, "{")
	case len(r.blocks) == maxBlocks:
		r.problem(at, TooLarge, "{")
	default:
		r.blocks = append(r.blocks, r.last)
	}
	r.last = nil
}

func (r *reader) end(at Position) {
	r.last = nil
	if len(r.blocks) == 1 {
		r.problem(at, ExtraClose, "}")
		return
	}
	r.blocks = r.blocks[:len(r.blocks)-1]
}

func cutRepetition(line string) (rest string, found bool) {
	if !strings.HasPrefix(line, "~SEQ") && !strings.HasPrefix(line, "~LST") {
		return "", false
	}
	_, rest, found = strings.Cut(line, ")")
	return strings.TrimLeft(rest, blank), found
}

// includes reads "include PATTERN", and includer, includem, includew, includeb and
// includea, which differ in what keepalived says if there is no such file.
func includes(line string) (pattern string, found bool) {
	rest, found := strings.CutPrefix(line, "include")
	if !found || rest == "" {
		return "", false
	}
	if len(rest) > 1 && strings.IndexByte("rmwba", rest[0]) >= 0 {
		rest = rest[1:]
	}
	pattern = strings.TrimLeft(rest, blank)
	return strings.Trim(pattern, `"`), pattern != rest
}

// include reads what a pattern names; relative to the file that includes it, because
// keepalived changes to that file's folder.
func (r *reader) include(at Position, pattern string) {
	path := pattern
	if !filepath.IsAbs(path) {
		path = filepath.Join(filepath.Dir(at.File), path)
	}
	list := []string{path}
	if strings.ContainsAny(path, "*?[{") {
		list, _ = r.source.Glob(path) // a pattern may match nothing
	}
	for _, name := range list {
		if slices.Contains(r.open, name) || len(r.open) == maxInclude || r.files == maxFiles {
			r.problem(at, IncludeLoop, name)
			return
		}
		data, err := r.source.Read(name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			r.problem(at, MissingInclude, name)
			continue
		case err != nil:
			r.problem(at, UnreadableInclude, name)
			continue
		}
		r.files++
		r.open = append(r.open, name)
		r.lines(name, data)
		r.open = r.open[:len(r.open)-1]
	}
}

// maxProposals is for how many unknown words a near one is looked for, which is slow.
// A file with more of them is no keepalived.conf.
const maxProposals = 1000

// mean finds out what each first word means in its block.
func (r *reader) mean(block string, body []*Statement) {
	for _, s := range body {
		if r.unknown == maxProposals && len(keywords()[block]) > 0 {
			s.Known = slices.Contains(keywords()[block], s.Words[0])
			if s.Known {
				s.Keyword = s.Words[0]
			}
		} else if s.Keyword, s.Known = Keyword(block, s.Words[0]); !s.Known {
			r.unknown++
		}
		if s.Keyword != "" {
			r.mean(inside(block, s.Keyword), s.Body)
		}
	}
}
