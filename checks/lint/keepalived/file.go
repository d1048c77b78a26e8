// Package keepalived reads keepalived.conf as keepalived does, and keeps in mind where
// everything stands: comments and quotes, blocks, include, lines for one host only
// (@NAME), and definitions ($NAME). What it follows is lib/parser.c of keepalived 2.2.7.
//
// It never fails. What is wrong with a file is one of its problems, and what is right
// is there all the same. Time and memory grow with the files' size and are bounded.
package keepalived

import "strings"

// Position is where something stands.
type Position struct {
	File string
	Line int // from 1; 0: the file as a whole
}

// File is keepalived.conf with all that it includes.
type File struct {
	Position   // of the file as a whole
	Statements []*Statement
	Problems   []Problem
	// Names are those of the lines for one host only: redis1 for "@redis1 priority
	// 250". ID is the one that was read as.
	Names []string
	ID    string
}

// Statement is a keyword with its values and, perhaps, a block.
type Statement struct {
	Position
	// Keyword is what the first word means: that word, or the one that was probably
	// meant. It is empty for a word that means nothing, and in blocks that hold
	// values. Known says whether the word is right.
	Keyword string
	Known   bool
	// Words are all words of the line, without their double quotes.
	Words []string
	Body  []*Statement
	// text is the line, for the keywords that name a program: there, single quotes
	// and backslashes count too.
	text string
}

// Problem is what makes a file hard to read.
type Problem struct {
	Position
	Kind ProblemKind
	Text string // what it is about
}

// ProblemKind says what is wrong.
type ProblemKind uint8

// What can be wrong with the form of a file.
const (
	MissingInclude    ProblemKind = iota + 1 // no such file; keepalived goes on without it
	UnreadableInclude                        // it is there and cannot be read
	IncludeLoop                              // a file includes itself, or is nested too deep
	OpenQuote                                // a quote that nothing closes
	OpenBlock                                // a block that nothing closes
	ExtraClose                               // a } without a block
	ExtraOpen                                // a { without a keyword
	TooLarge                                 // more than is read
)

// Value is the n-th word after the keyword, or empty.
func (s *Statement) Value(n int) string {
	if s == nil || n >= len(s.Words) {
		return ""
	}
	return s.Words[n]
}

// All are the statements of the block with the given keyword. A nil block has none.
func (s *Statement) All(keyword string) []*Statement {
	if s == nil {
		return nil
	}
	return all(s.Body, keyword)
}

// Last is the last of them, or nil: where a keyword counts once, the last one counts.
func (s *Statement) Last(keyword string) *Statement {
	list := s.All(keyword)
	if len(list) == 0 {
		return nil
	}
	return list[len(list)-1]
}

// All are the statements outside of all blocks with the given keyword. A nil file has
// none.
func (f *File) All(keyword string) []*Statement {
	if f == nil {
		return nil
	}
	return all(f.Statements, keyword)
}

func all(body []*Statement, keyword string) (list []*Statement) {
	for _, s := range body {
		if s.Keyword == keyword {
			list = append(list, s)
		}
	}
	return list
}

// Walk visits every statement with the keywords of the blocks it stands in.
func (f *File) Walk(visit func(block string, s *Statement)) { walk("", f.Statements, visit) }

func walk(block string, body []*Statement, visit func(string, *Statement)) {
	for _, s := range body {
		visit(block, s)
		if s.Keyword != "" {
			walk(inside(block, s.Keyword), s.Body, visit)
		}
	}
}

func inside(block, keyword string) string {
	if block == "" {
		return keyword
	}
	return block + "/" + keyword
}

// Open says whether word holds a definition that nobody made, or one that only
// keepalived knows, such as $_RANDOM: then nothing can be said about it.
func Open(word string) bool { return strings.Contains(word, "$") }
