package config

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
)

// put writes a file that passes the checks of permissions.
func put(t *testing.T, path, content string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// host is a place with a configuration file and a state folder, and without
// the secrets of the environment.
type host struct {
	dir, file, state string
}

func newHost(t *testing.T, content string) host {
	t.Helper()
	for _, v := range []string{"REDIS_VIP_PASSWORD", "REDISCLI_AUTH", "REDIS_VIP_SENTINEL_PASSWORD"} {
		t.Setenv(v, "")
	}
	dir := t.TempDir()
	h := host{dir, filepath.Join(dir, "redis-vip.toml"), filepath.Join(dir, "state")}
	if err := os.Mkdir(h.state, 0o700); err != nil {
		t.Fatal(err)
	}
	if content != "" {
		put(t, h.file, content)
	}
	return h
}

func (h host) overrides() Overrides {
	return Overrides{Config: h.file, StateDir: h.state}
}

const pair = `
[group.mymaster]
vips  = ["192.168.0.4/24", "fd00::4/64"]
nodes = ["192.168.0.1", "[fd00::2]:6380"]
`

func TestLoadDefaults(t *testing.T) {
	h := newHost(t, pair)
	g, source, err := Load(Overrides{Config: h.file}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if source.File != h.file || source.LastGood || len(source.Warnings) != 0 {
		t.Errorf("source %+v", source)
	}
	if g.Name != "mymaster" || g.TLS != nil || !g.Password.IsZero() || !g.SentinelPassword.IsZero() ||
		g.Interface+g.Socket+g.Username+g.SentinelUsername != "" {
		t.Errorf("group %+v", g)
	}
	if g.Timeout != 900*time.Millisecond || g.PeerTimeout != 250*time.Millisecond || g.HookTimeout != 10*time.Second {
		t.Errorf("timeouts %v %v %v", g.Timeout, g.PeerTimeout, g.HookTimeout)
	}
	if g.StateDir != "/var/lib/redis-vip" || g.RunDir != "/run/redis-vip" {
		t.Errorf("folders %q %q", g.StateDir, g.RunDir)
	}
	if want := []netip.Prefix{netip.MustParsePrefix("192.168.0.4/24"), netip.MustParsePrefix("fd00::4/64")}; !slices.Equal(g.VIPs, want) {
		t.Errorf("vips %v", g.VIPs)
	}
	if want := []netip.AddrPort{netip.MustParseAddrPort("192.168.0.1:6379"), netip.MustParseAddrPort("[fd00::2]:6380")}; !slices.Equal(g.Nodes, want) {
		t.Errorf("nodes %v", g.Nodes)
	}
	if err := g.NeedSentinels(); len(g.Sentinels) > 0 || err == nil || !strings.Contains(err.Error(), "no sentinels") {
		t.Errorf("sentinels %v, %v", g.Sentinels, err)
	}
	if err := g.NeedVIPs(); err != nil {
		t.Error(err)
	}
}

func TestLoadEverything(t *testing.T) {
	h := newHost(t, "")
	password := put(t, filepath.Join(h.dir, "password"), "s3cret pass\n")
	sentinel := put(t, filepath.Join(h.dir, "sentinel"), "other\r\n")
	put(t, h.file, `
state_dir = "/var/lib/elsewhere/"
run_dir   = "/run/elsewhere"
[group.mymaster]
nodes = ["10.0.0.1"]
interface = "eth0.100"
socket = "/run/redis/redis.sock"
username = "vip"
password_file = "`+password+`"
sentinels = ["10.0.0.9", "10.0.0.8:5000"]
sentinel_username = "watch"
sentinel_password_file = "`+sentinel+`"
timeout = "1.5s"
peer_timeout = "100ms"
hook_timeout = "55s"
`)
	g, _, err := Load(Overrides{Config: h.file}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	got := []any{
		g.Interface, g.Socket, g.Username, g.Password.Reveal(), g.SentinelUsername, g.SentinelPassword.Reveal(),
		g.Timeout, g.PeerTimeout, g.HookTimeout, g.StateDir, g.RunDir, join(g.Sentinels),
	}
	want := []any{
		"eth0.100", "/run/redis/redis.sock", "vip", "s3cret pass", "watch", "other",
		1500 * time.Millisecond, 100 * time.Millisecond, 55 * time.Second, "/var/lib/elsewhere", "/run/elsewhere", "10.0.0.9:26379, 10.0.0.8:5000",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	if err := g.NeedVIPs(); err == nil || !strings.HasSuffix(err.Error(), `redis-vip.toml:4:8: vips: no vips: add vips = ["192.168.0.4/24"] to the group`) {
		t.Errorf("NeedVIPs: %v", err)
	}
}

// Each mistake with the exact place, and what is said about it. FILE stands
// for the file; a second line of want is a second error.
func TestMistakes(t *testing.T) {
	for _, tt := range []struct{ name, content, want string }{
		{"syntax", "[group.a]\nnodes = [\n", `FILE:2:10: array is incomplete`},
		{"no equals sign", "[group.a]\nnodes", `FILE:2:5: expected '=' after key`},
		{"bare value", "[group.a]\nusername = bob\n", `FILE:2:12: `},
		{"key twice", "[group.a]\nnodes=['10.0.0.1']\nnodes=['10.0.0.2']\n", `FILE:3:1: key nodes is already defined`},
		{"byte order mark", "\xef\xbb\xbf[group.a]\n", `FILE:1:1: starts with a byte order mark: save it as UTF-8 without one`},
		{"empty", "", `FILE: no usable configuration: the file has no group: write [group.mymaster] and its nodes, or give --nodes or REDIS_VIP_NODES`},

		{"typo", "[group.a]\nnods = ['10.0.0.1']\n", `FILE:2:1: nods: unknown key: did you mean "nodes"?`},
		{"singular", "[group.a]\nnodes = ['10.0.0.1']\n  vip = '10.0.0.4'\n", `FILE:3:3: vip: unknown key: did you mean "vips"?`},
		{"typo of a table", "[grop.a]\nnodes = ['10.0.0.1']\n", `FILE:1:2: a: unknown key`},
		{"two typos", "[group.a]\nnods = 1\ntimout = 1\n", "FILE:2:1: nods: unknown key: did you mean \"nodes\"?\nFILE:3:1: timout: unknown key: did you mean \"timeout\"?"},
		{"typo under tls", "[group.a.tls]\nserver-name = 'x'\n", `FILE:2:1: server-name: unknown key: did you mean "server_name"?`},
		{"no idea", "[group.a]\nqqq = 1\n", `FILE:2:1: qqq: unknown key: known here: vips, nodes, interface,`},
		{"too low", "[group.a]\nnodes = ['10.0.0.1']\nstate_dir = '/x'\n", `FILE:3:1: state_dir: unknown key: it belongs at the top, above the first [group.NAME]`},
		{"too high", "nodes = ['10.0.0.1']\n", `FILE:1:1: nodes: unknown key: it belongs below a [group.NAME]`},
		{"tls key beside the table", "[group.a]\nca = '/x'\n", `FILE:2:1: ca: unknown key: it belongs below [group.a.tls]`},
		{"password in the file", "[group.a]\npassword = 'hunter2'\n", `FILE:2:1: password: unknown key: no password belongs in this file: write it into a file of its own and name that as password_file`},

		{"number for a duration", "[group.a]\ntimeout = 5\n", `FILE:2:11: timeout: cannot be of the type integer: write a text with its unit, as in timeout = "900ms"`},
		{"text for a list", "[group.a]\nnodes = '10.0.0.1'\n", `FILE:2:9: nodes: cannot be of the type string: write a list of texts, as in nodes = ["192.168.0.1"]`},
		{"number in a list", "[group.a]\nnodes = ['10.0.0.1', 5]\n", `FILE:2:22: nodes: cannot be of the type integer`},
		{"list for a text", "[group.a]\ninterface = ['eth0']\n", `FILE:2:13: interface: cannot be of the type array: write a text, as in interface = "…"`},
		{"tls as a switch", "[group.a]\ntls = true\n", `FILE:2:7: tls: cannot be of the type boolean: write the table [group.NAME.tls]`},
		{"group without a name", "[group]\nnodes = ['10.0.0.1']\n", `FILE:2:9: nodes: a group is a table with a name: write [group.mymaster]`},
		{"groups as a list", "[[group]]\nnodes = ['10.0.0.1']\n", `FILE:1:3: group: a group is a table with a name: write [group.mymaster]`},

		{"host name", "[group.a]\nnodes = ['10.0.0.1',\n  'redis2:6379']\n", `FILE:3:3: nodes: "redis2:6379" is a host name: write the IP address: a resolver has no bound and no place in a failover`},
		{"two host names", "[group.a]\nnodes = ['redis1', 'redis2']\n", "FILE:2:10: nodes: \"redis1\" is a host name: \nFILE:2:20: nodes: \"redis2\" is a host name: "},
		{"dotted key", "group.a.nodes = ['redis1']\n", `FILE:1:18: nodes: "redis1" is a host name`},
		{"inline table", "[group]\na = {timeout = '0s', nodes = ['10.0.0.1']}\n", `FILE:2:16: timeout: "0s" is not positive`},
		{"another case", "[group.a]\nNODES = ['redis1']\n", `FILE:2:10: nodes: "redis1" is a host name`},
		{"no address", "[group.a]\nnodes = ['10.0.0']\n", `FILE:2:10: nodes: "10.0.0" is not an address: write it as "192.168.0.1:6379" or "[fd00::1]:6379"`},
		{"bare IPv6", "[group.a]\nnodes = ['fd00::1:6379']\n", `FILE:2:10: nodes: "fd00::1:6379" does not show where the address ends and the port begins: write it as "[fd00::1]:6379"`},
		{"bad port", "[group.a]\nnodes = ['10.0.0.1:65536']\n", `FILE:2:10: nodes: "10.0.0.1:65536" has no valid port: "65536": a port is a number from 1 to 65535`},
		{"port 0", "[group.a]\nnodes = ['10.0.0.1:0']\n", `FILE:2:10: nodes: "10.0.0.1:0" has port 0`},
		{"zone", "[group.a]\nnodes = ['[fe80::1%eth0]:6379']\n", `FILE:2:10: nodes: "[fe80::1%eth0]:6379" names an interface`},
		{"any address", "[group.a]\nnodes = ['0.0.0.0']\n", `FILE:2:10: nodes: "0.0.0.0" is the address of no host`},
		{"mapped", "[group.a]\nnodes = ['[::ffff:10.0.0.1]:6379']\n", `FILE:2:10: nodes: "[::ffff:10.0.0.1]:6379" is an IPv4 address in IPv6 form: write 10.0.0.1`},
		{"node twice", "[group.a]\nnodes = ['10.0.0.1', '10.0.0.1:6379']\n", `FILE:2:22: nodes: 10.0.0.1:6379 is listed twice: remove one`},
		{"node in two groups", "[group.a]\nnodes = ['10.0.0.1']\n[group.b]\nnodes = ['10.0.0.2', '10.0.0.1']\n", `FILE:4:22: nodes: 10.0.0.1:6379 is a node of the group a too: a Redis belongs to one group`},
		{"bad Sentinel", "[group.a]\nnodes = ['10.0.0.1']\nsentinels = ['s1:26379']\n", `FILE:3:14: sentinels: "s1:26379" is a host name`},
		{"no nodes", "[group.a]\nvips = ['10.0.0.4']\n", `FILE:1:8: nodes: no nodes: list every Redis of the group`},
		{"empty nodes", "[group.a]\nnodes = []\n", `FILE:2:1: nodes: no nodes`},

		{"bad prefix", "[group.a]\nnodes = ['10.0.0.1']\nvips = ['10.0.0.4/33']\n", `FILE:3:9: vips: "10.0.0.4/33" has no valid prefix length: "33": the length is the number of the subnet's bits, 1 to 32, as in 24`},
		{"netmask", "[group.a]\nnodes = ['10.0.0.1']\nvips = ['10.0.0.4/255.255.255.0']\n", `FILE:3:9: vips: "10.0.0.4/255.255.255.0" has no valid prefix length`},
		{"prefix 0", "[group.a]\nnodes = ['10.0.0.1']\nvips = ['10.0.0.4/0']\n", `FILE:3:9: vips: "10.0.0.4/0" has the prefix length 0`},
		{"network", "[group.a]\nnodes = ['10.0.0.1']\nvips = ['10.0.0.0/24']\n", `FILE:3:9: vips: "10.0.0.0/24" is the address of a whole network`},
		{"broadcast", "[group.a]\nnodes = ['10.0.0.1']\nvips = ['10.0.0.255/24']\n", `FILE:3:9: vips: "10.0.0.255/24" is the broadcast address of its network`},
		{"VIP by name", "[group.a]\nnodes = ['10.0.0.1']\nvips = ['vip.example.org/24']\n", `FILE:3:9: vips: "vip.example.org/24" is a host name`},
		{"VIP with a port", "[group.a]\nnodes = ['10.0.0.1']\nvips = ['10.0.0.4:6379']\n", `FILE:3:9: vips: "10.0.0.4:6379" is not an address with its prefix length`},
		{"VIP is a node", "[group.a]\nnodes = ['10.0.0.1']\nvips = ['10.0.0.4/24', '10.0.0.1/24']\n", `FILE:3:24: vips: 10.0.0.1 is the address of a node: a VIP moves between the hosts: use an address that no host owns`},
		{"VIP is another group's node", "[group.a]\nnodes = ['10.0.0.1']\nvips = ['10.0.0.2/24']\n[group.b]\nnodes = ['10.0.0.2']\n", `FILE:3:9: vips: 10.0.0.2 is the address of a node (group b)`},
		{"VIP twice", "[group.a]\nnodes = ['10.0.0.1']\nvips = ['10.0.0.4/24', '10.0.0.4/16']\n", `FILE:3:24: vips: 10.0.0.4 is listed twice: a VIP belongs to one group, once`},
		{"VIP in two groups", "[group.a]\nnodes = ['10.0.0.1']\nvips = ['10.0.0.4/24']\n[group.b]\nnodes = ['10.0.0.2']\nvips = ['10.0.0.4']\n", `FILE:6:9: vips: 10.0.0.4 is listed twice (group a)`},
		{"VIP is a Sentinel", "[group.a]\nnodes = ['10.0.0.1']\nvips = ['10.0.0.4/24']\nsentinels = ['10.0.0.4']\n", `FILE:3:9: vips: 10.0.0.4 is the address of a Sentinel`},

		{"duration 0", "[group.a]\nnodes = ['10.0.0.1']\ntimeout = '0s'\n", `FILE:3:11: timeout: "0s" is not positive: write a number and its unit, from 10ms to 55s, as in "900ms"`},
		{"duration negative", "[group.a]\nnodes = ['10.0.0.1']\npeer_timeout = '-1s'\n", `FILE:3:16: peer_timeout: "-1s" is not positive`},
		{"duration absurd", "[group.a]\nnodes = ['10.0.0.1']\nhook_timeout = '10h'\n", `FILE:3:16: hook_timeout: "10h" is too long`},
		{"duration tiny", "[group.a]\nnodes = ['10.0.0.1']\ntimeout = '900us'\n", `FILE:3:11: timeout: "900us" is too short for any answer`},
		{"duration without unit", "[group.a]\nnodes = ['10.0.0.1']\ntimeout = '900'\n", `FILE:3:11: timeout: "900" has no unit`},
		{"no duration", "[group.a]\nnodes = ['10.0.0.1']\ntimeout = 'soon'\n", `FILE:3:11: timeout: "soon" is not a duration`},

		{"empty name", "[group.'']\nnodes = ['10.0.0.1']\n", `FILE:1:8: the name of the group is empty: use letters, digits`},
		{"name as a path", "[group.'../x']\nnodes = ['10.0.0.1']\n", `FILE:1:8: the name of the group "../x" contains '/'`},
		{"name of dots", "[group.'..']\nnodes = ['10.0.0.1']\n", `FILE:1:8: ".." cannot be the name of a group`},
		{"relative socket", "[group.a]\nnodes = ['10.0.0.1']\nsocket = 'redis.sock'\n", `FILE:3:10: socket: "redis.sock" is a relative path: write the whole path, from / on`},
		{"relative state", "state_dir = 'x'\n[group.a]\nnodes = ['10.0.0.1']\n", `FILE:1:13: state_dir: "x" is a relative path`},
		{"relative password", "[group.a]\nnodes = ['10.0.0.1']\npassword_file = 'x'\n", `FILE:3:17: password_file: "x" is a relative path`},
		{"relative ca", "[group.a]\nnodes = ['10.0.0.1']\n[group.a.tls]\nca = 'x'\n", `FILE:4:6: tls.ca: "x" is a relative path`},
		{"relative ca inline", "[group.a]\nnodes = ['10.0.0.1']\ntls = {ca = 'x'}\n", `FILE:3:13: tls.ca: "x" is a relative path`},
		{"cert without key", "[group.a]\nnodes = ['10.0.0.1']\n[group.a.tls]\ncert = '/x'\n", `FILE:4:8: tls.cert: has no key`},
		{"key without cert", "[group.a]\nnodes = ['10.0.0.1']\n[group.a.tls]\nkey = '/x'\n", `FILE:4:7: tls.key: has no certificate`},
		{"interface", "[group.a]\nnodes = ['10.0.0.1']\ninterface = 'eth0/1'\n", `FILE:3:13: interface: "eth0/1" cannot be the name of an interface`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHost(t, "")
			put(t, h.file, tt.content)
			_, _, err := LoadAll(Overrides{Config: h.file}, Options{})
			if err == nil {
				t.Fatal("no error")
			}
			if asError(err) == nil {
				t.Errorf("%T is no *Error", err)
			}
			want := strings.Split(strings.ReplaceAll(tt.want, "FILE", h.file), "\n")
			got := strings.Split(err.Error(), "\n")
			if len(got) != len(want) {
				t.Fatalf("%d errors:\n%v", len(got), err)
			}
			for i := range want {
				if !strings.HasPrefix(got[i], want[i]) {
					t.Errorf("\ngot  %s\nwant %s", got[i], want[i])
				}
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Error("the password is in the error")
			}
		})
	}
}

func TestOverrides(t *testing.T) {
	h := newHost(t, "state_dir = '/a'\n[group.a]\nnodes = ['redis1']\ntimeout = '1s'\n[group.b]\nnodes = ['10.0.0.2']\n")
	o := Overrides{
		Config: h.file, Group: "a", Nodes: "10.0.0.1, 10.0.0.3:7000", VIPs: "10.0.0.4/24", Timeout: "500ms", StateDir: h.state,
		Interface: "eth1", Socket: "/s", Username: "u", Sentinels: "10.0.0.9", SentinelUsername: "su", PeerTimeout: "20ms", HookTimeout: "3s", RunDir: "/r", TLS: true,
	}
	g, _, err := Load(o, Options{})
	if err != nil {
		t.Fatal(err) // the host name in the file is overridden, so it does not matter
	}
	got := []any{g.Name, join(g.Nodes), join(g.VIPs), g.Timeout, g.StateDir, g.Interface, g.Socket, g.Username, join(g.Sentinels), g.SentinelUsername, g.PeerTimeout, g.HookTimeout, g.RunDir, g.TLS != nil}
	want := []any{"a", "10.0.0.1:6379, 10.0.0.3:7000", "10.0.0.4/24", 500 * time.Millisecond, h.state, "eth1", "/s", "u", "10.0.0.9:26379", "su", 20 * time.Millisecond, 3 * time.Second, "/r", true}
	if !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

func TestOverrideMistakes(t *testing.T) {
	h := newHost(t, "[group.a]\nnodes = ['10.0.0.1', '10.0.0.2']\n[group.b]\nnodes = ['10.0.0.2:7000']\n")
	for _, tt := range []struct {
		name string
		o    Overrides
		want string
	}{
		{"nodes", Overrides{Group: "a", Nodes: "redis1"}, `--nodes or REDIS_VIP_NODES: "redis1" is a host name: write`},
		{"blank nodes", Overrides{Group: "a", Nodes: " , "}, `--nodes or REDIS_VIP_NODES: no nodes`},
		{"vips", Overrides{Group: "a", VIPs: "10.0.0.4/99"}, `--vips or REDIS_VIP_VIPS: "10.0.0.4/99" has no valid prefix`},
		{"timeout", Overrides{Group: "a", PeerTimeout: "0"}, `--peer-timeout or REDIS_VIP_PEER_TIMEOUT: "0" is not positive`},
		{"state", Overrides{Group: "a", StateDir: "x"}, `--state-dir or REDIS_VIP_STATE_DIR: "x" is a relative path`},
		{"tls", Overrides{Group: "a", TLSCA: "x"}, `--tls-ca or REDIS_VIP_TLS_CA: "x" is a relative path`},
		{"group", Overrides{Group: "c"}, `--group or REDIS_VIP_GROUP: "c" is not a group of ` + h.file + `: it has a, b`},
		{"node", Overrides{Group: "a", Node: "10.0.0.7"}, `--node or REDIS_VIP_NODE: 10.0.0.7 is none of the nodes 10.0.0.1:6379, 10.0.0.2:6379`},
		{"node port", Overrides{Group: "a", Node: "10.0.0.1:7"}, `--node or REDIS_VIP_NODE: 10.0.0.1:7 is none of the nodes`},
		{"node name", Overrides{Group: "a", Node: "redis1"}, `--node or REDIS_VIP_NODE: "redis1" is a host name`},
		{"file", Overrides{Config: h.dir + "/none"}, h.dir + `/none: no such file: correct --config or REDIS_VIP_CONFIG`},
		{"file and nodes", Overrides{Config: h.dir + "/none", Nodes: "10.0.0.1"}, h.dir + `/none: no such file`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.o.Config == "" {
				tt.o.Config = h.file
			}
			if _, _, err := Load(tt.o, Options{}); err == nil || !strings.HasPrefix(err.Error(), tt.want) {
				t.Errorf("\ngot  %v\nwant %s", err, tt.want)
			}
		})
	}
}

func TestLoadAll(t *testing.T) {
	h := newHost(t, "[group.b]\nnodes = ['10.0.0.1']\n[group.a]\nnodes = ['10.0.0.2']\n")
	want := h.file + ": has more than one group: choose with --group or REDIS_VIP_GROUP: a, b"
	if _, _, err := Load(Overrides{Config: h.file}, Options{}); err == nil || err.Error() != want {
		t.Errorf("%v", err)
	}
	groups, _, err := LoadAll(Overrides{Config: h.file}, Options{})
	if err != nil || len(groups) != 2 || groups[0].Name != "a" || groups[1].Name != "b" {
		t.Errorf("%v %v", groups, err)
	}
	groups, _, err = LoadAll(Overrides{Config: h.file, Group: "b", VIPs: "10.0.0.4"}, Options{})
	if err != nil || len(groups) != 1 || join(groups[0].VIPs) != "10.0.0.4/32" {
		t.Errorf("%v %v", groups, err)
	}
	for _, o := range []Overrides{{VIPs: "10.0.0.4"}, {Node: "10.0.0.1"}, {TLS: true}} {
		o.Config = h.file
		if _, _, err := LoadAll(o, Options{}); err == nil || !strings.Contains(err.Error(), "overrides one group") {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

func TestNoFile(t *testing.T) {
	dir := t.TempDir()
	load := func(o Overrides) ([]Group, error) {
		l := loader{overrides: o, standard: filepath.Join(dir, "redis-vip.toml")}
		groups, source, err := l.load(Options{Fallback: true})
		if source.File != "" || source.LastGood {
			t.Errorf("source %+v", source)
		}
		return groups, err
	}
	groups, err := load(Overrides{Nodes: "10.0.0.1 10.0.0.2"})
	if err != nil || groups[0].Name != "default" || len(groups[0].Nodes) != 2 {
		t.Errorf("%v %v", groups, err)
	}
	groups, err = load(Overrides{Nodes: "10.0.0.1", Group: "mine"})
	if err != nil || groups[0].Name != "mine" {
		t.Errorf("%v %v", groups, err)
	}
	if _, err = load(Overrides{Nodes: "10.0.0.1", Group: "a/b"}); err == nil || !strings.HasPrefix(err.Error(), "--group or REDIS_VIP_GROUP: ") {
		t.Error(err)
	}
	_, err = load(Overrides{StateDir: dir})
	if err == nil || !strings.Contains(err.Error(), "no usable configuration") {
		t.Error(err)
	}
}

func TestSelf(t *testing.T) {
	for _, tt := range []struct {
		name, nodes, node string
		here              []string
		self, peers, err  string
	}{
		{"first", "10.0.0.1,10.0.0.2", "", []string{"127.0.0.1", "10.0.0.1", "::1"}, "10.0.0.1:6379", "10.0.0.2:6379", ""},
		{"second of three", "10.0.0.1,10.0.0.2,10.0.0.3", "", []string{"10.0.0.2"}, "10.0.0.2:6379", "10.0.0.1:6379, 10.0.0.3:6379", ""},
		{"mapped", "10.0.0.1", "", []string{"::ffff:10.0.0.1"}, "10.0.0.1:6379", "(none)", ""},
		{"zone", "[fe80::1],[fe80::2]", "", []string{"fe80::1%eth0"}, "[fe80::1]:6379", "[fe80::2]:6379", ""},
		{"exact", "10.0.0.1,10.0.0.10", "", []string{"10.0.0.10"}, "10.0.0.10:6379", "10.0.0.1:6379", ""},
		{"none", "10.0.0.1,10.0.0.2", "", []string{"10.0.0.3", "10.0.0.4"}, "", "", "--nodes or REDIS_VIP_NODES: this host is none of the nodes 10.0.0.1:6379, 10.0.0.2:6379: its addresses are 10.0.0.3, 10.0.0.4: correct nodes, or say"},
		{"no addresses", "10.0.0.1", "", nil, "", "", "--nodes or REDIS_VIP_NODES: this host is none of the nodes 10.0.0.1:6379: its addresses are (none)"},
		{"tutorial", "127.0.0.1:7001,127.0.0.1:7002", "", []string{"127.0.0.1"}, "", "", "--nodes or REDIS_VIP_NODES: this host is more than one of the nodes: 127.0.0.1:7001, 127.0.0.1:7002: say which"},
		{"tutorial, said", "127.0.0.1:7001,127.0.0.1:7002", "127.0.0.1:7002", []string{"127.0.0.1"}, "127.0.0.1:7002", "127.0.0.1:7001", ""},
		{"said without port", "10.0.0.1,10.0.0.2", "10.0.0.2", []string{"10.0.0.2"}, "10.0.0.2:6379", "10.0.0.1:6379", ""},
		{"said in brackets", "[fd00::1]:7000,10.0.0.2", "[fd00::1]", nil, "[fd00::1]:7000", "10.0.0.2:6379", ""},
		{"said, bare IPv6", "[fd00::1]:7000,10.0.0.2", "fd00::1", nil, "[fd00::1]:7000", "10.0.0.2:6379", ""},
		{"translated", "10.0.0.1,10.0.0.2", "10.0.0.2", []string{"172.17.0.2"}, "10.0.0.2:6379", "10.0.0.1:6379", ""},
		{"copied from the other host", "10.0.0.1,10.0.0.2", "10.0.0.1", []string{"10.0.0.2"}, "", "", "--node or REDIS_VIP_NODE: 10.0.0.1:6379 is another host: this one has 10.0.0.2:6379"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := loader{overrides: Overrides{Nodes: tt.nodes, Node: tt.node}, standard: filepath.Join(t.TempDir(), "none")}
			groups, _, err := l.load(Options{})
			if err != nil {
				t.Fatal(err)
			}
			var here []netip.Addr
			for _, a := range tt.here {
				here = append(here, netip.MustParseAddr(a))
			}
			self, peers, err := groups[0].Self(here)
			if tt.err != "" {
				if err == nil || !strings.HasPrefix(err.Error(), tt.err) {
					t.Errorf("\ngot  %v\nwant %s", err, tt.err)
				}
				return
			}
			if err != nil || self.String() != tt.self || join(peers) != tt.peers {
				t.Errorf("self %v, peers %v, %v", self, join(peers), err)
			}
		})
	}
	t.Run("ambiguous override", func(t *testing.T) {
		l := loader{overrides: Overrides{Nodes: "127.0.0.1:1,127.0.0.1:2", Node: "127.0.0.1"}, standard: filepath.Join(t.TempDir(), "none")}
		if _, _, err := l.load(Options{}); err == nil || !strings.Contains(err.Error(), "is more than one of the nodes") {
			t.Error(err)
		}
	})
}

func TestSelfPointsAtTheLine(t *testing.T) {
	h := newHost(t, pair)
	g, _, err := Load(Overrides{Config: h.file}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err = g.Self(nil); err == nil || !strings.HasPrefix(err.Error(), h.file+":4:1: nodes: this host is none") {
		t.Error(err)
	}
}

// No input may make the reader panic; each error it gives says in which file, on which of
// its lines, and what is wrong, and can be shown; and what is taken is the same each time.
func FuzzDecode(f *testing.F) {
	f.Add(pair)
	f.Add("[group.a]\nnodes = ['x']\ntls = {ca = 'x'}")
	f.Add("group.a.nodes = ['10.0.0.1']\n[group.a.tls.x]\n[[group.b]]")
	f.Add("[[a]]\nb = {c = [1, {d = 2}]}\n")
	f.Fuzz(func(t *testing.T, content string) {
		l := loader{}
		doc := &document{"/redis-vip.toml", []byte(content)}
		doc.stateDir()
		doc.locate([]string{"group", "a", "nodes"}, 1)
		groups, _, err := l.parse(doc, access{lenient: true})
		for _, e := range each(err) {
			at, ok := e.(*Error)
			if !ok || at.File != doc.path || at.Line < 0 || at.Line > strings.Count(content, "\n")+1 || at.Problem == "" {
				t.Errorf("%T: %v", e, e)
				continue
			}
			if strings.ContainsFunc(at.Error(), func(r rune) bool { return !unicode.IsPrint(r) }) {
				t.Errorf("%q", at)
			}
		}
		if again, _, _ := l.parse(doc, access{lenient: true}); !reflect.DeepEqual(groups, again) {
			t.Errorf("%+v, and then %+v", groups, again)
		}
	})
}

// each is every error of those that were joined.
func each(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []error
		for _, e := range joined.Unwrap() {
			all = append(all, each(e)...)
		}
		return all
	}
	if err == nil {
		return nil
	}
	return []error{err}
}

func asError(err error) *Error {
	var e *Error
	errors.As(err, &e)
	return e
}

func BenchmarkLoad(b *testing.B) {
	dir := b.TempDir()
	path := filepath.Join(dir, "redis-vip.toml")
	if err := os.WriteFile(path, []byte(pair), 0o600); err != nil {
		b.Fatal(err)
	}
	for _, fallback := range []bool{false, true} {
		b.Run(map[bool]string{false: "plain", true: "fallback"}[fallback], func(b *testing.B) {
			for b.Loop() {
				if _, _, err := Load(Overrides{Config: path, StateDir: dir}, Options{Fallback: fallback}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
