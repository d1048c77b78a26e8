package config

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// file, fileGroup and fileTLS are the file as written. All leaves are plain
// text and are checked by the same code as the overrides.
type file struct {
	StateDir string               `toml:"state_dir"`
	RunDir   string               `toml:"run_dir"`
	Groups   map[string]fileGroup `toml:"group"`
}

type fileGroup struct {
	VIPs                 []string `toml:"vips"`
	Nodes                []string `toml:"nodes"`
	Interface            string   `toml:"interface"`
	Socket               string   `toml:"socket"`
	Username             string   `toml:"username"`
	PasswordFile         string   `toml:"password_file"`
	TLS                  *fileTLS `toml:"tls"`
	Sentinels            []string `toml:"sentinels"`
	SentinelUsername     string   `toml:"sentinel_username"`
	SentinelPasswordFile string   `toml:"sentinel_password_file"`
	Timeout              string   `toml:"timeout"`
	PeerTimeout          string   `toml:"peer_timeout"`
	HookTimeout          string   `toml:"hook_timeout"`
	BootWait             string   `toml:"boot_wait"`
	FenceAfter           string   `toml:"fence_after"`
	Gateway              string   `toml:"gateway"`
	Witnesses            []string `toml:"witnesses"`
	WitnessUsername      string   `toml:"witness_username"`
	WitnessPasswordFile  string   `toml:"witness_password_file"`
	Preserve             string   `toml:"preserve"`
	Keep                 int      `toml:"keep"`
}

type fileTLS struct {
	CA         string `toml:"ca"`
	Cert       string `toml:"cert"`
	Key        string `toml:"key"`
	ServerName string `toml:"server_name"`
}

// document is a file's path and content.
type document struct {
	path string
	data []byte
}

// decode reads the document strictly: a key it does not know is an error.
func (d *document) decode() (file, error) {
	var f file
	if bytes.HasPrefix(d.data, []byte("\xef\xbb\xbf")) {
		return f, &Error{File: d.path, Line: 1, Column: 1, Problem: "starts with a byte order mark", Remedy: "save it as UTF-8 without one"}
	}
	err := toml.NewDecoder(bytes.NewReader(d.data)).DisallowUnknownFields().Decode(&f)
	if err == nil {
		return f, nil
	}
	var missing *toml.StrictMissingError
	if errors.As(err, &missing) {
		errs := make([]error, 0, len(missing.Errors))
		for i := range missing.Errors {
			errs = append(errs, d.unknownKey(&missing.Errors[i]))
		}
		return f, errors.Join(errs...)
	}
	var wrong *toml.DecodeError
	if errors.As(err, &wrong) {
		return f, d.wrongValue(wrong)
	}
	return f, &Error{File: d.path, Problem: err.Error()}
}

// unknownKey proposes the key that was probably meant.
func (d *document) unknownKey(e *toml.DecodeError) *Error {
	line, column := e.Position()
	path := e.Key()
	name := path[len(path)-1]
	return &Error{File: d.path, Line: line, Column: column, Key: name, Problem: "unknown key", Remedy: proposal(path)}
}

// wrongValue translates the decoder's error, which speaks of Go's types.
func (d *document) wrongValue(e *toml.DecodeError) *Error {
	line, column := e.Position()
	path := e.Key()
	out := &Error{File: d.path, Line: line, Column: column, Problem: strings.TrimPrefix(e.Error(), "toml: ")}
	found, ok := strings.CutPrefix(out.Problem, "cannot decode TOML ")
	found, _, _ = strings.Cut(found, " into ")
	if !ok && !strings.HasPrefix(out.Problem, "cannot store ") {
		return out // syntax, or a key given twice: the parser says it well
	}
	if len(path) > 0 {
		out.Key = path[len(path)-1]
	}
	if !ok {
		found = "array table"
	}
	out.Problem = "cannot be of the type " + found
	switch key := out.Key; {
	case len(path) > 0 && path[0] == "group" && len(path) < 3:
		out.Problem = "a group is a table with a name"
		out.Remedy = "write [group.mymaster], and its keys below"
	case key == "vips", key == "nodes", key == "sentinels", key == "witnesses":
		out.Remedy = fmt.Sprintf(`write a list of texts, as in %s = ["192.168.0.1"]`, key)
	case key == "keep":
		out.Remedy = "write a number, as in keep = 10"
	case strings.HasSuffix(key, "timeout"), key == "boot_wait", key == "fence_after":
		out.Remedy = fmt.Sprintf(`write a text with its unit, as in %s = "900ms"`, key)
	case key == "tls":
		out.Remedy = "write the table [group.NAME.tls]; an empty one turns TLS on with the system's authorities"
	default:
		out.Remedy = fmt.Sprintf(`write a text, as in %s = "…"`, key)
	}
	return out
}
