package config

import (
	"reflect"
	"slices"
	"strings"

	"redis-vip/checks/spelling"
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
	if nearest := spelling.Nearest(name, known); nearest != "" {
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
