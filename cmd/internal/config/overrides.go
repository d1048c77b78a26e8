package config

import "strings"

// Overrides are the flags and environment variables, as text: they are checked
// here, with the same rules and the same errors as the file. An empty field
// overrides nothing.
//
// The names follow from the keys of the file: peer_timeout is --peer-timeout
// and REDIS_VIP_PEER_TIMEOUT, ca under tls is --tls-ca and REDIS_VIP_TLS_CA.
// Lists are separated by commas or blanks. No flag holds a secret: passwords
// come from a file, or from REDIS_VIP_PASSWORD, REDIS_VIP_SENTINEL_PASSWORD,
// REDIS_VIP_WITNESS_PASSWORD and, as a last resort, redis-cli's REDISCLI_AUTH.
type Overrides struct {
	Config string // path of the file; default DefaultPath. Relative to the working directory
	Group  string // default: the only group of the file
	Node   string // which of the nodes this host is; default: by its addresses

	Nodes, VIPs            string
	Interface, Socket      string
	Username, PasswordFile string

	TLS                                   bool // on; implied by any of the next four
	TLSCA, TLSCert, TLSKey, TLSServerName string

	Sentinels                              string
	SentinelUsername, SentinelPasswordFile string

	Timeout, PeerTimeout, HookTimeout, BootWait, FenceAfter string
	Gateway, Preserve                                       string
	Witnesses, WitnessUsername, WitnessPasswordFile         string
	StateDir, RunDir                                        string
}

// flagLabel names the flag and the variable that override a key.
func flagLabel(key string) string {
	flag := strings.NewReplacer("_", "-", ".", "-").Replace(key)
	return "--" + flag + " or REDIS_VIP_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// override puts the overrides of one group into g and returns their keys.
func (o *Overrides) override(g *fileGroup) map[string]bool {
	var set map[string]bool
	mark := func(key string) {
		if set == nil {
			set = make(map[string]bool)
		}
		set[key] = true
	}
	text := func(key, value string, target *string) {
		if value != "" {
			mark(key)
			*target = value
		}
	}
	list := func(key, value string, target *[]string) {
		if value != "" {
			mark(key)
			*target = strings.FieldsFunc(value, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' || r == '\n' })
		}
	}
	list("nodes", o.Nodes, &g.Nodes)
	list("vips", o.VIPs, &g.VIPs)
	list("sentinels", o.Sentinels, &g.Sentinels)
	text("interface", o.Interface, &g.Interface)
	text("socket", o.Socket, &g.Socket)
	text("username", o.Username, &g.Username)
	text("password_file", o.PasswordFile, &g.PasswordFile)
	text("sentinel_username", o.SentinelUsername, &g.SentinelUsername)
	text("sentinel_password_file", o.SentinelPasswordFile, &g.SentinelPasswordFile)
	text("timeout", o.Timeout, &g.Timeout)
	text("peer_timeout", o.PeerTimeout, &g.PeerTimeout)
	text("hook_timeout", o.HookTimeout, &g.HookTimeout)
	text("boot_wait", o.BootWait, &g.BootWait)
	text("fence_after", o.FenceAfter, &g.FenceAfter)
	text("gateway", o.Gateway, &g.Gateway)
	list("witnesses", o.Witnesses, &g.Witnesses)
	text("witness_username", o.WitnessUsername, &g.WitnessUsername)
	text("witness_password_file", o.WitnessPasswordFile, &g.WitnessPasswordFile)
	text("preserve", o.Preserve, &g.Preserve)
	if o.TLS || o.TLSCA != "" || o.TLSCert != "" || o.TLSKey != "" || o.TLSServerName != "" {
		merged := fileTLS{} // a copy: the table belongs to the file
		if g.TLS != nil {
			merged = *g.TLS
		}
		text("tls.ca", o.TLSCA, &merged.CA)
		text("tls.cert", o.TLSCert, &merged.Cert)
		text("tls.key", o.TLSKey, &merged.Key)
		text("tls.server_name", o.TLSServerName, &merged.ServerName)
		g.TLS = &merged
	}
	return set
}

// ofGroup names the first override that belongs to one group, or is empty.
func (o *Overrides) ofGroup() string {
	if o.Node != "" {
		return "node"
	}
	var g fileGroup
	first := ""
	for key := range o.override(&g) {
		if first == "" || key < first {
			first = key
		}
	}
	if first == "" && g.TLS != nil {
		first = "tls"
	}
	return first
}
