package lint

import (
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"redis-vip/checks/lint/keepalived"
	"redis-vip/checks/lint/redisconf"

	"github.com/pelletier/go-toml/v2"
)

// A corpus is files of one host in one text file: "-- NAME --" begins each, and above
// the first stand a sentence and what is to be found, as "want FILE:LINE RULE".
type corpus struct {
	wants []string
	files map[string]string
}

// Where the files of a corpus would be.
var places = map[string]string{
	"keepalived.conf": "/etc/keepalived/keepalived.conf", "redis.conf": "/etc/redis/redis.conf",
	"sentinel.conf": "/etc/redis/sentinel.conf", "redis-vip.toml": "/etc/redis-vip/redis-vip.toml",
}

func readCorpus(t testing.TB, path string) corpus {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	c := corpus{files: map[string]string{}}
	name := ""
	for line := range strings.Lines(string(data)) {
		if head, found := strings.CutPrefix(line, "-- "); found && strings.HasSuffix(line, " --\n") {
			name = strings.TrimSuffix(head, " --\n")
			if place, known := places[name]; known {
				name = place
			}
			c.files[name] = ""
		} else if want, found := strings.CutPrefix(line, "want "); found && name == "" {
			file, rest, _ := strings.Cut(strings.TrimSpace(want), ":")
			if place, known := places[file]; known {
				file = place
			}
			c.wants = append(c.wants, file+":"+rest)
		} else if name != "" {
			c.files[name] += line
		}
	}
	return c
}

func (c corpus) read(path string) ([]byte, error) {
	text, found := c.files[path]
	if !found {
		return nil, fs.ErrNotExist
	}
	return []byte(text), nil
}

// glob is for the patterns of the corpus, which match nothing.
func (c corpus) glob(string) ([]string, error) { return nil, nil }

// host is the corpus as a host: redis1, 192.0.2.1, where everything that it does not
// speak of is as the packages and the README leave it.
func (c corpus) host(t *testing.T, id string) *Host {
	t.Helper()
	h := &Host{Disk: Disk{
		Paths: map[string]Path{"/etc/redis": {Exists: true, Real: "/etc/redis", UID: 990, GID: 990, Mode: fs.ModeDir | 0o770}},
		Users: map[string]User{"root": {0, 0}, "redis": {990, 990}, "redis-vip": {998, 998}},
	}}
	for _, path := range []string{
		"/usr/lib/redis-vip/redis-check", "/usr/lib/redis-vip/notify-master", "/usr/lib/redis-vip/notify-backup",
		"/usr/bin/redis-vip", "/usr/lib/redis-vip/sentinel-reconfig",
	} {
		h.Disk.Paths[path] = Path{Exists: true, Real: path, Mode: 0o755, Format: Binary}
	}
	for line := range strings.Lines(c.files["disk"]) {
		path, p := parsePath(t, strings.Fields(line))
		h.Disk.Paths[path] = p
	}
	if text, found := c.files["units"]; found {
		h.Units = map[string]Unit{}
		for line := range strings.Lines(text) {
			u := parseUnit(strings.Fields(line))
			h.Units[u.Name] = u
		}
	}
	if text, found := c.files["interfaces"]; found {
		h.Live = &Live{Interfaces: strings.Fields(text)}
	}
	var err error
	conf := func(path string) *redisconf.File {
		if c.files[path] == "" {
			return nil
		}
		f, e := redisconf.Read(path, redisconf.Source{Read: c.read, Glob: c.glob})
		err = e
		return f
	}
	vrrp := func(path string) *keepalived.File {
		if c.files[path] == "" {
			return nil
		}
		f, e := keepalived.Read(path, id, keepalived.Source{Read: c.read, Glob: c.glob})
		err = e
		return f
	}
	h.Keepalived, h.Other.Keepalived = vrrp(places["keepalived.conf"]), vrrp("other/keepalived.conf")
	h.Redis, h.Other.Redis, h.Sentinel = conf(places["redis.conf"]), conf("other/redis.conf"), conf(places["sentinel.conf"])
	if err != nil {
		t.Fatal(err)
	}
	h.Groups = parseGroups(t, c.files[places["redis-vip.toml"]])
	return h
}

// parsePath reads "PATH MODE UID GID binary|script|neither|folder [INTERPRETER] [loose=PATH]".
func parsePath(t *testing.T, words []string) (string, Path) {
	t.Helper()
	mode, err := strconv.ParseUint(words[1], 8, 32)
	if err != nil {
		t.Fatal(err)
	}
	uid, _ := strconv.Atoi(words[2])
	gid, _ := strconv.Atoi(words[3])
	p := Path{Exists: true, Real: words[0], Mode: fs.FileMode(mode), UID: uint32(uid), GID: uint32(gid)}
	switch words[4] {
	case "binary":
		p.Format = Binary
	case "script":
		p.Format = Script
	case "folder":
		p.Mode |= fs.ModeDir
	}
	for _, word := range words[5:] {
		if path, found := strings.CutPrefix(word, "loose="); found {
			p.Loose, p.LooseFor = path, "belongs to user 1000"
		} else {
			p.Interpreter = word
		}
	}
	return words[0], p
}

func parseUnit(words []string) Unit {
	u := Unit{Name: words[0]}
	for _, word := range words[1:] {
		key, value, _ := strings.Cut(word, "=")
		switch key {
		case "active":
			u.Active = value == "yes"
		case "user":
			u.User = value
		case "restart":
			u.Restart = value
		case "noexec":
			u.NoExecPaths = strings.Split(value, ",")
		case "exec":
			u.ExecPaths = strings.Split(value, ",")
		}
	}
	return u
}

func parseGroups(t *testing.T, text string) (groups []Group) {
	t.Helper()
	var file struct {
		Group map[string]struct {
			VIPs      []netip.Prefix   `toml:"vips"`
			Nodes     []netip.AddrPort `toml:"nodes"`
			Sentinels []netip.AddrPort `toml:"sentinels"`
			Timeout   string           `toml:"timeout"`
			Password  string           `toml:"password_file"`
		} `toml:"group"`
	}
	if err := toml.Unmarshal([]byte(text), &file); err != nil {
		t.Fatal(err)
	}
	for name, g := range file.Group {
		timeout, _ := time.ParseDuration(g.Timeout)
		groups = append(groups, Group{
			Name: name, VIPs: g.VIPs, Nodes: g.Nodes, Sentinels: g.Sentinels, Self: g.Nodes[0], Timeout: timeout, Password: g.Password != "",
			At: map[string]Position{"": {places["redis-vip.toml"], 1}},
		})
	}
	return groups
}

func found(list []Finding) (texts []string) {
	for _, f := range list {
		texts = append(texts, fmt.Sprintf("%s:%d %s", f.File, f.Line, f.Rule))
	}
	return texts
}

func corpora(t testing.TB) []string {
	t.Helper()
	list, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(list) < 100 {
		t.Fatalf("%d files, %v", len(list), err)
	}
	return list
}

// Each mistake is found, where it is, and nothing else is.
func TestCorpus(t *testing.T) {
	tried := map[string]bool{}
	for _, path := range corpora(t) {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			c := readCorpus(t, path)
			findings := Check(c.host(t, "redis1"))
			got := found(findings)
			slices.Sort(got)
			slices.Sort(c.wants)
			if !slices.Equal(got, c.wants) {
				t.Errorf("found %q\nwanted %q", got, c.wants)
			}
			for _, f := range findings {
				tried[f.Rule] = true
				if text := f.Message + f.Why + f.Fix; strings.Contains(text, "?") || strings.ContainsAny(text, "$\x00") {
					t.Errorf("%+v", f)
				}
			}
		})
	}
	for _, r := range rules() {
		if !tried[r.name] && !slices.Contains(elsewhere, r.name) {
			t.Errorf("no file of the corpus has the mistake %s", r.name)
		}
	}
}

// elsewhere are the rules that have tests of their own: about what runs, and about
// files that are too large or not to be read.
var elsewhere = []string{
	"too-large", "redis-too-large", "include-unreadable", "redis-include-unreadable",
	"acl-rights", "sentinel-acl-rights", "witness-acl-rights", "vip-taken", "vip-twice", "node-unreachable", "node-refuses", "link-down", "not-listed",
	"no-config-file", "other-config-file",
}

// Names are unique, in kebab-case, and every text is there.
func TestTable(t *testing.T) {
	names := map[string]bool{}
	for _, r := range rules() {
		if names[r.name] || r.name != strings.ToLower(r.name) || strings.ContainsAny(r.name, "_ ") {
			t.Errorf("name %q", r.name)
		}
		names[r.name] = true
		if r.severity == 0 || r.says == "" || !strings.HasSuffix(r.why, ".") || r.fix == "" || strings.HasSuffix(r.fix, ".") {
			t.Errorf("%s: a text is missing, or ends as it should not", r.name)
		}
	}
}
