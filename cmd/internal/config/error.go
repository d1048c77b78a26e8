package config

import (
	"strconv"
	"strings"
	"unicode"
)

// Error is one mistake of the operator's, in the form
//
//	/etc/redis-vip/redis-vip.toml:7:10: nodes: "redis1:6379" is a host name: write the IP address
//
// It never contains a secret.
type Error struct {
	File         string // empty for a flag or an environment variable
	Line, Column int    // from 1; 0: the file as a whole
	Key          string // the key, or the flag and its variable; may be empty
	Problem      string // what is wrong
	Remedy       string // what to do; may be empty
}

// Error implements error.
func (e *Error) Error() string {
	var b strings.Builder
	if e.File != "" {
		b.WriteString(e.File)
		if e.Line > 0 {
			b.WriteString(":" + strconv.Itoa(e.Line) + ":" + strconv.Itoa(e.Column))
		}
		b.WriteString(": ")
	}
	if e.Key != "" {
		b.WriteString(e.Key + ": ")
	}
	b.WriteString(e.Problem)
	if e.Remedy != "" {
		b.WriteString(": " + e.Remedy)
	}
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) { // a terminal might obey what a file holds
			return '?'
		}
		return r
	}, b.String())
}
