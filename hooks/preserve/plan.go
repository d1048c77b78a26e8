package preserve

import (
	"cmp"
	"context"
	"errors"
	"slices"
)

// Cause is why a write is left out of a replay.
type Cause string

// The causes.
const (
	Changed  Cause = "changed"         // the key was written on the new master since the split
	Exists   Cause = "exists"          // the key exists there, and it cannot be known whether it was written since
	Depends  Cause = "depends"         // it is tied, by a command or a transaction of both, to a key that is left out
	Sweeping Cause = "sweeping"        // a FLUSHALL, FLUSHDB or SWAPDB on one side or the other: no key is what it was
	Keyless  Cause = "keyless"         // it is about no key: FUNCTION, SCRIPT, PUBLISH
	NoSuch   Cause = "unknown_command" // the new master does not know the command
)

// Conflict is a key, or a command without one, that a replay leaves alone.
type Conflict struct {
	Key
	Command string `json:"command,omitempty"` // where it is about no key
	Cause   Cause  `json:"cause"`
	Writes  int64  `json:"writes"`         // how many the file has, or how many of the command are left out
	From    int    `json:"from,omitempty"` // only those from this unit on are left out: a client wrote the key while it was replayed
}

// plan says which units of a file belong together.
//
// Units that share a key, directly or through others, form a group. A group is
// applied as a whole or left out as a whole, so that each key ends up as it was on
// one of the two nodes: never in a state that neither of them had.
type plan struct {
	groups  []int32 // parent of each key's group (union-find)
	ids     map[Key]int32
	keys    []Key
	writes  []int64 // of each key
	units   []planned
	out     map[int32]exclusion // of each key that is left out for its own sake
	swept   bool                // nothing is what it was
	done    int                 // units that are applied, or passed over
	outFrom map[int32]int       // of each group that is left out, from which unit on; nil: to be made anew
	spans   map[int32]span      // of each group; nil: to be made anew
	names   map[string][]Key    // the keys by name; nil: to be made anew
}

type exclusion struct {
	cause Cause
	from  int // the unit from which on
}

// span is the first and the last unit of a group.
type span struct{ first, last int }

type planned struct {
	key    int32 // any of its keys; -1 if it has none
	cause  Cause // why it is left out whatever its keys
	name   string
	writes int32
}

func newPlan() *plan { return &plan{ids: make(map[Key]int32), out: make(map[int32]exclusion)} }

var sweeping = []string{"FLUSHALL", "FLUSHDB", "SWAPDB"}

// add takes the next unit. keys tells which keys a command has.
func (p *plan) add(ctx context.Context, u unit, keys func(context.Context, int, [][]byte) ([]Key, error)) error {
	next := planned{key: -1, name: u.commands[0].name(), writes: int32(len(u.commands))}
	for _, c := range u.commands {
		if slices.Contains(sweeping, c.name()) {
			p.swept = true
			next.cause, next.name = Sweeping, c.name()
			continue
		}
		found, err := keys(ctx, c.db, c.args)
		switch {
		case errors.Is(err, errUnknownCommand):
			next.cause, next.name = NoSuch, c.name()
		case err != nil:
			return err
		case len(found) == 0 && next.cause == "":
			next.cause, next.name = Keyless, c.name()
		}
		for _, key := range found {
			id := p.id(key)
			p.writes[id]++
			if next.key >= 0 {
				p.join(next.key, id)
			}
			next.key = id
		}
	}
	if next.cause != "" && next.key >= 0 {
		p.out[next.key] = exclusion{cause: next.cause} // the other keys of the transaction stay out with it
	}
	p.units = append(p.units, next)
	p.outFrom, p.spans, p.names = nil, nil, nil
	return nil
}

func (p *plan) id(key Key) int32 {
	id, known := p.ids[key]
	if !known {
		id = int32(len(p.groups))
		p.ids[key] = id
		p.keys, p.groups, p.writes = append(p.keys, key), append(p.groups, id), append(p.writes, 0)
	}
	return id
}

func (p *plan) root(id int32) int32 {
	for p.groups[id] != id {
		p.groups[id] = p.groups[p.groups[id]]
		id = p.groups[id]
	}
	return id
}

func (p *plan) join(a, b int32) { p.groups[p.root(a)] = p.root(b) }

// exclude leaves a key out from now on. In a database that is not known, the key
// counts in every one. A group that is applied already is no longer touched by it.
func (p *plan) exclude(key Key, cause Cause) {
	if key.DB == noDB {
		for _, known := range p.named(key.Name) {
			p.exclude(known, cause)
		}
		return
	}
	id, known := p.ids[key]
	if !known {
		return
	}
	group := p.span(p.root(id))
	switch {
	case p.done <= group.first:
		p.excludeFrom(id, exclusion{cause, 0})
	case p.done <= group.last:
		p.excludeFrom(id, exclusion{cause, p.done})
	}
}

func (p *plan) excludeFrom(id int32, e exclusion) {
	if _, out := p.out[id]; !out {
		p.out[id] = e
		p.outFrom = nil
	}
}

// named are the keys of that name in all databases.
func (p *plan) named(name string) []Key {
	if p.names == nil {
		p.names = make(map[string][]Key)
		for _, key := range p.keys {
			p.names[key.Name] = append(p.names[key.Name], key)
		}
	}
	return p.names[name]
}

// restore excludes what an earlier run has left out.
func (p *plan) restore(c Conflict) {
	if id, known := p.ids[c.Key]; known && c.Command == "" && c.Cause != Depends {
		p.excludeFrom(id, exclusion{c.Cause, c.From})
	}
}

// leftOut says whether the unit of that number is left out.
func (p *plan) leftOut(unit int) bool {
	u := p.units[unit]
	if p.swept || u.cause != "" || u.key < 0 {
		return p.swept || u.cause != ""
	}
	from, out := p.from(p.root(u.key))
	return out && unit >= from
}

// from says whether a group is left out, and from which unit on.
func (p *plan) from(root int32) (unit int, out bool) {
	if p.outFrom == nil {
		p.outFrom = make(map[int32]int)
		for id, e := range p.out {
			root := p.root(id)
			if from, known := p.outFrom[root]; !known || e.from < from {
				p.outFrom[root] = e.from
			}
		}
	}
	unit, out = p.outFrom[root]
	return unit, out
}

func (p *plan) span(root int32) span {
	if p.spans == nil {
		p.spans = make(map[int32]span)
		for i, u := range p.units {
			if u.key < 0 {
				continue
			}
			root := p.root(u.key)
			s, known := p.spans[root]
			if !known {
				s.first = i
			}
			s.last = i
			p.spans[root] = s
		}
	}
	return p.spans[root]
}

// conflicts lists what is left out, and why.
func (p *plan) conflicts() (list []Conflict) {
	for id, key := range p.keys {
		e, own := p.out[int32(id)]
		from, out := p.from(p.root(int32(id)))
		switch {
		case own:
		case p.swept:
			e.cause = Sweeping
		case out:
			e.cause = Depends
		default:
			continue
		}
		list = append(list, Conflict{Key: key, Cause: e.cause, Writes: p.writes[id], From: from})
	}
	for _, u := range p.units {
		if u.cause == "" {
			continue
		}
		same := slices.IndexFunc(list, func(c Conflict) bool { return c.Command == u.name && c.Cause == u.cause })
		if same < 0 {
			same = len(list)
			list = append(list, Conflict{Command: u.name, Cause: u.cause})
		}
		list[same].Writes++
	}
	slices.SortStableFunc(list, func(a, b Conflict) int {
		return cmp.Or(cmp.Compare(a.DB, b.DB), cmp.Compare(a.Name, b.Name))
	})
	return list
}
