package config

import (
	"encoding"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

func TestSecretIsNeverPrinted(t *testing.T) {
	const text = "hunter2"
	s := NewSecret(text)
	type exported struct{ S Secret }
	type unexported struct{ s Secret }
	type deep struct{ m map[string][]unexported }
	values := map[string]any{
		"value": s, "pointer": &s, "exported": exported{s}, "unexported": unexported{s}, "pointer to struct": &unexported{s},
		"slice": []Secret{s}, "map": map[string]Secret{"k": s}, "deep": deep{map[string][]unexported{"k": {{s}}}},
		"group": Group{Password: s, SentinelPassword: s}, "error": fmt.Errorf("no: %v", s),
	}
	for name, v := range values {
		for _, verb := range "vsqxXdbotTpgefcU" {
			for _, flags := range []string{"", "+", "#", " ", "08"} {
				if out := fmt.Sprintf("%"+flags+string(verb), v); leaks(out, text) {
					t.Errorf("%s, %%%s%c: %s", name, flags, verb, out)
				}
			}
		}
		if out, err := json.Marshal(v); err == nil && leaks(string(out), text) {
			t.Errorf("%s as JSON: %s", name, out)
		}
	}
	if out := fmt.Sprint(s, &s) + s.String() + s.GoString(); strings.Count(out, hidden) != 4 {
		t.Error(out)
	}
	if out, err := json.Marshal(map[Secret]Secret{s: s}); err != nil || string(out) != `{"[secret]":"[secret]"}` {
		t.Errorf("%s %v", out, err)
	}
	var _ encoding.TextMarshaler = s
	if s.Reveal() != text || s.IsZero() || !NewSecret("").IsZero() || (Secret{}).Reveal() != "" {
		t.Error("Reveal, IsZero")
	}
}

func leaks(out, text string) bool {
	return strings.Contains(out, text) ||
		strings.Contains(strings.ToLower(out), fmt.Sprintf("%x", text)) ||
		strings.Contains(out, fmt.Sprint([]byte(text)))
}
