package program

import (
	"strings"

	"redis-vip/cmd/internal/config"

	"github.com/urfave/cli/v2"
)

// common are the flags of every program that reads the configuration. Each has a
// variable, REDIS_VIP_ and its name: Sentinel gives its script no arguments of the
// operator's own. Secrets have a file or a variable, never a flag: the whole host
// can read a command line.
func common(more ...cli.Flag) []cli.Flag {
	flags := []cli.Flag{
		&cli.StringFlag{Name: "config", Usage: "read `FILE` instead of " + config.DefaultPath},
		&cli.StringFlag{Name: "group", Usage: "the `NAME` of the group; needed only where the file has several"},
		&cli.StringFlag{Name: "node", Usage: "which of the nodes this host is, as `ADDRESS[:PORT]`; needed only where several are on one host"},
		&cli.StringFlag{Name: "nodes", Usage: "the Redis servers, as `ADDRESS[:PORT],…`"},
		&cli.StringFlag{Name: "vips", Usage: "the service addresses, as `ADDRESS[/LENGTH],…`"},
		&cli.StringFlag{Name: "interface", Usage: "where the VIP goes, if not where its subnet is: `NAME`"},
		&cli.StringFlag{Name: "socket", Usage: "reach the local Redis through the unix socket `PATH`"},
		&cli.StringFlag{Name: "username", Usage: "ACL `USER`"},
		&cli.StringFlag{Name: "password-file", Usage: "`FILE` that holds the password; or put it in REDIS_VIP_PASSWORD or REDISCLI_AUTH"},
		&cli.BoolFlag{Name: "tls", Usage: "use TLS"},
		&cli.StringFlag{Name: "tls-ca", Usage: "use TLS and trust the authority in `FILE`"},
		&cli.StringFlag{Name: "tls-cert", Usage: "client certificate `FILE`"},
		&cli.StringFlag{Name: "tls-key", Usage: "its key `FILE`"},
		&cli.StringFlag{Name: "tls-server-name", Usage: "the certificate is for `NAME`, not for the address"},
		&cli.StringFlag{Name: "sentinels", Usage: "the Sentinels, as `ADDRESS[:PORT],…`; the others are discovered"},
		&cli.StringFlag{Name: "sentinel-username", Usage: "ACL `USER` on the Sentinels"},
		&cli.StringFlag{Name: "sentinel-password-file", Usage: "`FILE` that holds the Sentinels' password; or put it in REDIS_VIP_SENTINEL_PASSWORD"},
		&cli.StringFlag{Name: "timeout", Usage: "of one question to the local Redis, and of redis-check as a whole: `DURATION`"},
		&cli.StringFlag{Name: "peer-timeout", Usage: "of one question to another node: `DURATION`"},
		&cli.StringFlag{Name: "hook-timeout", Usage: "of a hook as a whole: `DURATION`"},
		&cli.StringFlag{Name: "boot-wait", Usage: "how long a node that restarted waits for one that may have newer data: `DURATION`"},
		&cli.StringFlag{Name: "fence-after", Usage: "how long a host with the VIP bears to reach no majority of the Sentinels: `DURATION`"},
		&cli.StringFlag{Name: "gateway", Usage: "a TCP endpoint that answers or refuses unless this host is cut off, as `ADDRESS:PORT`"},
		&cli.StringFlag{Name: "witnesses", Usage: "the servers that hold the lease of a pair, as `ADDRESS[:PORT],…`: one or three"},
		&cli.StringFlag{Name: "witness-username", Usage: "ACL `USER` on the witnesses"},
		&cli.StringFlag{Name: "witness-password-file", Usage: "`FILE` that holds the witnesses' password; or put it in REDIS_VIP_WITNESS_PASSWORD"},
		&cli.StringFlag{Name: "preserve", Usage: "what to do about writes that a new master lacks: `require` them saved, try, or off"},
		&cli.StringFlag{Name: "state-dir", Usage: "what has to survive a reboot is kept in `DIR`"},
		&cli.StringFlag{Name: "run-dir", Usage: "locks and the last verdict are kept in `DIR`"},
	}
	for _, flag := range flags {
		switch f := flag.(type) {
		case *cli.StringFlag:
			f.EnvVars = variable(f.Name)
		case *cli.BoolFlag:
			f.EnvVars = variable(f.Name)
		}
	}
	flags = append(flags, more...)
	for i, flag := range flags {
		switch f := flag.(type) {
		case *cli.StringFlag:
			flags[i] = &text{f, []string{f.Name}}
		case *cli.BoolFlag:
			flags[i] = &toggle{f, []string{f.Name}}
		}
	}
	return flags
}

func variable(name string) []string {
	return []string{"REDIS_VIP_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))}
}

// text and toggle are flags of cli that know their names. Its own run a regular
// expression over the name each time they are asked for it, and cli asks every flag
// for it to find one.
type (
	text struct {
		*cli.StringFlag
		names []string
	}
	toggle struct {
		*cli.BoolFlag
		names []string
	}
)

func (t *text) Names() []string   { return t.names }
func (t *toggle) Names() []string { return t.names }

func overrides(c *cli.Context) config.Overrides {
	return config.Overrides{
		Config: c.String("config"), Group: c.String("group"), Node: c.String("node"),
		Nodes: c.String("nodes"), VIPs: c.String("vips"), Interface: c.String("interface"), Socket: c.String("socket"),
		Username: c.String("username"), PasswordFile: c.String("password-file"),
		TLS: c.Bool("tls"), TLSCA: c.String("tls-ca"), TLSCert: c.String("tls-cert"), TLSKey: c.String("tls-key"),
		TLSServerName: c.String("tls-server-name"), Sentinels: c.String("sentinels"),
		SentinelUsername: c.String("sentinel-username"), SentinelPasswordFile: c.String("sentinel-password-file"),
		Timeout: c.String("timeout"), PeerTimeout: c.String("peer-timeout"), HookTimeout: c.String("hook-timeout"),
		BootWait: c.String("boot-wait"), FenceAfter: c.String("fence-after"), Gateway: c.String("gateway"), Preserve: c.String("preserve"),
		Witnesses: c.String("witnesses"), WitnessUsername: c.String("witness-username"), WitnessPasswordFile: c.String("witness-password-file"),
		StateDir: c.String("state-dir"), RunDir: c.String("run-dir"),
	}
}
