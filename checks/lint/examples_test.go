package lint

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"redis-vip/checks/lint/keepalived"
)

// example reads the files of a shipped example as a corpus, with its redis.conf
// appended to Debian's own, as the README says.
func example(t *testing.T, name string) corpus {
	t.Helper()
	c := corpus{files: map[string]string{}}
	list, err := filepath.Glob("../../examples/" + name + "/*.*")
	if err != nil || len(list) == 0 {
		t.Fatal(list, err)
	}
	for _, path := range list {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		place, known := places[filepath.Base(path)]
		if !known {
			place = "/etc/redis-vip/" + filepath.Base(path)
		}
		c.files[place] = string(data)
	}
	own, err := os.ReadFile("testdata/debian/redis.conf")
	if err != nil {
		t.Fatal(err)
	}
	c.files[places["redis.conf"]] = string(own) + c.files[places["redis.conf"]]
	return c
}

// No false alarm: the files that people copy have no finding, on any of their hosts.
func TestExamples(t *testing.T) {
	for _, name := range []string{"active-standby", "fast-failover", "active-standby-witness", "sentinel-vip", "haproxy-sentinel"} {
		c := example(t, name)
		if c.files[places["redis-vip.toml"]] == "" || c.files["/etc/redis-vip/never-boot-as-master.conf"] == "" {
			t.Fatalf("%s: files are missing", name)
		}
		if name == "haproxy-sentinel" { // keepalived is on the hosts of HAProxy
			delete(c.files, places["keepalived.conf"])
		}
		c.files["units"] = "redis-sentinel user=redis noexec=/ exec=/usr/bin/redis-sentinel,/usr/lib,/lib\nredis-server user=redis restart=always\n"
		for i := range parseGroups(t, c.files[places["redis-vip.toml"]])[0].Nodes {
			id := fmt.Sprintf("redis%d", i+1)
			t.Run(name+" "+id, func(t *testing.T) {
				h := c.host(t, id)
				h.Groups[0].Self = h.Groups[0].Nodes[i]
				if h.Keepalived != nil {
					other, err := keepalived.Read(places["keepalived.conf"], fmt.Sprintf("redis%d", 2-i), keepalived.Source{Read: c.read, Glob: c.glob})
					if err != nil {
						t.Fatal(err)
					}
					h.Other.Keepalived = other
				}
				for _, f := range Check(h) {
					t.Errorf("%+v", f)
				}
			})
		}
	}
}

// The configurations that people publish, in our words and with our addresses. Each
// file says which mistakes it has.
func TestSources(t *testing.T) {
	list, err := filepath.Glob("testdata/sources/*.txtar")
	if err != nil || len(list) < 10 {
		t.Fatalf("%d files, %v", len(list), err)
	}
	for _, path := range list {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			c := readCorpus(t, path)
			h := c.host(t, "redis1")
			for i := range h.Groups {
				h.Groups[i].Password = true
			}
			got := found(Check(h))
			slices.Sort(got)
			slices.Sort(c.wants)
			if !slices.Equal(got, c.wants) {
				t.Errorf("found\n%s\nwanted\n%s", strings.Join(got, "\n"), strings.Join(c.wants, "\n"))
			}
		})
	}
}
