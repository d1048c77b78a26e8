package config

import (
	"reflect"
	"slices"
	"strings"
)

// proposal says what to do about the unknown key at path. Only used for an
// error, so that the keys may be read off the types.
func proposal(path []string) string {
	root, group, tls := keysOf[file](), keysOf[fileGroup](), keysOf[fileTLS]()
	name := strings.ToLower(path[len(path)-1])
	var known []string
	switch {
	case len(path) == 1:
		known = root
		if slices.Contains(group, name) {
			return "it belongs below a [group.NAME]"
		}
	case path[0] == "group" && len(path) == 3:
		known = group
		switch {
		case slices.Contains(root, name):
			return "it belongs at the top, above the first [group.NAME]"
		case slices.Contains(tls, name):
			return "it belongs below [group." + path[1] + ".tls]"
		case name == "password", name == "auth", name == "requirepass", name == "masterauth":
			return "no password belongs in this file: write it into a file of its own and name that as password_file"
		case name == "sentinel_password", name == "witness_password":
			return "no password belongs in this file: write it into a file of its own and name that as " + name + "_file"
		}
	case path[0] == "group" && len(path) == 4 && path[2] == "tls":
		known = tls
	default:
		return ""
	}
	if nearest := nearest(name, known); nearest != "" {
		return `did you mean "` + nearest + `"?`
	}
	return "known here: " + strings.Join(known, ", ")
}

// keysOf lists the TOML keys of a struct in the order of its fields.
func keysOf[T any]() []string {
	t := reflect.TypeFor[T]()
	keys := make([]string, 0, t.NumField())
	for i := range t.NumField() {
		keys = append(keys, t.Field(i).Tag.Get("toml"))
	}
	return keys
}

// nearest is the known word within a third of its length of name, or empty.
func nearest(name string, known []string) string {
	best, bestDistance := "", 0
	for _, k := range known {
		d := distance(name, k)
		if d <= max(1, len(k)/3) && (best == "" || d < bestDistance) {
			best, bestDistance = k, d
		}
	}
	return best
}

// distance is the Levenshtein distance in bytes.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			substitute := diagonal
			if a[i] != b[j] {
				substitute++
			}
			diagonal = row[j+1]
			row[j+1] = min(substitute, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
