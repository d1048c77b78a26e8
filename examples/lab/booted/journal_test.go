package booted

import (
	"testing"
	"time"
)

func TestEntriesAreParsed(t *testing.T) {
	for name, test := range map[string]struct {
		line, identifier, message string
		priority                  int
		at                        int64
	}{
		"text": {
			`{"MESSAGE":"a\nb","SYSLOG_IDENTIFIER":"x","_COMM":"y","PRIORITY":"3","__REALTIME_TIMESTAMP":"9","_SOURCE_REALTIME_TIMESTAMP":"5"}`,
			"x", "a\nb", 3, 5,
		},
		"bytes":   {`{"MESSAGE":[104,105,255],"_COMM":"y","__REALTIME_TIMESTAMP":"9"}`, "y", "hi\xff", 6, 9},
		"several": {`{"MESSAGE":["one",[50]],"__REALTIME_TIMESTAMP":"9"}`, "", "one", 6, 9},
		"none":    {`{"MESSAGE":null,"__REALTIME_TIMESTAMP":"9"}`, "", "", 6, 9},
	} {
		e, err := parseEntry([]byte(test.line))
		if err != nil || e.Identifier != test.identifier || e.Message != test.message || e.Priority != test.priority || !e.At.Equal(time.UnixMicro(test.at)) {
			t.Errorf("%s: %+v, %v", name, e, err)
		}
	}
	for _, line := range []string{"", "Journal", `{"MESSAGE":"no time"}`} {
		if _, err := parseEntry([]byte(line)); err == nil {
			t.Errorf("%q is no error", line)
		}
	}
}
