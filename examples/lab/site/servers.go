package site

import (
	"regexp"
	"slices"

	"redis-vip/checks/node/nodetest"
)

// where the distribution has what may be of another version.
var where = map[string]string{
	"redis-server":   "/usr/bin/redis-server",
	"redis-sentinel": "/usr/bin/redis-sentinel",
	"redis-cli":      "/usr/bin/redis-cli",
	"keepalived":     "/usr/sbin/keepalived",
}

// placed are the lines of a stock redis.conf in which one package differs from another,
// and what Debian's has there.
var (
	placed = regexp.MustCompile(`(?m)^(daemonize|dir|logfile|pidfile|unixsocket|supervised) .*\n`)
	debian = []byte("pidfile /run/redis/redis-server.pid\nlogfile /var/log/redis/redis-server.log\ndir /var/lib/redis\n")
)

// stand returns the files that stand in place of the hosts' programs, and the redis.conf
// that belongs to them; nothing for the machine's own.
func stand(servers nodetest.Servers) (instead map[string]string, conf []byte, err error) {
	instead = make(map[string]string)
	for program, at := range where {
		given := servers.Folder
		if program == "keepalived" {
			given = servers.Keepalived
		}
		if given == "" {
			continue
		}
		if instead[at], err = servers.Path(program); err != nil {
			return nil, nil, err
		}
	}
	if conf, err = servers.Conf(); conf != nil {
		conf = slices.Concat(placed.ReplaceAll(conf, nil), debian)
	}
	return instead, conf, err
}
