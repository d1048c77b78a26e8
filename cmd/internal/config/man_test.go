package config

import (
	"os"
	"reflect"
	"regexp"
	"slices"
	"testing"
)

// A key of the file stands in its man page, and one that stands there is a key.
func TestManPageHasAllKeys(t *testing.T) {
	text, err := os.ReadFile("../../../packaging/man/redis-vip.toml.5")
	check(t, err)
	var described []string
	for _, found := range regexp.MustCompile(`(?m)^\.It Ic ([a-z_]+) `).FindAllStringSubmatch(string(text), -1) {
		described = append(described, found[1])
	}
	var keys []string
	for _, table := range []any{file{}, fileGroup{}, fileTLS{}} {
		for i := range reflect.TypeOf(table).NumField() {
			if key := reflect.TypeOf(table).Field(i).Tag.Get("toml"); key != "group" && key != "tls" { // tables
				keys = append(keys, key)
			}
		}
	}
	slices.Sort(described)
	slices.Sort(keys)
	if !slices.Equal(described, keys) {
		t.Errorf("redis-vip.toml(5) describes %v\nthe file has %v", described, keys)
	}
}
