package config

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
)

// loader is one reading of the configuration.
type loader struct {
	overrides Overrides
	standard  string // where the file is if nobody says
	all       bool   // every group, not just one
}

// access is how the files that a configuration names are to be read.
type access struct {
	// lenient makes a secret or certificate that cannot be used a warning.
	lenient bool
	// onlyFor, if not nil, refuses every file that this owner could not read:
	// root must not read more for a copy than its author could have.
	onlyFor *owner
}

func (l *loader) load(opts Options) ([]Group, Source, error) {
	doc, err := l.read()
	readable := err == nil
	var groups []Group
	if readable {
		groups, _, err = l.parse(doc, access{})
	}
	var source Source
	if doc != nil {
		source.File = doc.path
	}
	switch {
	case err != nil && opts.Fallback:
		return l.fallBack(doc, readable, err)
	case err != nil:
		return nil, source, err
	case opts.Fallback && doc != nil:
		if err := doc.keep(groups[0].StateDir); err != nil {
			source.Warnings = append(source.Warnings, err)
		}
	}
	return groups, source, nil
}

// path of the file, absolute if the working directory is known.
func (l *loader) path() string {
	if l.overrides.Config == "" {
		return l.standard
	}
	path, err := filepath.Abs(l.overrides.Config)
	if err != nil {
		return l.overrides.Config
	}
	return path
}

// read gives the file, or nil where the flags do without one.
func (l *loader) read() (*document, error) {
	path := l.path()
	data, err := readTrusted(path)
	switch {
	case err == nil:
		return &document{path, data}, nil
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	case l.overrides.Config != "":
		return nil, &Error{File: path, Problem: "no such file", Remedy: "correct " + flagLabel("config")}
	case l.overrides.Nodes != "":
		return nil, nil
	}
	return nil, &Error{
		File: path, Problem: "no usable configuration: there is no such file and no nodes are given",
		Remedy: "write the file, or give " + flagLabel("nodes"),
	}
}

// parse checks the document, which may be nil, and the overrides, and builds
// the groups that were asked for. The warnings are what lenient access let
// pass.
func (l *loader) parse(doc *document, a access) (groups []Group, warnings []error, err error) {
	var f file
	if doc != nil {
		if f, err = doc.decode(); err != nil {
			return nil, nil, err
		}
		if a.onlyFor != nil {
			// Nor may such a copy send root's files elsewhere.
			f.StateDir, f.RunDir = filepath.Dir(doc.path), ""
		}
	}
	wanted, err := l.choose(doc, &f)
	if err != nil {
		return nil, nil, err
	}

	var c checker
	top := origin{doc: doc, top: true, overridden: map[string]bool{"state_dir": l.overrides.StateDir != "", "run_dir": l.overrides.RunDir != ""}}
	stateDir := c.path(first(l.overrides.StateDir, f.StateDir, DefaultStateDir), top.place("state_dir"))
	runDir := c.path(first(l.overrides.RunDir, f.RunDir, DefaultRunDir), top.place("run_dir"))

	every := make([]Group, 0, len(f.Groups)) // the others too: an address may have two purposes
	for _, name := range slices.Sorted(maps.Keys(f.Groups)) {
		raw := f.Groups[name]
		from := origin{doc: doc, group: name}
		chosen := slices.Contains(wanted, name)
		if chosen {
			from.overridden = l.overrides.override(&raw)
			f.Groups[name] = raw
		}
		g := c.group(name, raw, from)
		g.StateDir, g.RunDir = stateDir, runDir
		if chosen && l.overrides.Node != "" && len(g.Nodes) > 0 {
			c.chooseNode(&g, l.overrides.Node)
		}
		every = append(every, g)
	}
	c.across(every)
	if err := c.err(); err != nil {
		return nil, nil, err
	}

	for _, g := range every {
		if slices.Contains(wanted, g.Name) {
			c.files(&g, f.Groups[g.Name], a)
			groups = append(groups, g)
		}
	}
	if !a.lenient && len(c.problems) > 0 {
		return nil, nil, c.err()
	}
	return groups, c.problems, nil
}

// choose names the groups that were asked for. With flags alone it adds theirs
// to f.
func (l *loader) choose(doc *document, f *file) ([]string, error) {
	name := l.overrides.Group
	if len(f.Groups) == 0 {
		if l.overrides.Nodes == "" {
			return nil, &Error{
				File: doc.path, Problem: "no usable configuration: the file has no group",
				Remedy: "write [group.mymaster] and its nodes, or give " + flagLabel("nodes"),
			}
		}
		name = first(name, DefaultGroup)
		f.Groups = map[string]fileGroup{name: {}}
		return []string{name}, nil
	}
	names := slices.Sorted(maps.Keys(f.Groups))
	list := strings.Join(names, ", ")
	if name != "" {
		if !slices.Contains(names, name) {
			return nil, &Error{Key: flagLabel("group"), Problem: fmt.Sprintf("%q is not a group of %s", name, doc.path), Remedy: "it has " + list}
		}
		return []string{name}, nil
	}
	if len(names) == 1 {
		return names, nil
	}
	if !l.all {
		return nil, &Error{File: doc.path, Problem: "has more than one group", Remedy: "choose with " + flagLabel("group") + ": " + list}
	}
	if key := l.overrides.ofGroup(); key != "" {
		return nil, &Error{Key: flagLabel(key), Problem: "overrides one group, and " + doc.path + " has more", Remedy: "choose with " + flagLabel("group") + ": " + list}
	}
	return names, nil
}

func first(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}
