package preserve

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
)

// command is one write and the database it was made in.
type command struct {
	db   int
	args [][]byte
}

func (c command) name() string { return strings.ToUpper(string(c.args[0])) }

// unit is what is applied as a whole or not at all: a command, or a transaction.
type unit struct {
	commands    []command
	transaction bool
}

// assembler makes units of a stream of commands.
type assembler struct {
	db   int // at hand; noDB until it is known
	open *unit
}

// add takes the next command, and returns a unit when it is complete.
func (a *assembler) add(args [][]byte) (unit, bool) {
	switch strings.ToUpper(string(args[0])) {
	case "SELECT":
		if len(args) == 2 {
			if db, err := strconv.Atoi(string(args[1])); err == nil {
				a.db = db
			}
		}
		return unit{}, false
	case "PING", "REPLCONF":
		return unit{}, false
	case "MULTI":
		a.open = &unit{transaction: true}
		return unit{}, false
	case "EXEC":
		if a.open == nil {
			return unit{}, false
		}
		u := *a.open
		a.open = nil
		return u, len(u.commands) > 0
	}
	c := command{a.db, args}
	if a.open != nil {
		a.open.commands = append(a.open.commands, c)
		return unit{}, false
	}
	return unit{commands: []command{c}}, true
}

// each reads the units of a preserved suffix in order.
func (f File) each(visit func(unit) error) error {
	file, err := os.Open(f.Path)
	if err != nil {
		return err
	}
	defer file.Close()
	r, a := NewReader(file, f.Size), assembler{db: noDB}
	for {
		args, err := r.Read()
		if err == io.EOF && a.open == nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", f.Path, unexpected(err))
		}
		if u, complete := a.add(args); complete {
			if err := visit(u); err != nil {
				return err
			}
		}
	}
}
