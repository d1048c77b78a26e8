package packaging_test

import (
	"archive/tar"
	"bytes"
	"debug/buildinfo"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The same commit makes the same bytes: in another folder, under another umask, time
// zone and language, with other times on the files.
func TestBuiltTwiceIsTheSame(t *testing.T) {
	require(t)
	tree := filepath.Join(t.TempDir(), "elsewhere")
	again := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "sh", "-ec", `umask 077; mkdir "$1"; cd ..
git ls-files -z --cached --others --exclude-standard | xargs -0 cp --parents --target-directory="$1"
cd "$1"; find . -exec touch --date="2001-01-01 $(id -u) seconds" {} +
TZ=Asia/Kathmandu LANG=de_DE.UTF-8 packaging/build "$2"`, "sh", tree, again)
	version, epoch := versionOf(t, packages), strings.TrimSpace(command(t, "git", "log", "-1", "--format=%ct"))
	cmd.Env = append(os.Environ(), "VERSION="+version, "SOURCE_DATE_EPOCH="+epoch) // it has no git there
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, pattern := range []string{"*_amd64.deb", "*_arm64.deb", "*.x86_64.rpm", "*.aarch64.rpm"} {
		first, err := os.ReadFile(one(t, packages, pattern))
		if err != nil {
			t.Fatal(err)
		}
		second, err := os.ReadFile(one(t, again, pattern))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(first, second) {
			t.Errorf("%s is not the same when it is built again", pattern)
		}
		t.Logf("%s: %.1f MB", pattern, float64(len(first))/1e6)
		if len(first) > 7e6 {
			t.Errorf("%s has %d bytes; it may have 7 MB", pattern, len(first))
		}
	}
}

func versionOf(t *testing.T, folder string) string {
	t.Helper()
	return strings.TrimSuffix(command(t, "dpkg-deb", "--field", deb(t, folder), "Version"), "-1")
}

func TestLintian(t *testing.T) {
	require(t, "lintian")
	for _, arch := range []string{"amd64", "arm64"} {
		if said := command(t, "lintian", "--allow-root", "--fail-on", "error,warning", one(t, packages, "*_"+arch+".deb")); said != "" {
			t.Error(said)
		}
	}
}

func TestRpmlint(t *testing.T) {
	require(t, "rpmlint", "cpio")
	// rpmlint unpacks with cpio, and the names in an rpm of nfpm begin with /: without
	// the option it would unpack over this machine.
	shim := t.TempDir()
	if err := os.WriteFile(shim+"/cpio", []byte("#!/bin/sh\nexec /usr/bin/cpio --no-absolute-filenames \"$@\"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", shim+":"+os.Getenv("PATH"))
	for _, arch := range []string{"x86_64", "aarch64"} {
		said := command(t, "rpmlint", "--config", "rpmlint.toml", one(t, packages, "*."+arch+".rpm"))
		if !strings.Contains(said, " 0 errors, 0 warnings") {
			t.Error(said)
		}
	}
}

// modes are those of what is no plain file, or no folder, of everybody to read.
var modes = map[string]int64{
	"./usr/lib/redis-vip/redis-vip": 0o755,
}

func TestDebContent(t *testing.T) {
	require(t)
	archive := tar.NewReader(strings.NewReader(command(t, "dpkg-deb", "--fsys-tarfile", deb(t, packages))))
	links := map[string]string{}
	var files []string
	var size int64
	for {
		h, err := archive.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		size += h.Size
		mode, special := modes[h.Name]
		switch {
		case h.Typeflag == tar.TypeDir:
			mode = 0o755
		case h.Typeflag == tar.TypeSymlink:
			links[h.Name], mode = h.Linkname, 0o777
		case !special:
			mode = 0o644
		}
		if h.Typeflag == tar.TypeReg {
			files = append(files, strings.TrimPrefix(h.Name, "."))
		}
		if h.Uid != 0 || h.Gid != 0 || h.Uname != "root" || h.Gname != "root" || h.Mode != mode {
			t.Errorf("%s: %s:%s (%d:%d), %o; want root's, %o", h.Name, h.Uname, h.Gname, h.Uid, h.Gid, h.Mode, mode)
		}
	}
	for name, want := range map[string]string{
		"./usr/bin/redis-vip":                   "../lib/redis-vip/redis-vip",
		"./usr/lib/redis-vip/redis-check":       "redis-vip",
		"./usr/lib/redis-vip/notify-master":     "redis-vip",
		"./usr/lib/redis-vip/notify-backup":     "redis-vip",
		"./usr/lib/redis-vip/sentinel-reconfig": "redis-vip",
	} {
		if links[name] != want {
			t.Errorf("%s -> %q, want %q", name, links[name], want)
		}
		delete(links, name)
	}
	if len(links) > 0 {
		t.Errorf("links too many: %v", links)
	}
	want := append(sources(t, "/usr/share/zsh/vendor-completions/_redis-vip"),
		"/usr/lib/redis-vip/redis-vip", "/usr/share/lintian/overrides/redis-vip",
		"/usr/share/doc/redis-vip/changelog.gz", "/usr/share/doc/redis-vip/changelog.Debian.gz")
	same(t, files, want)
	t.Logf("installed: %.1f MB", float64(size)/1e6)
	if size > 20e6 {
		t.Errorf("installed, it has %d bytes; it may have 20 MB", size)
	}
}

// sources are the files of the tree that both packages have, by where they go.
func sources(t *testing.T, more ...string) []string {
	t.Helper()
	list := append(more, "/usr/share/doc/redis-vip/README.md", "/usr/share/doc/redis-vip/copyright", "/usr/share/doc/redis-vip/sbom.cdx.json",
		"/usr/share/bash-completion/completions/redis-vip", "/usr/share/fish/vendor_completions.d/redis-vip.fish")
	for pattern, to := range map[string]string{
		"systemd/*": "/usr/lib/systemd/system/", "sysusers.d/*": "/usr/lib/sysusers.d/", "tmpfiles.d/*": "/usr/lib/tmpfiles.d/",
		"man/*.5": "/usr/share/man/man5/", "man/*.7": "/usr/share/man/man7/", "man/*.8": "/usr/share/man/man8/",
		"../examples/*.md": "/usr/share/doc/redis-vip/examples/", "../examples/*/*": "/usr/share/doc/redis-vip/examples/",
	} {
		found, err := filepath.Glob(pattern)
		if err != nil || len(found) == 0 {
			t.Fatalf("%s: %v", pattern, err)
		}
		for _, path := range found {
			name := filepath.Base(path)
			switch {
			case strings.HasPrefix(path, "../examples/lab/"), strings.HasPrefix(path, "../examples/sim/"):
				continue // for development
			case pattern == "../examples/*/*":
				name = strings.TrimPrefix(path, "../examples/")
			case strings.HasPrefix(pattern, "man/"):
				name += ".gz"
			}
			list = append(list, to+name)
		}
	}
	return list
}

func same(t *testing.T, got, want []string) {
	t.Helper()
	for _, name := range got {
		if !slices.Contains(want, name) {
			t.Errorf("too much: %s", name)
		}
	}
	for _, name := range want {
		if !slices.Contains(got, name) {
			t.Errorf("missing: %s", name)
		}
	}
}

// The copyright file names every module that is in the binary, and no other.
func TestCopyrightNamesAllModules(t *testing.T) {
	require(t)
	root := t.TempDir()
	command(t, "dpkg-deb", "--extract", deb(t, packages), root)
	info, err := buildinfo.ReadFile(root + "/usr/lib/redis-vip/redis-vip")
	if err != nil {
		t.Fatal(err)
	}
	in := []string{"*", "go/std"}
	for _, module := range info.Deps {
		in = append(in, module.Path)
	}
	text, err := os.ReadFile(root + "/usr/share/doc/redis-vip/copyright")
	if err != nil {
		t.Fatal(err)
	}
	var named []string
	for _, found := range regexp.MustCompile(`(?m)^Files: (.*)$`).FindAllSubmatch(text, -1) {
		named = append(named, string(found[1]))
	}
	same(t, named, in)
}

// Both packages have a bill of materials: that of the program in them, with just what the
// program itself says to be in it.
func TestBillOfMaterials(t *testing.T) {
	require(t, "rpm2cpio", "cpio")
	for format, unpack := range map[string]func(root string){
		"deb": func(root string) { command(t, "dpkg-deb", "--extract", deb(t, packages), root) },
		"rpm": func(root string) {
			command(t, "sh", "-c", `cd "$1" && rpm2cpio "$2" | cpio --quiet -id --no-absolute-filenames`, "sh", root, rpm(t, packages))
		},
	} {
		root := t.TempDir()
		unpack(root)
		text, err := os.ReadFile(root + "/usr/share/doc/redis-vip/sbom.cdx.json")
		if err != nil {
			t.Fatal(err)
		}
		var bom struct {
			Format   string `json:"bomFormat"`
			Metadata struct {
				Component struct {
					Version string
					Hashes  []struct{ Content string }
				}
			}
			Components []struct{ Name, Version string }
		}
		if err := json.Unmarshal(text, &bom); err != nil {
			t.Fatal(err)
		}
		program := root + map[string]string{"deb": "/usr/lib/redis-vip/redis-vip", "rpm": "/usr/libexec/keepalived/redis-vip"}[format]
		info, err := buildinfo.ReadFile(program)
		if err != nil {
			t.Fatal(err)
		}
		want := []string{"std " + strings.TrimPrefix(info.GoVersion, "go")}
		for _, module := range info.Deps {
			want = append(want, module.Path+" "+module.Version)
		}
		var got []string
		for _, c := range bom.Components {
			got = append(got, c.Name+" "+c.Version)
		}
		same(t, got, want)
		sum, _, _ := strings.Cut(command(t, "sha256sum", program), " ")
		own := bom.Metadata.Component
		if bom.Format != "CycloneDX" || own.Version != versionOf(t, packages) || len(own.Hashes) != 1 || own.Hashes[0].Content != sum {
			t.Errorf("%s: %+v, and the program has %s", format, own, sum)
		}
	}
}
