package preserve

import (
	"fmt"
	"io"
	"strconv"
	"strings"
)

// command is one write and the database it was made in.
type command struct {
	db   int
	args [][]byte
}

// name is fit to be shown.
func (c command) name() string { return strings.ToUpper(word(c.args[0])) }

// unit is what is applied as a whole or not at all: a command, or a transaction.
type unit struct {
	commands    []command
	transaction bool
}

// assembler makes units of a stream of commands.
type assembler struct {
	db   int // at hand; noDB until it is known
	open *unit
	size int64 // of the open one
}

// add takes the next command, and returns a unit when it is complete.
func (a *assembler) add(args [][]byte) (u unit, complete bool, err error) {
	switch strings.ToUpper(string(args[0])) {
	case "SELECT":
		if len(args) == 2 {
			if db, err := strconv.Atoi(string(args[1])); err == nil {
				a.db = db
			}
		}
		return unit{}, false, nil
	case "PING", "REPLCONF":
		return unit{}, false, nil
	case "MULTI":
		a.open, a.size = &unit{transaction: true}, 0
		return unit{}, false, nil
	case "EXEC":
		if a.open == nil {
			return unit{}, false, nil
		}
		u, a.open = *a.open, nil
		return u, len(u.commands) > 0, nil
	}
	c := command{a.db, args}
	if a.open == nil {
		return unit{commands: []command{c}}, true, nil
	}
	a.open.commands = append(a.open.commands, c)
	if a.size += c.size(); a.size > maxUnit {
		return unit{}, false, errTooLong
	}
	return unit{}, false, nil
}

// size is how much memory it takes, about.
func (c command) size() (n int64) {
	for _, arg := range c.args {
		n += int64(len(arg)) + perArg
	}
	return n
}

// each reads the units of a preserved suffix in order.
func (f File) each(visit func(unit) error) error {
	file, err := openPlain(f.Path)
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
		u, complete, err := a.add(args)
		if err != nil {
			return fmt.Errorf("%s: %w", f.Path, err)
		}
		if !complete {
			continue
		}
		if err := visit(u); err != nil {
			return err
		}
	}
}
