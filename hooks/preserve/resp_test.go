package preserve

import (
	"bytes"
	"errors"
	"hash/crc64"
	"io"
	"strings"
	"testing"
)

func TestReader(t *testing.T) {
	for text, want := range map[string]error{
		"":                                    io.EOF,
		"*1\r\n$4\r\nPING\r\n":                io.EOF,
		"*2\r\n$3\r\nGET\r\n$0\r\n\r\n":       io.EOF,
		"*1\r\n$4\r\nPING\r":                  io.ErrUnexpectedEOF,
		"*1\r\n":                              io.ErrUnexpectedEOF,
		"*2\r\n$4\r\nPING\r\n":                io.ErrUnexpectedEOF,
		"PING\r\n":                            ErrGarbage,
		"\r\n*1\r\n$4\r\nPING\r\n":            ErrGarbage,
		"*0\r\n":                              ErrGarbage,
		"*01\r\n$4\r\nPING\r\n":               ErrGarbage,
		"*+1\r\n$4\r\nPING\r\n":               ErrGarbage,
		"*1\n$4\nPING\n":                      ErrGarbage,
		"*1\r\n$4\r\nPINGPONG\r\n":            ErrGarbage,
		"*1\r\n$9223372036854775807\r\nA":     ErrGarbage,
		"*1\r\n$99999999999999999999\r\nA":    ErrGarbage,
		"*1\r\n$-1\r\n":                       ErrGarbage,
		"*1\r\n$100\r\nPING\r\n":              ErrGarbage, // more than the stream has
		"*1\r\n" + strings.Repeat("9", 1<<20): ErrGarbage,
	} {
		if _, err := readAll(text); !errors.Is(err, want) {
			t.Errorf("Read %.40q: %v, want %v", text, err, want)
		}
		if _, err := copyAll(text); !errors.Is(err, want) {
			t.Errorf("Copy %.40q: %v, want %v", text, err, want)
		}
	}
	long := "*1\r\n$65\r\n" + strings.Repeat("x", 65) + "\r\n"
	if _, err := copyAll(long); !errors.Is(err, ErrGarbage) {
		t.Errorf("a long name: %v", err)
	}
}

func readAll(text string) (all []byte, err error) {
	r := NewReader(strings.NewReader(text), int64(len(text)))
	for {
		args, err := r.Read()
		if err != nil {
			return all, err
		}
		words := make([]string, len(args))
		for i, arg := range args {
			words[i] = string(arg)
		}
		all = appendCommand(all, words...)
	}
}

func copyAll(text string) ([]byte, error) {
	var all bytes.Buffer
	r := NewReader(strings.NewReader(text), int64(len(text)))
	for {
		if err := r.Copy(func(Head) io.Writer { return &all }); err != nil {
			return all.Bytes(), err
		}
	}
}

// What is read as commands is what Redis writes for them, byte for byte; and the
// two ways to read, and the one that looks for a SELECT, see the same.
func FuzzReader(f *testing.F) {
	f.Add("*1\r\n$4\r\nPING\r\n")
	f.Add("*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n*3\r\n$3\r\nSET\r\n$1\r\na\r\n$0\r\n\r\n")
	f.Add("*2\r\n$6\r\nSELECT\r\n$1\r\n")
	f.Add("$5\r\nx*1\r\n$1\r\n*2\r\n$6\r\nSELECT\r\n$1\r\n3\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		read, readErr := readAll(text)
		if !strings.HasPrefix(text, string(read)) {
			t.Errorf("%q was read as %q", text, read)
		}
		copied, copyErr := copyAll(text)
		if readErr == io.EOF && string(read) != text {
			t.Errorf("%q is complete, and was read as %q", text, read)
		}
		if copyErr == io.EOF && (readErr != io.EOF || !bytes.Equal(copied, read)) {
			t.Errorf("%q was copied as %q, %v; read as %q, %v", text, copied, copyErr, read, readErr)
		}
		db, found := lastSelect([]byte(text))
		if readErr != io.EOF || text == "" {
			return
		}
		if width, _ := commandWidth([]byte(text)); width == 0 {
			t.Errorf("%q is no command to commandWidth", text)
		}
		a := assembler{db: noDB}
		r := NewReader(strings.NewReader(text), int64(len(text)))
		for args, err := r.Read(); err == nil; args, err = r.Read() {
			if n, ok := selects(appendCommand(nil, string(args[0]), string(args[len(args)-1]))); ok && len(args) == 2 && string(args[0]) == "SELECT" {
				a.db = n
			}
		}
		if found && a.db != db || !found && a.db != noDB {
			t.Errorf("%q ends in database %d, and lastSelect says %d, %v", text, a.db, db, found)
		}
	})
}

func TestLastSelect(t *testing.T) {
	sel := func(db string) string { return string(appendCommand(nil, "SELECT", db)) }
	set := func(value string) string { return string(appendCommand(nil, "SET", "k", value)) }
	trap := sel("9") + "*2\r\n$4\r\nPING\r\n$0\r\n"
	for name, test := range map[string]struct {
		window string
		db     int
		found  bool
	}{
		"empty":                          {"", 0, false},
		"no SELECT":                      {set("a"), 0, false},
		"one":                            {sel("3"), 3, true},
		"the last of two":                {sel("3") + set("a") + sel("12") + set("b"), 12, true},
		"cut at the start":               {sel("3")[5:] + set("a") + sel("4"), 4, true},
		"one that is cut":                {sel("3")[5:] + set("a"), 0, false},
		"in a value":                     {sel("3") + set(sel("9")), 3, true},
		"in a value, and all fits":       {sel("3") + set(trap) + set("a"), 3, true},
		"in a value, and nothing else":   {set(trap), 0, false},
		"in a value that is cut":         {set(sel("9") + "text")[8:] + set("a"), 0, false},
		"the window ends in mid-command": {sel("3") + set("a")[:9], 0, false},
		"no number":                      {sel("x") + set("a"), 0, false},
	} {
		if db, found := lastSelect([]byte(test.window)); found != test.found || found && db != test.db {
			t.Errorf("%s: %d, %v", name, db, found)
		}
	}
}

// A client can write values for which every line looks like a long command.
func TestLastSelectIsBounded(t *testing.T) {
	window := strings.Repeat("$18\r\n*999999\r\n$1\r\na\r\n\r\n", selectWindow/24)
	if _, found := lastSelect([]byte(window)); found {
		t.Error("found one")
	}
}

func TestChecksum(t *testing.T) {
	if sum := ^crc64.Update(^uint64(0), jones(), []byte("123456789")); sum != 0xe9c6d914c4b8d9ca { // crc64.c, crc64Test
		t.Errorf("%x", sum)
	}
}

func TestCopyUntil(t *testing.T) {
	mark := []byte(strings.Repeat("m", eofMark))
	for _, size := range []int{0, 1, 39, 40, 41, readBuffer - eofMark, readBuffer, 3*readBuffer + 7} {
		body := strings.Repeat("b", size)
		for name, r := range map[string]io.Reader{
			"at once": strings.NewReader(body + string(mark)),
			"bytes":   &drip{strings.NewReader(body + string(mark))},
		} {
			var got bytes.Buffer
			if err := copyUntil(&got, r, mark); err != nil || got.String() != body {
				t.Errorf("%d bytes, %s: %d, %v", size, name, got.Len(), err)
			}
		}
		if err := copyUntil(io.Discard, strings.NewReader(body+string(mark[1:])), mark); err != io.ErrUnexpectedEOF {
			t.Errorf("%d bytes without a mark: %v", size, err)
		}
	}
}

type drip struct{ r io.Reader }

func (d *drip) Read(p []byte) (int, error) { return d.r.Read(p[:min(7, len(p))]) }
