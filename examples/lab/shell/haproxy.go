package shell

import (
	"regexp"
	"strings"

	"redis-vip/examples/lab/site"
)

// tcpCheck is what articles on HAProxy before Redis have in place of a program: whoever
// says that it is a master is one.
const tcpCheck = `    option tcp-check
    tcp-check send AUTH\ replace-this-redis-password\r\n
    tcp-check expect string +OK
    tcp-check send PING\r\n
    tcp-check expect string +PONG
    tcp-check send info\ replication\r\n
    tcp-check expect string role:master
    tcp-check send QUIT\r\n
    tcp-check expect string +OK
    default-server check inter 1s
`

// ours are the lines of the example's haproxy.cfg that the articles do not have.
var ours = regexp.MustCompile(`(?m)^\s+(external-check|insecure-fork-wanted|option external-check|external-check .*|tcp-request .*|default-server .*)\n`)

// reconciled are the lines of its redis.conf and sentinel.conf that want ours on the hosts
// of Redis as well.
var reconciled = regexp.MustCompile(`(?m)^(include /etc/redis-vip/|sentinel client-reconfig-script ).*\n`)

// CheckAlone are options for site.Proxied with nothing of ours but HAProxy's check.
func CheckAlone() site.Options {
	without := func(conf []byte) []byte { return reconciled.ReplaceAll(conf, nil) }
	return site.Options{Edit: map[string]func([]byte) []byte{site.RedisConf: without, site.SentinelConf: without}}
}

// TCPCheck are options for site.Proxied with nothing of ours at all.
func TCPCheck() site.Options {
	o := CheckAlone()
	o.Edit[site.HAProxyConf] = func(conf []byte) []byte {
		text := string(ours.ReplaceAll(conf, nil))
		return []byte(strings.Replace(text, "\nbackend master\n", "\nbackend master\n"+tcpCheck, 1))
	}
	return o
}
