package config

import (
	"os"
	"path/filepath"
	"testing"
)

// What people copy must be right.
func TestExamples(t *testing.T) {
	files, err := filepath.Glob("../../../examples/*/redis-vip.toml")
	check(t, err)
	if len(files) == 0 {
		t.Error("no examples")
	}
	for _, path := range files {
		data, err := os.ReadFile(path)
		check(t, err)
		l := loader{all: true}
		if _, _, err := l.parse(&document{path, data}, access{lenient: true}); err != nil {
			t.Error(err)
		}
	}
}
