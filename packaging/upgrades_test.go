package packaging_test

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"redis-vip/examples/lab/netlab"
)

// laterVersion is what Debian's packages have behind their version to be newer.
const laterVersion = "+later1"

// repository is a folder of later versions of Debian's packages: the same files and the
// same scripts, with another version. An upgrade to them does what any upgrade does.
func repository(t *testing.T, packages ...string) (files []netlab.File) {
	t.Helper()
	folder := t.TempDir()
	if err := os.Chmod(folder, 0o777); err != nil { // of apt's own user
		t.Fatal(err)
	}
	command(t, append([]string{"env", "-C", folder, "apt-get", "--quiet", "download"}, packages...)...)
	var index strings.Builder
	for _, name := range packages {
		was, tree := one(t, folder, name+"_*.deb"), filepath.Join(folder, name)
		command(t, "dpkg-deb", "--raw-extract", was, tree)
		version := command(t, "dpkg-deb", "--field", was, "Version")
		control := filepath.Join(tree, "DEBIAN", "control")
		text := strings.ReplaceAll(string(read(t, control)), version, version+laterVersion)
		if err := os.WriteFile(control, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		to := filepath.Join(folder, name+".deb")
		command(t, "dpkg-deb", "--root-owner-group", "-Zgzip", "-z1", "--build", tree, to)
		content := read(t, to)
		fmt.Fprintf(&index, "%s\nFilename: ./%s.deb\nSize: %d\nSHA256: %x\n\n",
			command(t, "dpkg-deb", "--field", to), name, len(content), sha256.Sum256(content))
		files = append(files, netlab.File{Path: "/root/later/" + name + ".deb", Content: content, Mode: 0o644})
	}
	return append(files,
		netlab.File{Path: "/root/later/Packages", Content: []byte(index.String()), Mode: 0o644},
		netlab.File{Path: "/etc/apt/sources.list", Content: []byte("deb [trusted=yes] file:/root/later ./\n"), Mode: 0o644},
	)
}

// offer gives all hosts something to upgrade to.
func (p *hosts) offer(packages ...string) {
	p.t.Helper()
	files := repository(p.t, packages...)
	for _, h := range p.Booted {
		for _, f := range files {
			p.check(h.WriteFile(p.ctx, f))
		}
		p.sh(h, "chmod 0755 /root /root/later; apt-get --quiet update")
	}
}

// upgraded says whether all hosts have taken it.
func (p *hosts) upgraded(packages ...string) {
	p.t.Helper()
	for _, h := range p.Booted {
		for _, name := range packages {
			if version := p.sh(h, "dpkg-query --show --showformat='${Version} ${Status}' "+name); !strings.HasSuffix(version, laterVersion+" install ok installed") {
				p.t.Errorf("%s: %s is %s", h.Name, name, version)
			}
		}
	}
}
