package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coreos/go-systemd/v22/journal"
	"github.com/rs/zerolog"

	"redis-vip/cmd/internal/config"
)

// record is what a fake journal got.
type record struct {
	message  string
	priority journal.Priority
	fields   map[string]string
}

// fake collects records; fail and hang say how it misbehaves.
type fake struct {
	mu      sync.Mutex
	records []record
	calls   int
	fail    error
	hang    chan struct{}
}

func (f *fake) send(message string, priority journal.Priority, fields map[string]string) error {
	f.mu.Lock()
	f.calls++
	fail, hang := f.fail, f.hang
	if fail == nil && hang == nil {
		f.records = append(f.records, record{message, priority, fields})
	}
	f.mu.Unlock()
	if hang != nil {
		<-hang
	}
	return fail
}

func logger(sinks ...*sink) zerolog.Logger {
	return zerolog.New(&writer{sinks: sinks}).Hook(zerolog.HookFunc(stamp))
}

func TestJournalFields(t *testing.T) {
	var f fake
	log := logger(&sink{send: journalSend("notify-master", f.send)})
	log.Info().Str("group", "mymaster").Int("milliseconds", 12).Bool("vip-here", true).Dur("lag", 1500*time.Millisecond).
		Strs("actions", []string{"NO ONE", "REWRITE"}).Str("text", "two\nlines \"quoted\" ü").Str("message_id", "m").Str("priority", "0").
		Str("syslog_identifier", "other").Str("_pid", "1").Str("9", "nine").Interface("nil", nil).Uint64("offset", 1<<63).Msg("promoted")
	want := record{"promoted", journal.PriNotice, map[string]string{
		"SYSLOG_IDENTIFIER": "notify-master", "GROUP": "mymaster", "MILLISECONDS": "12", "VIP_HERE": "true", "LAG": "1500",
		"ACTIONS": `["NO ONE","REWRITE"]`, "TEXT": "two\nlines \"quoted\" ü", "X_MESSAGE_ID": "m", "X_PRIORITY": "0",
		"X_SYSLOG_IDENTIFIER": "other", "X__PID": "1", "X_9": "nine", "NIL": "null", "OFFSET": "9223372036854775808",
	}}
	if len(f.records) != 1 {
		t.Fatal(f.records)
	}
	if got := f.records[0]; got.message != want.message || got.priority != want.priority || !maps.Equal(got.fields, want.fields) {
		t.Errorf("\ngot  %+v\nwant %+v", got, want)
	}
}

func TestJournalMessage(t *testing.T) {
	var f fake
	log := logger(&sink{send: journalSend("p", f.send)})
	log.Error().Err(errors.New("refused")).Msg("cannot promote")
	log.Error().Err(errors.New("refused")).Msg("cannot promote: refused")
	log.Error().Err(errors.New("refused")).Send()
	log.Info().Send()
	log.Info().RawJSON("facts", []byte("{broken")).Msg("m")
	var got []string
	for _, r := range f.records {
		got = append(got, r.message)
	}
	want := []string{"cannot promote: refused", "cannot promote: refused", "refused", ""}
	if !slices.Equal(got[:4], want) || !strings.Contains(got[4], "{broken") {
		t.Errorf("%q", got)
	}
	if n := len(fieldName(strings.Repeat("k", 100))); n != 64 {
		t.Error(n)
	}
}

func TestPriorities(t *testing.T) {
	var f fake
	log := logger(&sink{send: journalSend("p", f.send)})
	want := []journal.Priority{journal.PriDebug, journal.PriDebug, journal.PriNotice, journal.PriWarning, journal.PriErr, journal.PriCrit, journal.PriCrit, journal.PriNotice, journal.PriCrit}
	for _, level := range []zerolog.Level{zerolog.TraceLevel, zerolog.DebugLevel, zerolog.InfoLevel, zerolog.WarnLevel, zerolog.ErrorLevel, zerolog.FatalLevel, zerolog.PanicLevel, zerolog.NoLevel, zerolog.Level(42)} {
		log.WithLevel(level).Msg("m")
	}
	var got []journal.Priority
	for _, r := range f.records {
		got = append(got, r.priority)
	}
	if !slices.Equal(got, want) {
		t.Errorf("\ngot  %v\nwant %v", got, want)
	}
}

func TestFirstThatTakesIt(t *testing.T) {
	failing, second, always := fake{fail: errors.New("no journal")}, fake{}, fake{}
	log := logger(&sink{send: journalSend("p", failing.send)}, &sink{send: journalSend("p", second.send)},
		&sink{send: journalSend("p", second.send)}, &sink{send: journalSend("p", always.send), always: true})
	log.Info().Msg("one")
	log.Info().Msg("two")
	if failing.calls != 1 || len(second.records) != 2 || len(always.records) != 2 {
		t.Error(failing.calls, len(second.records), len(always.records))
	}
}

func TestNothingTakesIt(t *testing.T) {
	failing := fake{fail: io.ErrClosedPipe}
	w := &writer{sinks: []*sink{{send: journalSend("p", failing.send)}, {send: lineSend(nil)}}}
	for range 2 {
		if n, err := w.Write([]byte("{}\n")); n != 3 || err != nil {
			t.Error(n, err)
		}
	}
}

func TestHangingIsBounded(t *testing.T) {
	hanging := fake{hang: make(chan struct{})}
	defer close(hanging.hang)
	var second fake
	log := logger(&sink{send: journalSend("p", hanging.send)}, &sink{send: journalSend("p", second.send)})
	start := time.Now()
	for range 10 {
		log.Info().Msg("m")
	}
	if d := time.Since(start); d < patience || d > patience+100*time.Millisecond {
		t.Errorf("took %v", d)
	}
	hanging.mu.Lock()
	defer hanging.mu.Unlock()
	if len(second.records) != 10 || hanging.calls != 1 {
		t.Errorf("%d in the second, %d calls of the first", len(second.records), hanging.calls)
	}
}

// shortDir is a directory whose paths are short enough for a socket.
func shortDir(t *testing.T) string {
	dir, err := os.MkdirTemp("", "j")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func TestSyslog(t *testing.T) {
	path := filepath.Join(shortDir(t), "log")
	conn, err := net.ListenPacket("unixgram", path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	log := logger(&sink{send: syslogSend("redis-check", "unixgram", path)})
	buf := make([]byte, 64<<10)
	for level, priority := range map[zerolog.Level]int{
		zerolog.DebugLevel: 31, zerolog.InfoLevel: 29, zerolog.NoLevel: 29, zerolog.WarnLevel: 28,
		zerolog.ErrorLevel: 27, zerolog.FatalLevel: 26, zerolog.PanicLevel: 26, zerolog.Level(42): 26,
	} {
		log.WithLevel(level).Str("group", "g").Msg("text")
		_ = conn.SetReadDeadline(time.Now().Add(time.Second))
		n, _, err := conn.ReadFrom(buf)
		if err != nil {
			t.Fatal(level, err)
		}
		got := string(buf[:n])
		if !strings.HasPrefix(got, fmt.Sprintf("<%d>", priority)) || !strings.Contains(got, fmt.Sprintf(" redis-check[%d]: {", os.Getpid())) ||
			!strings.Contains(got, `"group":"g"`) || !strings.Contains(got, `"message":"text"`) || strings.Count(got, "\n") != 1 {
			t.Errorf("%v: %q", level, got)
		}
	}
}

// A syslog daemon that is stopped lets its queue fill, and then every writer
// waits for it. (The journal's socket is the same, and at a fixed path.)
func TestStoppedSyslog(t *testing.T) {
	path := filepath.Join(shortDir(t), "log")
	conn, err := net.ListenPacket("unixgram", path) // never read
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var last fake
	log := logger(&sink{send: syslogSend("p", "unixgram", path)}, &sink{send: journalSend("p", last.send)})
	start := time.Now()
	for range 5000 { // more than any max_dgram_qlen and buffer
		log.Info().Str("filling", strings.Repeat("x", 1000)).Msg("m")
		if len(last.records) > 0 {
			break
		}
	}
	if len(last.records) == 0 {
		t.Fatal("the queue never filled")
	}
	if d := time.Since(start); d > time.Second {
		t.Errorf("took %v", d)
	}
}

func TestLazy(t *testing.T) {
	opened := 0
	w := &writer{open: func() []*sink { opened++; return []*sink{{send: lineSend(nil)}} }}
	log := zerolog.New(w).Level(zerolog.InfoLevel)
	log.Debug().Msg("below the level")
	if opened != 0 {
		t.Error("opened by nothing")
	}
	log.Info().Msg("m")
	log.Info().Msg("m")
	if opened != 1 {
		t.Error(opened)
	}
}

func TestChoice(t *testing.T) {
	pipe := func() *os.File {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { r.Close(); w.Close() })
		return w
	}
	for destination, want := range map[string]int{"": 3, "nonsense": 3, "file:relative": 3, "file:/x": 2, "stderr": 1, "journal": 2, "syslog": 2} {
		if got := choose("p", destination, pipe); len(got) != want {
			t.Errorf("%q: %d", destination, len(got))
		}
		// Not a terminal: standard error is a last resort, or the only choice.
		if got := choose("p", destination, pipe); got[len(got)-1].always {
			t.Errorf("%q: JSON on standard error although the journal took it", destination)
		}
	}
	if got := choose("p", "", func() *os.File { return nil }); len(got) != 3 {
		t.Error("closed standard error")
	}
	pts, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer pts.Close()
	if got := choose("p", "", func() *os.File { return pts }); !got[2].always {
		t.Error("a person at a terminal sees nothing")
	}
}

func TestFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	t.Setenv(Variable, "file:"+path)
	t.Setenv(LevelVariable, "WARN")
	log := Open("p", Options{})
	log.Info().Msg("below the level")
	if _, err := os.Stat(path); err == nil {
		t.Error("opened by nothing")
	}
	log.Warn().Msg("one")
	log = Open("p", Options{Debug: true})
	log.Debug().Msg("two")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	if len(lines) != 2 {
		t.Fatalf("%s", data)
	}
	var event struct{ Level, Time, Message string }
	if err := json.Unmarshal([]byte(lines[0]), &event); err != nil || event.Level != "warn" || event.Message != "one" {
		t.Error(event, err)
	}
	if at, err := time.Parse("2006-01-02T15:04:05.000Z07:00", event.Time); err != nil || time.Since(at) > time.Minute {
		t.Error(event.Time, err)
	}
}

func TestConsole(t *testing.T) {
	t.Setenv("NO_COLOR", "1")
	path := filepath.Join(t.TempDir(), "out")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	log := logger(&sink{send: consoleSend(f)})
	log.Warn().Str("group", "g").Msg("text")
	data, _ := os.ReadFile(path)
	if got := string(data); !strings.HasSuffix(got, " WRN text group=g\n") || strings.Contains(got, "nil") {
		t.Errorf("%q", got)
	}
}

// Standard error may be a pipe whose reader has died, or one that nobody reads.
func TestStandardErrorCannotHurt(t *testing.T) {
	switch os.Getenv("JOURNAL_TEST") {
	case "log":
		log := Open("p", Options{Destination: "stderr"})
		for range 100 {
			log.Info().Str("filling", strings.Repeat("x", 4000)).Msg("m")
		}
		fmt.Println("survived")
		return
	}
	for _, name := range []string{"closed pipe", "full pipe", "no file"} {
		t.Run(name, func(t *testing.T) {
			cmd := exec.Command(os.Args[0], "-test.run=^TestStandardErrorCannotHurt$")
			cmd.Env = append(os.Environ(), "JOURNAL_TEST=log")
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			defer w.Close()
			cmd.Stderr = w
			switch name {
			case "closed pipe":
				r.Close()
			case "no file":
				cmd = exec.Command("/bin/sh", "-c", `exec "$0" -test.run=^TestStandardErrorCannotHurt$ 2>&-`, os.Args[0])
				cmd.Env = append(os.Environ(), "JOURNAL_TEST=log")
			}
			start := time.Now()
			out, err := cmd.Output()
			if err != nil || !strings.HasPrefix(string(out), "survived") {
				t.Errorf("%v: %s", err, out)
			}
			if d := time.Since(start); d > 2*time.Second {
				t.Errorf("took %v", d)
			}
		})
	}
}

// holder shows a secret to zerolog as an object would.
type holder struct{ secret config.Secret }

func (h holder) MarshalZerologObject(e *zerolog.Event) {
	e.Interface("inner", h.secret).Stringer("stringer", h.secret).Any("any", &h.secret)
}

func TestSecretIsNeverLogged(t *testing.T) {
	const text = "hunter2"
	s := config.NewSecret(text)
	dir := t.TempDir()
	var native fake
	conn, err := net.ListenPacket("unixgram", filepath.Join(shortDir(t), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	console, err := os.Create(filepath.Join(dir, "console"))
	if err != nil {
		t.Fatal(err)
	}
	log := logger(
		&sink{send: fileSend(filepath.Join(dir, "file")), always: true},
		&sink{send: journalSend("p", native.send), always: true},
		&sink{send: consoleSend(console), always: true},
		&sink{send: syslogSend("p", "unixgram", conn.LocalAddr().String()), always: true})
	type pair struct {
		Exported   config.Secret
		unexported config.Secret
	}
	group := config.Group{Name: "g", Password: s, SentinelPassword: s}
	log = log.With().Interface("context", s).Stringer("context2", s).Logger()
	log.Error().
		Str("String", s.String()).Str("Sprint", fmt.Sprint(s)).Str("Sprintf", fmt.Sprintf("%s %v %+v %#v %q %x %d", s, s, s, s, s, s, s)).
		Interface("Interface", s).Interface("Pointer", &s).Any("Any", s).Stringer("Stringer", s).Stringers("Stringers", []fmt.Stringer{s}).
		Object("Object", holder{s}).EmbedObject(holder{s}).Array("Array", zerolog.Arr().Interface(s).Object(holder{s})).
		Dict("Dict", zerolog.Dict().Interface("k", s)).Fields(map[string]any{"f": s, "g": &s}).Fields([]any{"h", s}).
		Interface("pair", pair{s, s}).Str("pair2", fmt.Sprintf("%+v", pair{s, s})).Interface("map", map[string]config.Secret{"k": s}).
		Interface("slice", []any{s, &s}).Interface("group", group).Str("group2", fmt.Sprintf("%+v", group)).Type("Type", s).
		Err(fmt.Errorf("%v %w", s, errors.New("x"))).AnErr("AnErr", fmt.Errorf("%q", s)).Errs("Errs", []error{fmt.Errorf("%s", s)}).
		Func(func(e *zerolog.Event) { e.Interface("func", s) }).Msgf("%v", s)

	_ = conn.SetReadDeadline(time.Now().Add(time.Second))
	buf := make([]byte, 64<<10)
	n, _, err := conn.ReadFrom(buf)
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(filepath.Join(dir, "file"))
	if err != nil {
		t.Fatal(err)
	}
	shown, err := os.ReadFile(filepath.Join(dir, "console"))
	if err != nil {
		t.Fatal(err)
	}
	for name, out := range map[string]string{"file": string(file), "console": string(shown), "syslog": string(buf[:n]), "journal": fmt.Sprint(native.records)} {
		if !strings.Contains(out, "[secret]") {
			t.Errorf("%s: nothing arrived: %s", name, out)
		}
		if strings.Contains(out, text) || strings.Contains(out, fmt.Sprintf("%x", text)) {
			t.Errorf("%s: %s", name, out)
		}
	}
}

func BenchmarkQuietOpen(b *testing.B) {
	for b.Loop() {
		log := Open("redis-check", Options{})
		log.Debug().Msg("m")
	}
}
