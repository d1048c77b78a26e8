package preserve

import (
	"bytes"
	"strconv"
)

// selectWindow is how far back a SELECT is looked for where no earlier beginning of
// a command is known. It is held in memory.
const selectWindow = 4 << 20

// patience bounds the work of lastSelect, in bulk strings passed over: a client can
// write values for which every byte looks like the beginning of a long command.
const patience = 8 << 20

// lastSelect finds the database that a stream is in at the end of window, which is
// where a command ends. The window may begin anywhere, within a value that looks
// like commands too. So a command is one only if the commands after it follow each
// other without a gap up to the very end; and of those that do, the ones that begin
// first count, for a value lies within its command.
func lastSelect(window []byte) (db int, found bool) {
	var (
		hops    = 0
		arrives = make([]bool, len(window)+1) // whether commands from here end where the window does
	)
	arrives[len(window)] = true
	for at := len(window) - 1; at >= 0; at-- {
		if window[at] != '*' {
			continue
		}
		width, passed := commandWidth(window[at:])
		if hops += passed; hops > patience {
			return 0, false
		}
		arrives[at] = width > 0 && arrives[at+width]
	}
	for at := 0; at < len(window); {
		if !arrives[at] {
			at++
			continue
		}
		width, _ := commandWidth(window[at:])
		if n, ok := selects(window[at : at+width]); ok {
			db, found = n, true
		}
		at += width
	}
	return db, found
}

// commandWidth is the number of bytes of the command at the start of text, 0 if
// there is none, and how many of its words were passed over.
func commandWidth(text []byte) (width, passed int) {
	words, width := number(text, '*')
	if width == 0 || words == 0 {
		return 0, 0
	}
	for range words {
		size, n := number(text[width:], '$')
		if n == 0 || size > int64(len(text)-width-n-2) {
			return 0, passed
		}
		width += n + int(size)
		if !bytes.HasPrefix(text[width:], []byte("\r\n")) {
			return 0, passed
		}
		width += 2
		passed++
	}
	return width, passed
}

// selects says which database a command selects, if it is a SELECT.
func selects(command []byte) (int, bool) {
	rest, found := bytes.CutPrefix(command, []byte("*2\r\n$6\r\nSELECT\r\n"))
	if !found {
		return 0, false
	}
	_, width := number(rest, '$')
	n, err := strconv.Atoi(string(bytes.TrimSuffix(rest[width:], []byte("\r\n"))))
	return n, err == nil && n >= 0
}
