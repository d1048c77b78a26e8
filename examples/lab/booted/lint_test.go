package booted_test

import (
	"strings"
	"testing"

	"redis-vip/examples/lab/booted"
)

// With the stock units: nothing to find, and a shell script that their sandbox does not
// let run.
func TestLint(t *testing.T) {
	ctx, trio := start(t, booted.Options{})
	for _, n := range trio.Nodes {
		if says := output(t, ctx, n.Host, "sh", "-c", "redis-vip lint --strict 2>&1; echo exit $?"); says != "exit 0" {
			t.Errorf("%s:\n%s", n.Name, says)
		}
	}
	n := trio.Nodes[0]
	says := output(t, ctx, n.Host, "sh", "-c", `
		mkdir -p /usr/lib/site
		printf '#!/bin/sh\nexit 0\n' >/usr/lib/site/failover
		chmod 0755 /usr/lib/site/failover
		sed 's,^sentinel client-reconfig-script.*,sentinel client-reconfig-script mymaster /usr/lib/site/failover,' /etc/redis/sentinel.conf >/root/sentinel.conf
		redis-vip lint --sentinel /root/sentinel.conf 2>&1; echo exit $?`)
	if !strings.Contains(says, "[sentinel-script-interpreter]") || !strings.Contains(says, "ExecPaths=/usr/bin/redis-sentinel /usr/lib /lib") || !strings.HasSuffix(says, "exit 1") {
		t.Error(says)
	}
}
