package fault

import (
	"net/netip"
	"strings"

	"redis-vip/examples/lab/netlab"
	"redis-vip/examples/lab/shell"
	"redis-vip/examples/lab/site"
)

// Hooks are whose programs keepalived and Sentinel run.
type Hooks string

// Whose hooks.
const (
	Ours  Hooks = "ours"
	Shell Hooks = "shell"
)

const (
	tomlPath     = "/etc/redis-vip/redis-vip.toml"
	gatewayName  = "gateway"
	stubbornName = "stubborn"
)

var (
	gateway  = netip.MustParsePrefix("192.168.0.254/24")
	stubborn = netip.MustParsePrefix("192.168.0.101/24")
)

// Site is what a site is built with for this setup.
func (s Setup) Site(o Options) site.Options {
	options := site.Options{Programs: o.Programs, Timer: s.Trio, Edit: make(map[string]func([]byte) []byte)}
	if o.Hooks == Shell {
		options = shell.Options()
	}
	options.Servers, options.Fresh = o.Servers, s.Fresh
	group := s.Group
	if s.Gateway {
		options.Extra = append(options.Extra, netlab.Plan{Name: gatewayName, Addresses: []netip.Prefix{gateway}})
		group += "\ngateway = \"192.168.0.254:53\"\n" // nothing listens: a refusal is an answer
	}
	if s.Stubborn {
		options.Extra = append(options.Extra, netlab.Plan{Name: stubbornName, Addresses: []netip.Prefix{stubborn}})
	}
	options.Edit[tomlPath] = func(conf []byte) []byte { return append(conf, "\n"+group+"\n"...) }
	theirs := options.Edit[site.RedisConf]
	options.Edit[site.RedisConf] = func(conf []byte) []byte {
		// Above the include, which must stay the last line.
		conf = []byte(strings.Replace(string(conf), "\ninclude ", "\n"+s.Redis+"\ninclude ", 1))
		if theirs != nil {
			conf = theirs(conf)
		}
		return conf
	}
	return options
}
