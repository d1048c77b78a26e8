package preserve

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Line is one write of a preserved suffix, for people. The stream does not say when
// a write was made: only that it was before File.When.
type Line struct {
	Number      int64  `json:"number"` // from 1
	DB          int    `json:"db"`
	Transaction bool   `json:"transaction,omitempty"`
	Command     string `json:"command"` // quoted, and cut where it is long
	Keys        []Key  `json:"keys,omitempty"`
}

// Summary is what a preserved file holds.
type Summary struct {
	Writes   int64            `json:"writes"`
	Commands map[string]int64 `json:"commands,omitempty"` // how many of each name
	Keys     []KeyWrites      `json:"keys,omitempty"`     // by database and name
	Guessed  bool             `json:"guessed,omitempty"`  // no server was asked: the first word after the name is taken for the key
	RDB      *RDBInfo         `json:"rdb,omitempty"`
}

// KeyWrites is how often a key was written.
type KeyWrites struct {
	Key
	Writes int64 `json:"writes"`
}

// Show passes every write of the file to visit, which may be nil, and sums them
// up. With a Keyer it knows the keys; keys may be nil. Of an RDB it reads the head
// only.
func (f File) Show(ctx context.Context, keys *Keyer, visit func(Line) error) (Summary, error) {
	if f.Kind == RDB {
		info, err := f.rdbInfo()
		return Summary{RDB: &info}, err
	}
	s := Summary{Commands: make(map[string]int64), Guessed: keys == nil}
	writes := make(map[Key]int64)
	err := f.each(func(u unit) error {
		for _, c := range u.commands {
			if err := ctx.Err(); err != nil {
				return err
			}
			s.Writes++
			s.Commands[c.name()]++
			line := Line{Number: s.Writes, DB: c.db, Transaction: u.transaction, Command: render(c.args)}
			if keys != nil {
				found, err := keys.Keys(ctx, c.db, c.args)
				if err != nil && !isReply(err) && ctx.Err() != nil {
					return err
				}
				line.Keys = found
			} else if len(c.args) > 1 {
				line.Keys = []Key{{c.db, string(c.args[1])}}
			}
			for _, key := range line.Keys {
				writes[key]++
			}
			if visit == nil {
				continue
			}
			if err := visit(line); err != nil {
				return err
			}
		}
		return nil
	})
	for key, n := range writes {
		s.Keys = append(s.Keys, KeyWrites{key, n})
	}
	slices.SortFunc(s.Keys, func(a, b KeyWrites) int {
		return cmp.Or(cmp.Compare(a.DB, b.DB), cmp.Compare(a.Name, b.Name))
	})
	return s, err
}

const (
	maxWord  = 64
	maxWords = 12
)

// render writes a command on one line.
func render(args [][]byte) string {
	var b strings.Builder
	for i, arg := range args {
		if i > 0 {
			b.WriteByte(' ')
		}
		if i == maxWords {
			fmt.Fprintf(&b, "… %d more", len(args)-i)
			break
		}
		b.WriteString(word(arg))
	}
	return b.String()
}

func word(arg []byte) string {
	text, rest := string(arg), ""
	if len(arg) > maxWord {
		text, rest = string(arg[:maxWord]), fmt.Sprintf("…(%d bytes)", len(arg))
	}
	quoted := strconv.Quote(text)
	if text == "" || strings.Contains(text, " ") || quoted[1:len(quoted)-1] != text {
		return quoted + rest
	}
	return text + rest
}
