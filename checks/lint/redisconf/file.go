// Package redisconf reads redis.conf and sentinel.conf as Redis does, and keeps in mind
// where everything stands. What it follows is config.c and sdssplitargs of Redis 7.0.15.
//
// It never fails. What is wrong with a file is one of its problems, and what is right
// is there all the same. Time and memory grow with the files' size and are bounded.
package redisconf

import (
	"strconv"
	"strings"
)

// Position is where something stands.
type Position struct {
	File string
	Line int // from 1; 0: the file as a whole
}

// File is a configuration file with all that it includes, in the order in which it
// counts.
type File struct {
	Position   // of the file as a whole
	Directives []Directive
	Problems   []Problem
}

// Directive is one line.
type Directive struct {
	Position
	Name string // in lower case
	Args []string
	// Included is where the file itself includes the one that this stands in; zero in
	// the file itself.
	Included Position
	// Rewritten says that it stands below the comment with which CONFIG REWRITE
	// begins what it appends.
	Rewritten bool
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
	MissingInclude    ProblemKind = iota + 1 // no such file: Redis does not start
	UnreadableInclude                        // it is there and cannot be read
	IncludeLoop                              // a file includes itself, or is nested too deep
	OpenQuote                                // a quote that nothing closes: Redis does not start
	TooLarge                                 // more than is read
)

// Arg is the n-th argument, or empty.
func (d Directive) Arg(n int) string {
	if n >= len(d.Args) {
		return ""
	}
	return d.Args[n]
}

// All are the directives with one of the names.
func (f *File) All(names ...string) (list []Directive) {
	for _, d := range f.Directives {
		for _, name := range names {
			if d.Name == name {
				list = append(list, d)
			}
		}
	}
	return list
}

// Last is the last of them: the one that counts.
func (f *File) Last(names ...string) (Directive, bool) {
	list := f.All(names...)
	if len(list) == 0 {
		return Directive{}, false
	}
	return list[len(list)-1], true
}

// Of are the lines "sentinel OPTION MASTER …" for one master of a sentinel.conf, or for
// all if master is empty.
func (f *File) Of(option, master string) (list []Directive) {
	for _, d := range f.All("sentinel") {
		if strings.EqualFold(d.Arg(0), option) && (master == "" || d.Arg(1) == master) {
			list = append(list, d)
		}
	}
	return list
}

var units = []struct {
	suffix string
	bytes  int64
}{
	{"kb", 1 << 10}, {"mb", 1 << 20}, {"gb", 1 << 30}, {"k", 1e3}, {"m", 1e6}, {"g", 1e9}, {"b", 1}, {"", 1},
}

// Bytes reads an amount of memory: 256mb, 1g.
func Bytes(text string) (bytes int64, ok bool) {
	text = strings.ToLower(text)
	for _, u := range units {
		if digits, found := strings.CutSuffix(text, u.suffix); found {
			n, err := strconv.ParseInt(digits, 10, 64)
			return n * u.bytes, err == nil && n >= 0 && n <= 1<<40/u.bytes
		}
	}
	return 0, false
}
