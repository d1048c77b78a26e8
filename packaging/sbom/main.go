// Command sbom writes the bill of materials of a program: what is in it, in which
// version, and under which licence, as CycloneDX 1.6 in JSON.
//
//	sbom PROGRAM COPYRIGHT VERSION
//
// What is in it, the program itself says (debug/buildinfo); the licences stand in
// Debian's copyright file. The same program makes the same bytes: SOURCE_DATE_EPOCH is
// the time, and the serial number is out of the program's hash.
package main

import (
	"cmp"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"time"
)

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: sbom PROGRAM COPYRIGHT VERSION")
		os.Exit(2)
	}
	text, err := bill(os.Args[1], os.Args[2], os.Args[3], os.Getenv("SOURCE_DATE_EPOCH"))
	if err != nil {
		fmt.Fprintln(os.Stderr, "sbom:", err)
		os.Exit(1)
	}
	os.Stdout.Write(text)
}

// The part of CycloneDX that is used here (https://cyclonedx.org/docs/1.6/json/).
type (
	bom struct {
		Schema       string       `json:"$schema"`
		Format       string       `json:"bomFormat"`
		Spec         string       `json:"specVersion"`
		Serial       string       `json:"serialNumber"`
		Version      int          `json:"version"`
		Metadata     metadata     `json:"metadata"`
		Components   []component  `json:"components"`
		Dependencies []dependency `json:"dependencies"`
	}
	metadata struct {
		Timestamp string    `json:"timestamp"`
		Component component `json:"component"`
	}
	component struct {
		Type     string    `json:"type"`
		Ref      string    `json:"bom-ref"`
		Name     string    `json:"name"`
		Version  string    `json:"version"`
		Hashes   []hash    `json:"hashes,omitempty"`
		Licenses []license `json:"licenses"`
		PURL     string    `json:"purl"`
	}
	hash struct {
		Alg     string `json:"alg"`
		Content string `json:"content"`
	}
	license struct {
		License struct {
			ID string `json:"id"`
		} `json:"license"`
	}
	dependency struct {
		Ref       string   `json:"ref"`
		DependsOn []string `json:"dependsOn,omitempty"`
	}
)

func bill(program, copyright, version, epoch string) ([]byte, error) {
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		return nil, err
	}
	binary, err := os.ReadFile(program)
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(copyright)
	if err != nil {
		return nil, err
	}
	seconds, err := strconv.ParseInt(epoch, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("SOURCE_DATE_EPOCH: %w", err)
	}
	licences := licences(string(text))
	sum := sha256.Sum256(binary)

	own := part("application", "redis-vip", version, "pkg:generic/redis-vip@"+version, licences["*"])
	own.Hashes = []hash{{"SHA-256", hex.EncodeToString(sum[:])}}
	b := bom{
		Schema: "http://cyclonedx.org/schema/bom-1.6.schema.json", Format: "CycloneDX", Spec: "1.6", Version: 1,
		Serial:   serial(sum),
		Metadata: metadata{time.Unix(seconds, 0).UTC().Format(time.RFC3339), own},
	}
	all := dependency{Ref: own.Ref}
	for _, module := range append([]*debug.Module{{Path: "std", Version: strings.TrimPrefix(info.GoVersion, "go")}}, info.Deps...) {
		module = cmp.Or(module.Replace, module)
		name := module.Path
		if name == "std" {
			name = "go/std"
		}
		id, known := licences[name]
		if !known {
			return nil, fmt.Errorf("%s says nothing of %s", copyright, name)
		}
		c := part("library", module.Path, module.Version, "pkg:golang/"+module.Path+"@"+module.Version, id)
		if h1, found := strings.CutPrefix(module.Sum, "h1:"); found { // of the module's tree, as in go.sum
			tree, err := base64.StdEncoding.DecodeString(h1)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", module.Path, err)
			}
			c.Hashes = []hash{{"SHA-256", hex.EncodeToString(tree)}}
		}
		b.Components = append(b.Components, c)
		b.Dependencies = append(b.Dependencies, dependency{Ref: c.Ref})
		all.DependsOn = append(all.DependsOn, c.Ref)
	}
	b.Dependencies = append([]dependency{all}, b.Dependencies...)
	out, err := json.MarshalIndent(b, "", "  ")
	return append(out, '\n'), err
}

func part(kind, name, version, purl, id string) component {
	c := component{Type: kind, Ref: purl, Name: name, Version: version, PURL: purl, Licenses: make([]license, 1)}
	c.Licenses[0].License.ID = id
	return c
}

// serial is a UUID of version 8 (RFC 9562): its bits are those of a hash.
func serial(sum [sha256.Size]byte) string {
	sum[6], sum[8] = sum[6]&0x0f|0x80, sum[8]&0x3f|0x80
	return fmt.Sprintf("urn:uuid:%x-%x-%x-%x-%x", sum[:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16])
}

// licences are the SPDX identifiers of all that a copyright file of Debian names.
func licences(copyright string) map[string]string {
	list := map[string]string{}
	files := ""
	for line := range strings.Lines(copyright) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		switch name {
		case "Files":
			files = value
		case "License":
			if files != "" {
				list[files] = cmp.Or(map[string]string{"Expat": "MIT"}[value], value)
			}
			files = ""
		}
	}
	return list
}
