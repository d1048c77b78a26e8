package packaging_test

import (
	"slices"
	"testing"
)

// The life of three hosts under Sentinel, as that of a pair.
func TestProceduresUnderSentinel(t *testing.T) {
	t.Parallel()
	p := newHosts(t, 5)
	p.Booted, p.spare = p.Booted[:3], p.Booted[3:]
	p.follow(readme, "Redis Sentinel", func(step) {})
	p.until(patience, func() error { return p.whole(p.Booted[0]) })
	p.together()

	p.serving(t, "users", func() {
		p.procedure("Users under Sentinel", p.copySecrets("secret"))
		p.alone("ha", "repl", "sentinel")
		p.sh(p.active(), "redis-vip switchover mymaster") // everybody logs in, and does what there is to do
		p.until(patience, func() error { return p.whole(p.active()) })
	})
	p.serving(t, "a user for a check", func() {
		p.secrets("secret", "check")
		p.procedure("A user for a check", nil)
		p.sh(p.active(), `export REDIS_VIP_USERNAME=check REDIS_VIP_SENTINEL_USERNAME=check
export REDIS_VIP_PASSWORD_FILE=/root/secret/check REDIS_VIP_SENTINEL_PASSWORD_FILE=/root/secret/check
redis-vip redis-check --expect master`)
	})
	p.serving(t, "rotating", func() {
		p.secrets("new", "ha", "repl", "sentinel")
		p.procedure("The passwords under Sentinel", nil)
		p.alone("ha", "repl", "sentinel")
		p.sh(p.active(), "redis-vip switchover mymaster")
		p.until(patience, func() error { return p.whole(p.active()) })
	})
	p.serving(t, "upgrading", func() {
		names := []string{"redis-server", "redis-sentinel", "redis-tools"}
		p.offer(names...)
		p.procedure("Upgrading under Sentinel", func(step) { p.fit(); p.together() })
		p.upgraded(names...)
	})
	p.serving(t, "a new host", func() {
		p.replace(slices.Index(p.Booted, p.active()), p.spare[1], true)
		p.procedure("A host under Sentinel, at the same address", p.copyHost)
		p.together()
	})
	p.serving(t, "a new host elsewhere", func() {
		p.replace(2, p.spare[0], false)
		before, after := p.around("A host under Sentinel, at another address")
		p.carryOut(before, nil)
		p.procedure("A host under Sentinel, at the same address", p.copyHost)
		p.together()
		p.carryOut(after, nil)
	})
}

// together waits until every Sentinel knows the others, and all replicas, and nobody else.
func (p *hosts) together() {
	p.t.Helper()
	for _, h := range p.Booted {
		p.until(patience, func() error { return p.quorum(h) })
	}
}
