// Package prometheus_test tries the alerts.
package prometheus_test

import (
	"os"
	"os/exec"
	"regexp"
	"slices"
	"testing"

	"redis-vip/checks/node/nodetest"
)

// What Prometheus makes of the alerts: promtool plays some minutes of two hosts.
func TestAlerts(t *testing.T) {
	if _, err := exec.LookPath("promtool"); err != nil {
		nodetest.Skip(t, "needs promtool, of Debian's package prometheus; .ci/run gets it")
	}
	for _, args := range [][]string{{"check", "rules", "redis-vip.rules.yml"}, {"test", "rules", "redis-vip.test.yml"}} {
		if out, err := exec.Command("promtool", args...).CombinedOutput(); err != nil {
			t.Errorf("promtool %v: %v:\n%s", args, err, out)
		}
	}
}

// Every metric that an alert asks for is one that the programs write, and every alert
// is tried.
func TestAlertsNameWhatThereIs(t *testing.T) {
	rules, tests, metrics := read(t, "redis-vip.rules.yml"), read(t, "redis-vip.test.yml"), read(t, "../../cmd/internal/metrics/metrics.go")
	written := regexp.MustCompile(`"(redis_vip_[a-z_]+)"`).FindAllStringSubmatch(metrics, -1)
	for _, name := range regexp.MustCompile(`\bredis_vip_[a-z_]+`).FindAllString(rules, -1) {
		if !slices.ContainsFunc(written, func(w []string) bool { return w[1] == name }) {
			t.Errorf("nothing writes %s", name)
		}
	}
	alerts := regexp.MustCompile(`alert: (\w+)`).FindAllStringSubmatch(rules, -1)
	for _, alert := range alerts {
		if !regexp.MustCompile(`\b` + alert[1] + `\b`).MatchString(tests) {
			t.Errorf("%s is not tried", alert[1])
		}
	}
	if len(written) < 20 || len(alerts) < 8 {
		t.Errorf("%d metrics, %d alerts", len(written), len(alerts))
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
