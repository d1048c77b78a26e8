package lint

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// Whatever stands in the files, the rules end soon, find the same each time, and say of
// each finding where it is and what to do.
func FuzzLint(f *testing.F) {
	for _, path := range corpora(f) {
		c := readCorpus(f, path)
		f.Add(c.files[places["keepalived.conf"]], c.files[places["redis.conf"]], c.files[places["sentinel.conf"]])
	}
	group := "[group.mymaster]\nvips = ['192.0.2.4/24']\nnodes = ['192.0.2.1:6379', '192.0.2.2:6379']\nsentinels = ['192.0.2.1:26379']\n"
	f.Fuzz(func(t *testing.T, vrrp, redis, sentinel string) {
		c := corpus{files: map[string]string{
			places["keepalived.conf"]: vrrp, places["redis.conf"]: redis, places["sentinel.conf"]: sentinel, places["redis-vip.toml"]: group,
			"other/keepalived.conf": redis, "other/redis.conf": vrrp, "/etc/x": sentinel,
		}}
		start := time.Now()
		h := c.host(t, "redis1")
		list := Check(h)
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("took %v", took)
		}
		for _, finding := range list {
			text, known := c.files[finding.File]
			if finding.Line < 0 || known && finding.Line > strings.Count(text, "\n")+1 || finding.File == "" && h.Redis != nil {
				t.Errorf("%+v", finding)
			}
			if finding.Message == "" || finding.Why == "" || finding.Fix == "" {
				t.Errorf("%+v", finding)
			}
		}
		if again := Check(h); !slices.Equal(again, list) {
			t.Errorf("%v, and then %v", list, again)
		}
	})
}

// What the host says of its accounts, units and programs may be anything.
func FuzzHost(f *testing.F) {
	f.Add([]byte("redis:x:990:990::/:/bin/false\nroot:x:0:0\n"), "redis")
	f.Add([]byte("redis:x:-1:4294967296\n:::\n"), "redis")
	f.Add([]byte("Id=redis.service\nLoadState=loaded\nUser=redis\nExecPaths=/usr/lib /bin\n\nLoadState=loaded\n"), "")
	f.Add([]byte("#! /bin/sh -e\n"), "")
	f.Add([]byte("#!\n"), "")
	f.Add(append([]byte("\x7fELF\x02\x02"), make([]byte, 60)...), "")
	f.Fuzz(func(t *testing.T, text []byte, name string) {
		if _, found := passwd(text, name); found && !strings.Contains(string(text), name+":") {
			t.Errorf("%q is no account of %q", name, text)
		}
		for name, unit := range parseUnits(text) {
			if unit.Name != name || strings.ContainsAny(name, "\n") {
				t.Errorf("%q: %+v", name, unit)
			}
		}
		if is, interpreter := format(text); (is == Script) != (interpreter != "") || strings.ContainsAny(interpreter, " \t\n") {
			t.Errorf("%q: %v %q", text, is, interpreter)
		}
	})
}
