package config

import (
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"
)

// origin tells where a group's values came from.
type origin struct {
	doc        *document       // nil: no file
	group      string          // its table in the file
	top        bool            // not of a group but of the file's top level
	overridden map[string]bool // keys whose value is a flag's
}

// place is one value, to be named in an error.
type place struct {
	origin origin
	key    string
	index  int // in a list; -1: the value as a whole
}

func (o origin) place(key string) place { return place{o, key, -1} }

func (p place) at(index int) place { p.index = index; return p }

// At is where a key of the group stands, or the group itself if key is empty or not
// there: file and line, from 1; or flag and variable, and 0.
func (g Group) At(key string) (file string, line int) {
	e := g.origin.place(key).error("", "")
	if e.File == "" {
		return e.Key, 0
	}
	return e.File, e.Line
}

// error makes the error for this place. Only here the file is searched for the
// line: a run without an error does not pay for positions.
func (p place) error(problem, remedy string) *Error {
	e := &Error{Problem: problem, Remedy: remedy}
	switch {
	case p.origin.overridden[p.key], p.origin.doc == nil:
		e.Key = flagLabel(p.key)
	default:
		e.File, e.Key = p.origin.doc.path, p.key
		var path []string
		if !p.origin.top {
			path = []string{"group", p.origin.group}
		}
		if p.key != "" {
			path = append(path, strings.Split(p.key, ".")...)
		}
		e.Line, e.Column = p.origin.doc.locate(path, p.index)
	}
	return e
}

// locate finds the line and column of the value at path, or of its element
// index, or of the nearest table that should have held it. 0, 0 if there is
// nothing of the kind.
func (d *document) locate(path []string, index int) (line, column int) {
	var parser unstable.Parser
	parser.Reset(d.data)
	best := 0
	var found unstable.Range

	consider := func(full []string, key unstable.Range, value *unstable.Node) {
		score := 2 * common(full, path)
		where := key
		if len(full) == len(path) && score == 2*len(path) && value != nil {
			score++ // better than a table or a dotted key that only passes by
			where = valueRange(value, key, index)
		}
		if score > best {
			best, found = score, where
		}
	}
	var visit func(table []string, kv *unstable.Node)
	visit = func(table []string, kv *unstable.Node) {
		parts, last := keyParts(kv)
		full := append(append([]string(nil), table...), parts...)
		consider(full, last, kv.Value())
		if kv.Value().Kind == unstable.InlineTable {
			for it := kv.Value().Children(); it.Next(); {
				visit(full, it.Node())
			}
		}
	}
	var table []string
	for parser.NextExpression() {
		switch e := parser.Expression(); e.Kind {
		case unstable.Table, unstable.ArrayTable:
			var last unstable.Range
			table, last = keyParts(e)
			consider(table, last, nil)
		case unstable.KeyValue:
			visit(table, e)
		}
	}
	if best == 0 {
		return 0, 0
	}
	start := parser.Shape(found).Start
	return start.Line, start.Column
}

// keyParts gives a dotted key and where its last part stands.
func keyParts(n *unstable.Node) (parts []string, last unstable.Range) {
	for it := n.Key(); it.Next(); {
		parts = append(parts, string(it.Node().Data))
		last = it.Node().Raw
	}
	return parts, last
}

// valueRange is where to point: at the list's element, at the plain value, or
// at the key for a list or a table, which have no range of their own.
func valueRange(value *unstable.Node, key unstable.Range, index int) unstable.Range {
	switch value.Kind {
	case unstable.Array:
		for it := value.Children(); it.Next(); index-- {
			if index == 0 {
				return it.Node().Raw
			}
		}
		return key
	case unstable.InlineTable:
		return key
	}
	return value.Raw
}

// common counts the leading parts that a and b share. The decoder takes keys
// in any case, but the name of a group as it is.
func common(a, b []string) int {
	n := 0
	for n < len(a) && n < len(b) && (a[n] == b[n] || n != 1 && strings.EqualFold(a[n], b[n])) {
		n++
	}
	return n
}

// stateDir reads the top-level key state_dir of a document that may be broken
// further down; empty if it has none.
func (d *document) stateDir() string {
	var parser unstable.Parser
	parser.Reset(d.data)
	for parser.NextExpression() {
		e := parser.Expression()
		if e.Kind != unstable.KeyValue {
			break // the top level is over
		}
		if parts, _ := keyParts(e); len(parts) == 1 && parts[0] == "state_dir" && e.Value().Kind == unstable.String {
			return string(e.Value().Data)
		}
	}
	return ""
}
