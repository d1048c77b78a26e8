package metrics_test

import (
	"bytes"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"redis-vip/checks"
	"redis-vip/checks/node"
	"redis-vip/checks/node/nodetest"
	"redis-vip/cmd/internal/metrics"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

var (
	self = netip.MustParseAddrPort("192.168.0.1:6379")
	peer = netip.MustParseAddrPort("[fd00::2]:6379")
	seen = time.Date(2026, 11, 21, 3, 12, 13, 500e6, time.UTC)
)

// parse reads the text as Prometheus does. The key is the name, and the value of the
// label that only some metrics have.
func parse(t *testing.T, text []byte) (values map[string]float64, families map[string]*dto.MetricFamily) {
	t.Helper()
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(text))
	if err != nil {
		t.Fatalf("%v:\n%s", err, text)
	}
	values = make(map[string]float64)
	for name, family := range families {
		for _, m := range family.GetMetric() {
			key := name
			for _, label := range m.GetLabel() {
				if label.GetName() != "group" && label.GetName() != "node" {
					key += " " + label.GetValue()
				}
			}
			if _, twice := values[key]; twice {
				t.Errorf("%s is there twice:\n%s", key, text)
			}
			values[key] = m.GetGauge().GetValue()
		}
	}
	return values, families
}

func master() checks.Facts {
	return checks.Facts{
		Node: checks.Node{Addr: self, Facts: node.Facts{
			Class: node.Alive, Role: node.Master, Keys: 12, Offset: 1 << 40, Took: 1500 * time.Microsecond,
			Downstream: []node.Downstream{
				{Addr: peer, State: "online", Offset: 1<<40 - 100, Lag: time.Second},
				{Addr: peer, State: "wait_bgsave"}, // it was cut off, and the master has not noticed
			},
		}},
		VIP:   checks.Here,
		Group: []netip.AddrPort{peer},
		Lease: checks.Lease{Witnesses: 1, Asked: true, Reached: 1, Mine: true, Left: 3200 * time.Millisecond},
	}
}

func TestText(t *testing.T) {
	replica := checks.Facts{Node: checks.Node{Addr: self, Facts: node.Facts{
		Class: node.Alive, Role: node.Replica, Offset: 14, Upstream: node.Upstream{Up: true, LastIO: 2 * time.Second},
	}}, VIP: checks.Absent}
	dead := checks.Facts{Node: checks.Node{Addr: self, Facts: node.Facts{Class: node.Refused}}}
	for name, test := range map[string]struct {
		facts  checks.Facts
		want   map[string]float64
		absent []string
	}{
		"a master": {
			master(),
			map[string]float64{
				"redis_vip_fit": 1, "redis_vip_reason_info master": 1, "redis_vip_drift": 0, "redis_vip_vip_here": 1, "redis_vip_redis_up": 1,
				"redis_vip_role master": 1, "redis_vip_role replica": 0, "redis_vip_role unknown": 0, "redis_vip_keys": 12,
				"redis_vip_replication_offset_bytes": 1 << 40, "redis_vip_replica_online [fd00::2]:6379": 1,
				"redis_vip_replica_lag_bytes [fd00::2]:6379": 100, "redis_vip_replica_lag_seconds [fd00::2]:6379": 1,
				"redis_vip_votes": 2, "redis_vip_lease_held": 1, "redis_vip_lease_left_seconds": 3.2,
				"redis_vip_lease_witnesses": 1, "redis_vip_lease_witnesses_reached": 1,
				"redis_vip_last_run_timestamp_seconds": 1795230733.5, "redis_vip_last_run_duration_seconds": 0.0015,
			},
			[]string{"redis_vip_master_link_up"},
		},
		"a replica": {
			replica,
			map[string]float64{
				"redis_vip_fit": 1, "redis_vip_reason_info in_sync": 1, "redis_vip_role replica": 1, "redis_vip_vip_here": 0,
				"redis_vip_master_link_up": 1, "redis_vip_master_last_io_seconds": 2, "redis_vip_replication_offset_bytes": 14,
			},
			[]string{"redis_vip_votes", "redis_vip_lease_held"},
		},
		"nobody": {
			dead,
			map[string]float64{
				"redis_vip_fit": 0, "redis_vip_reason_info unreachable": 1, "redis_vip_role unknown": 1, "redis_vip_redis_up": 0,
			},
			[]string{"redis_vip_keys", "redis_vip_replication_offset_bytes", "redis_vip_vip_here"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			text := metrics.Of(test.facts, checks.Judge(test.facts, checks.Policy{}), seen).Text("mymaster", self.String())
			got, _ := parse(t, text)
			for key, value := range test.want {
				if v, found := got[key]; !found || v != value {
					t.Errorf("%s is %v (%v), want %v", key, v, found, value)
				}
			}
			for _, key := range test.absent {
				if v, found := got[key]; found {
					t.Errorf("%s is %v, and nobody knows that", key, v)
				}
			}
		})
	}
}

// Every metric has a name by the conventions, HELP and TYPE, and says which group and
// node it is about: https://prometheus.io/docs/practices/naming/.
func TestConventions(t *testing.T) {
	list := metrics.Of(master(), checks.Verdict{}, seen)
	list.Info(metrics.Build, "version", `v1 "quoted\back`+"\nslash")
	_, families := parse(t, list.Text("mymaster", self.String()))
	if version := families["redis_vip_build_info"].GetMetric()[0].GetLabel()[2].GetValue(); version != `v1 "quoted\back`+"\nslash" {
		t.Errorf("%q", version)
	}
	name := regexp.MustCompile(`^redis_vip_[a-z_]+$`)
	for n, family := range families {
		if !name.MatchString(n) || strings.Contains(n, "_ms") || strings.HasSuffix(n, "_total") {
			t.Errorf("%s is no name for a gauge", n)
		}
		if !strings.HasSuffix(family.GetHelp(), ".") || family.GetType() != dto.MetricType_GAUGE {
			t.Errorf("%s: %v %q", n, family.GetType(), family.GetHelp())
		}
		for _, m := range family.GetMetric() {
			labels := make(map[string]string)
			for _, l := range m.GetLabel() {
				labels[l.GetName()] = l.GetValue()
			}
			if labels["group"] != "mymaster" || labels["node"] != self.String() {
				t.Errorf("%s: %v", n, labels)
			}
			if strings.HasSuffix(n, "_info") && m.GetGauge().GetValue() != 1 {
				t.Errorf("%s is %v", n, m.GetGauge().GetValue())
			}
		}
	}
}

// What Prometheus's own tool thinks of all of them together.
func TestPromtool(t *testing.T) {
	if _, err := exec.LookPath("promtool"); err != nil {
		nodetest.Skip(t, "needs promtool, of Debian's package prometheus; .ci/run gets it")
	}
	list := metrics.Of(master(), checks.Verdict{}, seen)
	list.Set(metrics.LinkUp, 1)
	list.Set(metrics.LastIO, 2)
	list.Set(metrics.Fenced, 0)
	list.Set(metrics.Waiting, 0)
	list.Set(metrics.Reconciled, 1)
	list.Info(metrics.Course, "course", "serve")
	list.Info(metrics.Build, "version", "1")
	list.Time(metrics.Transition, seen)
	cmd := exec.Command("promtool", "check", "metrics")
	cmd.Stdin = bytes.NewReader(list.Text("mymaster", self.String()))
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("%v: %s", err, out)
	}
}

// node_exporter is another user, and reads at any moment.
func TestWrite(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "redis-vip.prom")
	umask := syscall.Umask(0o177) // keepalived's
	defer syscall.Umask(umask)
	for _, text := range []string{"one\n", "two\n"} {
		if err := metrics.Write(path, []byte(text)); err != nil {
			t.Fatal(err)
		}
		if got, _ := os.ReadFile(path); string(got) != text {
			t.Errorf("%q", got)
		}
	}
	if info, _ := os.Stat(path); info.Mode().Perm() != 0o644 {
		t.Error(info.Mode())
	}
	if err := metrics.Write(filepath.Join(dir, "folder.prom"), nil); err != nil {
		t.Error(err)
	}
	os.Mkdir(filepath.Join(dir, "taken.prom"), 0o700)
	if err := metrics.Write(filepath.Join(dir, "taken.prom"), nil); err == nil {
		t.Error("a folder was replaced")
	}
	if files, _ := os.ReadDir(dir); len(files) != 3 {
		t.Errorf("something was left behind: %v", files)
	}
}

func TestPath(t *testing.T) {
	dir := t.TempDir()
	os.WriteFile(filepath.Join(dir, "file"), nil, 0o600)
	for place, want := range map[string]string{
		dir:                              filepath.Join(dir, "redis-vip-mymaster.prom"),
		filepath.Join(dir, "other.prom"): filepath.Join(dir, "other.prom"),
		filepath.Join(dir, "file"):       "",
		filepath.Join(dir, "nowhere"):    "",
		"redis-vip.prom":                 "",
	} {
		if got, err := metrics.Path(place, "mymaster"); got != want || (err == nil) != (want != "") {
			t.Errorf("%s: %s, %v", place, got, err)
		}
	}
}
