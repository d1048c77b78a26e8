package keepalived

import (
	"fmt"
	"io/fs"
	"reflect"
	"strings"
	"testing"
	"time"
)

// files is a source for tests.
func files(list map[string]string) Source {
	return Source{
		Read: func(path string) ([]byte, error) {
			text, found := list[path]
			if !found {
				return nil, fs.ErrNotExist
			}
			return []byte(text), nil
		},
		Glob: func(string) ([]string, error) { return []string{"/etc/keepalived/conf.d/a.conf"}, nil },
	}
}

const path = "/etc/keepalived/keepalived.conf"

func read(t *testing.T, text string, more ...string) *File {
	t.Helper()
	list := map[string]string{path: text}
	for i := 0; i < len(more); i += 2 {
		list[more[i]] = more[i+1]
	}
	f, err := Read(path, "redis1", files(list))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// dump writes a file as one line.
func dump(body []*Statement) string {
	var list []string
	for _, s := range body {
		text := fmt.Sprintf("%d:%s", s.Line, strings.Join(s.Words, "|"))
		if s.Body != nil {
			text += "(" + dump(s.Body) + ")"
		}
		list = append(list, text)
	}
	return strings.Join(list, " ")
}

func TestForm(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"comments", "a b # c\n! d\ne \"f # g\" !h\n", `1:a|b 3:e|f # g`},
		{"escaped comment", "a b\\#c", `1:a|b#c`},
		{"blocks", "a b {\nc {\nd\n}\ne\n}\nf", `1:a|b(2:c(3:d) 5:e) 7:f`},
		{"brace below", "a b\n{\nc\n}", `1:a|b(3:c)`},
		{"one line", "a { b c } d", `1:a(1:b|c) 1:d`},
		{"glued", "a{b}c", `1:a(1:b) 1:c`},
		{"quoted brace", `a "b { c" d`, `1:a|b { c|d`},
		{"quotes part words", `a"b c"d`, `1:a|b c|d`},
		{"this host", "@redis1 a\n@redis2 b\n@^redis1 c\n@^redis2 d\n@redis1\n", `1:a 4:d`},
		{"definition", "$A=x y\na $A ${A}z $B", `2:a|x|y|x|yz|$B`},
		{"definition of several lines", "$A=\\\n  b c \\\n  d {\ne $A\nf\n}", `4:e|b|c 4:d(5:f)`},
		{"definition for one host", "@redis1 $A=x\n@redis2 $A=y\n$B=@redis1 b\n$A\n$B", `4:x 5:b`},
		{"definitions in turn", "$A=$B\n$B=c\n$A", `3:c`},
		{"repeated", "~SEQ(i, 1, 3) a $i", `1:a|$i`},
		{"byte that is none", "a \x00\xff", "1:a|\x00\xff"},
		{"carriage return", "a {\r\nb\r\n}\r\n", `1:a(2:b)`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := read(t, tt.text)
			if got := dump(f.Statements); got != tt.want || len(f.Problems) > 0 {
				t.Errorf("%s %v\nwant %s", got, f.Problems, tt.want)
			}
		})
	}
}

func TestProblems(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		line       int
		want       ProblemKind
	}{
		{"open quote", "a\nb \"c\n", 2, OpenQuote},
		{"open block", "a\nb {\nc\n", 2, OpenBlock},
		{"extra }", "a {\n}\n}\n", 3, ExtraClose},
		{"extra {", "a {\n}\n{\n}\n", 3, ExtraOpen},
		{"missing include", "a\ninclude more.conf\n", 2, MissingInclude},
		{"loop", "include keepalived.conf\n", 1, IncludeLoop},
		{"large", strings.Repeat("a b c d e f g h\n", maxBytes/10), 0, TooLarge},
		{"deep", strings.Repeat("a {\n", maxBlocks+1) + strings.Repeat("}\n", maxBlocks), maxBlocks, TooLarge},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := read(t, tt.text)
			if len(f.Problems) == 0 || f.Problems[0].Kind != tt.want || f.Problems[0].Line != tt.line {
				t.Errorf("%+v", f.Problems)
			}
		})
	}
}

func TestInclude(t *testing.T) {
	f := read(t, "a\ninclude more.conf\nincluder /etc/b.conf\ninclude conf.d/*.conf\n$A=x\ninclude c.conf\n",
		"/etc/keepalived/more.conf", "b {\n", "/etc/b.conf", "c\n", "/etc/keepalived/conf.d/a.conf", "d\n}\n",
		"/etc/keepalived/c.conf", "$A")
	if got := dump(f.Statements); got != "1:a 1:b(1:c 1:d) 1:x" || len(f.Problems) > 0 {
		t.Error(got, f.Problems)
	}
	if at := f.Statements[1].Body[1].Position; at != (Position{"/etc/keepalived/conf.d/a.conf", 1}) {
		t.Error(at)
	}
}

func TestCommand(t *testing.T) {
	for line, want := range map[string][2][]string{
		`notify_master "/bin/x --heal"`:      {{"/bin/x", "--heal"}, {}},
		`notify_master /bin/x arg`:           {{"/bin/x"}, {"arg"}},
		`script "/bin/x 'a b' \"c\""`:        {{"/bin/x", "a b", "c"}, {}},
		`notify_master "/bin/x" user group`:  {{"/bin/x"}, {"user", "group"}},
		`script '/bin/x a'`:                  {{"/bin/x", "a"}, {}},
		`script`:                             {nil, nil},
		`script "/bin/with\ blank and"`:      {{"/bin/with", "blank", "and"}, {}},
		`script "/bin/with\\\ blank and" us`: {{"/bin/with blank", "and"}, {"us"}},
	} {
		program, rest := (&Statement{text: line}).Command()
		if len(program) != len(want[0]) || len(rest) != len(want[1]) ||
			len(program) > 0 && !reflect.DeepEqual(program, want[0]) || len(rest) > 0 && !reflect.DeepEqual(rest, want[1]) {
			t.Errorf("%s: %q %q", line, program, rest)
		}
	}
}

func TestKeyword(t *testing.T) {
	for _, tt := range []struct {
		block, word, want string
		known             bool
	}{
		{"vrrp_instance", "nopreempt", "nopreempt", true},
		{"vrrp_instance", "nopreermpt", "nopreempt", false},
		{"vrrp_instance", "virtualrouter_id", "virtual_router_id", false},
		{"vrrp_instance", "track_scripts", "track_script", false},
		{"vrrp_instance", "notify_maser", "notify_master", false},
		{"vrrp_script", "raise", "rise", false},
		{"vrrp_instance", "weather_report", "", false},
		{"vrrp_instance/virtual_ipaddress", "192.0.2.1", "", true},
		{"", "vrrp_instance", "vrrp_instance", true},
		{"vrrp_instance/authentication", "auth_pas", "auth_pass", false},
	} {
		if got, known := Keyword(tt.block, tt.word); got != tt.want || known != tt.known {
			t.Errorf("%s in %s: %q %v", tt.word, tt.block, got, known)
		}
	}
}

// A few definitions that name one another twice would be 2^30 words.
func TestDefinitionsDoNotExplode(t *testing.T) {
	var text strings.Builder
	for i := range 30 {
		fmt.Fprintf(&text, "$A%d=$A%d $A%d\n", i, i+1, i+1)
	}
	text.WriteString("$A30=\\\n a \\\n b\n")
	for range 1000 {
		text.WriteString("x $A0\n")
	}
	start := time.Now()
	read(t, text.String())
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
}

// As many words as fit, and each is near to something.
func TestUnknownWordsTakeLinearTime(t *testing.T) {
	var text strings.Builder
	text.WriteString("global_defs {\n")
	for i := 0; text.Len() < maxBytes-100; i++ {
		fmt.Fprintf(&text, "vrrp_netlink_%d\n", i)
	}
	start := time.Now()
	f := read(t, text.String()+"}\n")
	if took := time.Since(start); took > 3*time.Second || len(f.Statements) != 1 || len(f.Problems) > 0 {
		t.Errorf("took %v: %v", took, f.Problems)
	} else {
		t.Log(took)
	}
}

func FuzzRead(f *testing.F) {
	for _, seed := range []string{
		"vrrp_instance a {\n nopreermpt\n}\n", "$A=$B\\\n$B=$A\n$A {", "@a @b c", "include x\n", "a \"b", "{}}{", "~SEQ(a,1,2) b $a",
		"a\\", "$A=\\\n\\\nb\n$A", "${", "@", "$", `script "a \x41" 'b`, "include keepalived.conf",
	} {
		f.Add(seed, "a")
	}
	f.Fuzz(func(t *testing.T, text, id string) {
		file, err := Read(path, id, files(map[string]string{path: text, "/etc/keepalived/x": text}))
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Count(text, "\n") + 1
		if len(file.Problems) > maxFiles {
			t.Errorf("%d problems", len(file.Problems))
		}
		for _, p := range file.Problems {
			if p.File == "" || p.Line < 0 || p.Line > lines || p.Kind == 0 {
				t.Errorf("%+v of %d lines", p, lines)
			}
		}
		file.Walk(func(_ string, s *Statement) {
			s.Command()
			if s.Line < 1 || s.Line > lines || len(s.Words) == 0 {
				t.Errorf("%+v of %d lines", s, lines)
			}
		})
	})
}
