package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// build builds the packages' program.
func build(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "redis-vip")
	command := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-buildvcs=false", "-tags", "urfave_cli_no_docs", "-o", program, "./cmd/redis-vip")
	command.Dir, command.Env = "../..", append(os.Environ(), "CGO_ENABLED=0") // as the Makefile does: all of it is in the cache
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return program
}

func TestBill(t *testing.T) {
	program := build(t)
	text, err := bill(program, "../copyright", "1.2.3", "1763701313")
	if err != nil {
		t.Fatal(err)
	}
	if again, err := bill(program, "../copyright", "1.2.3", "1763701313"); err != nil || string(again) != string(text) {
		t.Errorf("another time it is another one: %v", err)
	}
	var b bom
	if err := json.Unmarshal(text, &b); err != nil {
		t.Fatal(err)
	}
	if b.Metadata.Timestamp != "2025-11-21T05:01:53Z" || b.Metadata.Component.PURL != "pkg:generic/redis-vip@1.2.3" || len(b.Metadata.Component.Hashes) != 1 ||
		!regexp.MustCompile(`^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`).MatchString(b.Serial) {
		t.Errorf("%+v, %s", b.Metadata, b.Serial)
	}
	var names []string
	for _, c := range b.Components {
		names = append(names, c.Name)
		spdx := []string{"MIT", "BSD-2-Clause", "BSD-3-Clause", "Apache-2.0"}
		if c.Version == "" || !slices.Contains(spdx, c.Licenses[0].License.ID) || c.Name != "std" && len(c.Hashes) != 1 || c.Ref != c.PURL {
			t.Errorf("%+v", c)
		}
	}
	for _, name := range []string{"std", "github.com/redis/go-redis/v9", "golang.org/x/sys"} {
		if !slices.Contains(names, name) {
			t.Errorf("%s is not among %v", name, names)
		}
	}
	if len(b.Dependencies) != len(b.Components)+1 || len(b.Dependencies[0].DependsOn) != len(b.Components) {
		t.Errorf("%+v", b.Dependencies)
	}

	silent := filepath.Join(t.TempDir(), "copyright")
	if err := os.WriteFile(silent, []byte("Files: *\nLicense: Expat\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := bill(program, silent, "1.2.3", "1"); err == nil || !strings.Contains(err.Error(), "says nothing of go/std") {
		t.Error(err)
	}
	if _, err := bill(program, "../copyright", "1.2.3", ""); err == nil {
		t.Error("without a time")
	}
}

// The copyright file says of each module what the module's own files say: the licence,
// and who has the copyright. It names all that are in the program, and no other.
func TestCopyrightIsThatOfTheModules(t *testing.T) {
	text, err := os.ReadFile("../copyright")
	if err != nil {
		t.Fatal(err)
	}
	holders := map[string]string{}
	for _, found := range regexp.MustCompile(`(?m)^Files: (.*)\nCopyright: (.*)$`).FindAllStringSubmatch(string(text), -1) {
		holders[found[1]] = found[2]
	}
	named := licences(string(text))
	delete(named, "*")
	for path, folder := range modules(t) {
		licence, said := ownWords(t, folder)
		if named[path] != licence {
			t.Errorf("%s is under %q, and our copyright file says %q", path, licence, named[path])
		}
		for _, holder := range said {
			for _, word := range strings.Fields(holder) {
				if !strings.Contains(plain(holders[path]), plain(word)) {
					t.Errorf("%s: copyright %q, and our file says %q", path, holder, holders[path])
				}
			}
		}
		delete(named, path)
	}
	if len(named) > 0 {
		t.Errorf("our copyright file names what is not in the program: %v", named)
	}
}

// modules are those in the program and Go's own library, by path, with their folders.
func modules(t *testing.T) map[string]string {
	t.Helper()
	command := exec.CommandContext(t.Context(), "go", "list", "-tags", "urfave_cli_no_docs", "-deps", "-f", "{{with .Module}}{{.Path}} {{.Dir}}{{end}}", "redis-vip/cmd/redis-vip")
	out, err := command.Output()
	if err != nil {
		t.Fatal(err)
	}
	root, err := exec.CommandContext(t.Context(), "go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	list := map[string]string{"go/std": strings.TrimSpace(string(root))}
	for line := range strings.Lines(string(out)) {
		if path, folder, found := strings.Cut(strings.TrimSpace(line), " "); found && path != "redis-vip" {
			list[path] = folder
		}
	}
	if len(list) < 20 {
		t.Fatalf("only %v", list)
	}
	return list
}

// ownWords are a module's licence, and what its files say of the copyright.
func ownWords(t *testing.T, folder string) (spdx string, holders []string) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	all := ""
	for _, entry := range entries {
		if name := strings.ToLower(entry.Name()); strings.HasPrefix(name, "licen") || strings.HasPrefix(name, "notice") {
			text, err := os.ReadFile(filepath.Join(folder, entry.Name()))
			if err != nil {
				t.Fatal(err)
			}
			all += string(text)
		}
	}
	for _, known := range []struct{ words, spdx string }{
		{"Apache License", "Apache-2.0"},
		{"Permission is hereby granted, free of charge", "MIT"},
		{"Neither the name", "BSD-3-Clause"},
		{"Redistribution and use in source and binary forms", "BSD-2-Clause"},
	} {
		if strings.Contains(all, known.words) {
			spdx = known.spdx
			break
		}
	}
	for _, found := range regexp.MustCompile(`(?m)^ *Copyright (?:\([cC]\) )?([^\[\n]*[A-Za-z][^\[\n]*)$`).FindAllStringSubmatch(all, -1) {
		holders = append(holders, regexp.MustCompile(` *<.*>`).ReplaceAllString(found[1], ""))
	}
	return spdx, holders
}

// plain leaves out what people write in one way or another.
func plain(s string) string {
	return strings.ToLower(strings.NewReplacer(" - ", "-", ".", "", ",", "").Replace(s))
}

// Why there is a dependency stands beside it.
func TestEveryDependencyHasAReason(t *testing.T) {
	text, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	direct := 0
	for _, line := range regexp.MustCompile(`(?m)^\t\S+ v.*$`).FindAllString(string(text), -1) {
		_, reason, _ := strings.Cut(line, " // ")
		if reason == "indirect" {
			continue
		}
		if direct++; len(reason) < 10 {
			t.Errorf("go.mod: say why: %s", line)
		}
	}
	if direct < 10 {
		t.Errorf("%d direct dependencies are too few to be all", direct)
	}
}
