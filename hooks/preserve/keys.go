package preserve

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"time"

	"redis-vip/checks/node"

	"github.com/redis/go-redis/v9"
)

// Key is a key in a database.
type Key struct {
	DB   int    `json:"db"`
	Name string `json:"key"`
}

// Shown is the name, quoted where it would not print well.
func (k Key) Shown() string { return word([]byte(k.Name)) }

// Keyer knows which words of a command are keys. It has no table of its own: it
// asks a server (COMMAND INFO once for each command, and COMMAND GETKEYS where
// that says that the place of the keys depends on the other words).
type Keyer struct {
	client *redis.Client
	specs  map[string]keySpec
}

// keySpec is where COMMAND INFO says the keys are.
type keySpec struct {
	known             bool
	first, last, step int // first = 0: ask for each command
}

// places are those of the keys in a command of so many words. The server may have said
// anything.
func (s keySpec) places(words int) iter.Seq[int] {
	last := s.last
	if last < 0 {
		last += words
	}
	return func(yield func(int) bool) {
		for i := s.first; i <= min(last, words-1) && yield(i); i += min(max(s.step, 1), words) {
		}
	}
}

var errUnknownCommand = errors.New("the server does not know this command")

// NewKeyer asks the server at e; no answer may take longer than timeout.
func NewKeyer(e node.Endpoint, timeout time.Duration) *Keyer {
	return &Keyer{e.Client(timeout), make(map[string]keySpec)}
}

// Close ends the connection.
func (k *Keyer) Close() error { return k.client.Close() }

// Keys returns the keys of a command that runs in db. One that has none returns
// none.
func (k *Keyer) Keys(ctx context.Context, db int, args [][]byte) ([]Key, error) {
	name := strings.ToUpper(string(args[0]))
	spec, asked := k.specs[name]
	if !asked {
		var err error
		if spec, err = k.ask(ctx, name); err != nil {
			return nil, err
		}
		k.specs[name] = spec
	}
	if !spec.known {
		return nil, fmt.Errorf("%s: %w", name, errUnknownCommand)
	}
	var keys []Key
	if spec.first > 0 {
		for i := range spec.places(len(args)) {
			keys = append(keys, Key{db, string(args[i])})
		}
	} else {
		words := []any{"COMMAND", "GETKEYS"}
		for _, arg := range args {
			words = append(words, arg)
		}
		names, err := k.client.Do(ctx, words...).StringSlice()
		if err != nil && !isReply(err) {
			return nil, err
		}
		for _, name := range names {
			keys = append(keys, Key{db, name})
		}
	}
	return append(keys, elsewhere(name, args, keys)...), nil
}

// elsewhere adds what MOVE and COPY write in another database, which the server
// does not tell.
func elsewhere(name string, args [][]byte, keys []Key) []Key {
	if len(keys) == 0 {
		return nil
	}
	at := 0
	switch name {
	case "MOVE":
		at = 2
	case "COPY":
		for i := 3; i < len(args); i++ {
			if strings.EqualFold(string(args[i]), "DB") {
				at = i + 1
			}
		}
	}
	if at == 0 || at >= len(args) {
		return nil
	}
	db, err := strconv.Atoi(string(args[at]))
	if err != nil {
		return nil
	}
	return []Key{{db, keys[len(keys)-1].Name}}
}

func (k *Keyer) ask(ctx context.Context, name string) (spec keySpec, err error) {
	reply, err := k.client.Do(ctx, "COMMAND", "INFO", name).Slice()
	if err != nil {
		return spec, err
	}
	if len(reply) != 1 {
		return spec, nil
	}
	info, _ := reply[0].([]any)
	if len(info) < 6 {
		return spec, nil
	}
	spec.known = true
	flags, _ := info[2].([]any)
	for _, flag := range flags {
		if flag == "movablekeys" {
			return spec, nil
		}
	}
	for i, to := range []*int{&spec.first, &spec.last, &spec.step} {
		n, _ := info[3+i].(int64)
		*to = int(n)
	}
	return spec, nil
}

// isReply says whether err is what the server answered.
func isReply(err error) bool {
	var reply redis.Error
	return errors.As(err, &reply)
}
