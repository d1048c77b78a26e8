package program_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"redis-vip/checks/node/nodetest"
	"redis-vip/cmd/internal/history"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// values reads a textfile as Prometheus does: by name, and by name and the last label.
func values(path string) (map[string]float64, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("%w:\n%s", err, text)
	}
	values := make(map[string]float64)
	for name, family := range families {
		for _, m := range family.GetMetric() {
			labels := m.GetLabel()
			values[name] = m.GetGauge().GetValue()
			values[name+" "+labels[len(labels)-1].GetValue()] = m.GetGauge().GetValue()
		}
	}
	return values, nil
}

// past is the history of the group of flags alone.
func past(t *testing.T, dir string) []history.Entry {
	t.Helper()
	code, out := run(t, dir, "redis-vip", "history", "--json", "--nodes", "127.0.0.1")
	var entries []history.Entry
	if err := json.Unmarshal([]byte(out), &entries); code != 0 || err != nil {
		t.Fatalf("exit %d, %v: %s", code, err, out)
	}
	return entries
}

func TestTextfile(t *testing.T) {
	t.Setenv(children, "1")
	umask := syscall.Umask(0o177) // keepalived's
	defer syscall.Umask(umask)
	master, replica := nodetest.Redis(t), nodetest.Redis(t)
	replica.Follow(master)
	dir, folder := t.TempDir(), t.TempDir()
	check := func(want int) {
		t.Helper()
		code, out := run(t, dir, "redis-check", "--nodes", replica.Addr.String()+","+master.Addr.String(), "--node", replica.Addr.String(),
			"--vips", "127.9.9.9", "--textfile", folder)
		if code != want {
			t.Errorf("exit %d, want %d: %s", code, want, out)
		}
	}
	path := filepath.Join(folder, "redis-vip-default.prom")
	says := func(want map[string]float64) {
		t.Helper()
		nodetest.Eventually(t, "metrics", func() error {
			got, err := values(path)
			for name, value := range want {
				if v, found := got[name]; err == nil && (!found || v != value) {
					err = fmt.Errorf("%s is %v (%v), want %v: %v", name, v, found, value, got)
				}
			}
			return err
		})
	}
	before := time.Now().Add(-time.Second)
	check(0)
	says(map[string]float64{
		"redis_vip_fit": 1, "redis_vip_reason_info in_sync": 1, "redis_vip_role replica": 1, "redis_vip_vip_here": 0,
		"redis_vip_master_link_up": 1, "redis_vip_preserved_files_waiting": 0, "redis_vip_fenced": 0, "redis_vip_build_info unreleased": 1,
	})
	first, _ := values(path)
	for _, name := range []string{"redis_vip_last_run_timestamp_seconds", "redis_vip_last_transition_timestamp_seconds"} {
		if at := first[name]; at < float64(before.Unix()) || at > float64(time.Now().Unix()+1) {
			t.Errorf("%s is %v", name, at)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("%v, %v", info.Mode(), err)
	}

	// Nothing has changed, and it was said a moment ago: this check starts nothing.
	check(0)
	if second, _ := values(path); second["redis_vip_last_run_timestamp_seconds"] != first["redis_vip_last_run_timestamp_seconds"] {
		t.Error("written again at once")
	}
	// It was said too long ago.
	old := time.Now().Add(-6 * time.Second)
	if err := os.Chtimes(filepath.Join(dir, "default.metrics"), old, old); err != nil {
		t.Fatal(err)
	}
	check(0)
	nodetest.Eventually(t, "newer metrics", func() error {
		if now, _ := values(path); now["redis_vip_last_run_timestamp_seconds"] == first["redis_vip_last_run_timestamp_seconds"] {
			return errors.New("the old ones")
		}
		return nil
	})
	// A change is said at once.
	replica.Kill()
	check(1)
	says(map[string]float64{"redis_vip_fit": 0, "redis_vip_reason_info unreachable": 1, "redis_vip_redis_up": 0, "redis_vip_role unknown": 1})

	entries := past(t, dir)
	if len(entries) != 2 || entries[0].Reason != "in_sync" || entries[1].From != "fit" || entries[1].To != "unfit" || entries[1].Reason != "unreachable" {
		t.Errorf("%+v", entries)
	}
}

// Under Sentinel the timer's run writes them: a file for each group. Here the master is
// said to be elsewhere, so that nothing is changed.
func TestTextfileUnderSentinel(t *testing.T) {
	groups := []string{"orders", "sessions"}
	sentinel := nodetest.Sentinel(t, "sentinel monitor orders 127.0.0.2 7 1", "sentinel monitor sessions 127.0.0.2 8 1")
	dir, folder := t.TempDir(), t.TempDir()
	file := filepath.Join(dir, "redis-vip.toml")
	var text strings.Builder
	for i, group := range groups {
		replica := nodetest.Redis(t)
		replica.Do("REPLICAOF", "127.0.0.2", 7+i)
		fmt.Fprintf(&text, "[group.%s]\nvips = [\"127.9.9.%d/32\"]\nnodes = [%q, \"127.0.0.2:%d\"]\nsentinels = [%q]\n", group, 8+i, replica.Addr, 7+i, sentinel.Addr)
	}
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out := run(t, dir, "redis-vip", "reconcile", "--config", file, "--all", "--quiet", "--textfile", filepath.Join(folder, "all.prom"))
	if code != 0 {
		t.Fatalf("exit %d: %s: %v", code, out, logged(t, dir))
	}
	for _, group := range groups {
		got, err := values(filepath.Join(folder, "redis-vip-"+group+".prom"))
		if err != nil || got["redis_vip_course_info yield"] != 1 || got["redis_vip_reconcile_success"] != 1 || got["redis_vip_role replica"] != 1 || got["redis_vip_vip_here"] != 0 {
			t.Errorf("%s: %v, %v", group, err, got)
		}
	}
}

// lingering is a folder in which processes that a check has started may still be at work
// when the test ends.
func lingering(t *testing.T) string {
	dir, err := os.MkdirTemp("", "redis-vip-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nodetest.Eventually(t, "an end of "+dir, func() error { return os.RemoveAll(dir) }) })
	return dir
}

// Where the metrics cannot be written, the verdict is the same, and the log says it
// once.
func TestTextfileThatCannotBeWritten(t *testing.T) {
	t.Setenv(children, "1")
	server := nodetest.Redis(t)
	for _, place := range []string{"/nowhere", "redis-vip.prom", "/proc/redis-vip.prom"} {
		dir := lingering(t)
		for range 3 {
			if code, out := run(t, dir, "redis-check", "--nodes", server.Addr.String(), "--textfile", place); code != 0 {
				t.Errorf("%s: exit %d: %s", place, code, out)
			}
			nodetest.Eventually(t, "the word of it", func() error {
				_, tried := os.Stat(filepath.Join(dir, "default.metrics"))
				_, said := os.Stat(filepath.Join(dir, "default.bulletin"))
				return errors.Join(tried, said)
			})
			os.Remove(filepath.Join(dir, "default.metrics")) // so that the next check writes again
		}
		said := 0
		for _, record := range logged(t, dir) {
			if problem, found := record["problem"]; found && strings.Contains(fmt.Sprint(problem), filepath.Base(place)) {
				said++
			}
		}
		if said != 1 {
			t.Errorf("%s: said %d times: %v", place, said, logged(t, dir))
		}
	}
}

// A hook's run is in the history, with what it preserved; the same file serves many
// programs, and a broken one is no error for a hook.
func TestHistory(t *testing.T) {
	master, deposed := nodetest.Redis(t), nodetest.Redis(t)
	master.Follow(deposed)
	deposed.Do("SET", "a", "1")
	master.Follow(deposed) // until it has that too
	master.Do("REPLICAOF", "NO", "ONE")
	master.Do("SET", "b", "1")
	deposed.Do("SET", "lost", "1")
	dir := t.TempDir()
	nodes := master.Addr.String() + "," + deposed.Addr.String()
	broken := []byte("\x00 no JSON\n{\"at\":")
	if err := os.WriteFile(filepath.Join(dir, "default.history"), broken, 0o640); err != nil {
		t.Fatal(err)
	}
	if code, out := run(t, dir, "notify-backup", "--nodes", nodes, "--node", deposed.Addr.String(), "--vips", "127.9.9.9", "INSTANCE", "VI_1", "BACKUP", "100"); code != 0 {
		t.Fatalf("exit %d: %s: %v", code, out, logged(t, dir))
	}
	entries := past(t, dir)
	if len(entries) != 1 {
		t.Fatalf("%+v", entries)
	}
	e := entries[0]
	if e.Program != "notify-backup" || e.Event != "INSTANCE VI_1 BACKUP 100" || e.From != "master" || e.To != "replica" || e.VIP != "absent" ||
		e.Outcome != "done" || len(e.Preserved) != 1 || time.Since(e.At) > time.Minute || e.MS <= 0 {
		t.Errorf("%+v", e)
	}
	if _, err := os.Stat(e.Preserved[0]); err != nil {
		t.Error(err)
	}
	_, out := run(t, dir, "redis-vip", "history", "--nodes", nodes)
	for _, want := range []string{"notify-backup", "master → replica", e.At.Local().Format("15:04:05.000"), e.Preserved[0], "the VIP is absent"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is missing:\n%s", want, out)
		}
	}
}

// What a person does is in it as well.
func TestHistoryOfAPerson(t *testing.T) {
	dir := t.TempDir()
	args := []string{"--nodes", "127.0.0.1", "--vips", "127.9.9.9"}
	flag := filepath.Join(dir, "default.maintenance")
	run(t, dir, "redis-vip", append(append([]string{"maintenance"}, args...), "on")...)
	if err := os.WriteFile(flag, []byte("0\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, word := range []string{"on", "", "off"} {
		command := append([]string{"maintenance"}, args...)
		if word != "" {
			command = append(command, word)
		}
		if code, out := run(t, dir, "redis-vip", command...); code != 0 {
			t.Fatalf("%v: exit %d: %s", command, code, out)
		}
	}
	var got []string
	for _, e := range past(t, dir) {
		got = append(got, e.Program+" "+e.Event+": "+e.Outcome)
	}
	if want := "redis-vip maintenance on: failed, redis-vip maintenance on: done, redis-vip maintenance off: done"; strings.Join(got, ", ") != want {
		t.Errorf("%v", got)
	}
}

// A history that cannot be written is no error for a hook, and is said once.
func TestHistoryThatCannotBeWritten(t *testing.T) {
	master, replica := nodetest.Redis(t), nodetest.Redis(t)
	replica.Follow(master)
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "default.history"), 0o700); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if code, out := run(t, dir, "notify-backup", "--nodes", master.Addr.String()+","+replica.Addr.String(), "--node", replica.Addr.String(), "--vips", "127.9.9.9"); code != 0 {
			t.Errorf("exit %d: %s", code, out)
		}
	}
	said := 0
	for _, record := range logged(t, dir) {
		if record["problem"] != nil {
			said++
		}
	}
	if said != 1 {
		t.Errorf("said %d times: %v", said, logged(t, dir))
	}
}

func TestHistoryCommand(t *testing.T) {
	dir := t.TempDir()
	l := history.Log{Path: filepath.Join(dir, "default.history")}
	if code, out := run(t, dir, "redis-vip", "history", "--nodes", "127.0.0.1"); code != 0 || !strings.Contains(out, "nothing has happened to default") {
		t.Errorf("exit %d: %s", code, out)
	}
	for n := range 30 {
		at := time.Date(2026, 11, 21, 3, n, 0, 0, time.Local)
		if err := l.Append(history.Entry{At: at, Program: "redis-check", From: "fit", To: "unfit", Reason: fmt.Sprint("reason-", n), Outcome: "done"}); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		args  []string
		count int
	}{{nil, 20}, {[]string{"-n", "3"}, 3}, {[]string{"-n", "0"}, 30}, {[]string{"-n", "100"}, 30}} {
		code, out := run(t, dir, "redis-vip", append([]string{"history", "--nodes", "127.0.0.1"}, test.args...)...)
		lines := strings.Split(strings.TrimSpace(out), "\n")
		if got := strings.Count(out, "reason-"); code != 0 || got != test.count || !strings.Contains(lines[len(lines)-1], "reason-29") {
			t.Errorf("%v: exit %d, %d entries:\n%s", test.args, code, got, out)
		}
	}
	if code, out := run(t, dir, "redis-vip", "history", "--nodes", "127.0.0.1", "-n", "-1"); code != 2 {
		t.Errorf("exit %d: %s", code, out)
	}
	if code, out := run(t, dir, "redis-vip", "history", "--nodes", "127.0.0.1", "a", "b"); code != 2 {
		t.Errorf("exit %d: %s", code, out)
	}
	os.Remove(l.Path)
	os.Mkdir(l.Path, 0o700)
	if code, out := run(t, dir, "redis-vip", "history", "--nodes", "127.0.0.1"); code != 1 || !strings.Contains(out, "no plain file") {
		t.Errorf("exit %d: %s", code, out)
	}
	if _, err := os.Stat(l.Path); errors.Is(err, fs.ErrNotExist) {
		t.Error("it was removed")
	}
}
