package program

import (
	"context"
	"io"
	"net/netip"
	"os"
	"time"

	"redis-vip/checks/lint"
	"redis-vip/checks/node"
	"redis-vip/cmd/internal/config"
	"redis-vip/hooks/vip"

	"github.com/urfave/cli/v2"
)

func lintCommand() *cli.Command {
	return &cli.Command{
		Name:      "lint",
		Usage:     "find the mistakes in keepalived.conf, redis.conf, sentinel.conf and redis-vip.toml",
		ArgsUsage: "[FILE…]",
		Description: `Looks at this host's files, what they name on its disk, and what runs, and changes
nothing. Run it as root: others may not read redis.conf.

Named files are looked at alone, without what runs; what kind they are is seen from
what they hold.

Each finding is a line FILE:LINE: error|warning: WHAT [RULE], and below it, indented,
why it matters and what to write. An error breaks something, or will when it is
needed. A warning may be meant. Exit 0: no error; 1: errors (with --strict, warnings
too); 2: it could not look.

   redis-vip lint                                  # this host
   redis-vip lint --other redis2-keepalived.conf   # and against the other host's file
   redis-vip lint --offline --root /mnt/image      # a host that does not run
   redis-vip lint ./keepalived.conf                # one file, before you install it`,
		Flags: common(
			&cli.StringFlag{Name: "keepalived", Usage: "read `FILE` instead of " + keepalivedPaths[0]},
			&cli.StringFlag{Name: "redis", Usage: "read `FILE` instead of " + redisPaths[0]},
			&cli.StringFlag{Name: "sentinel", Usage: "read `FILE` instead of " + sentinelPaths[0]},
			&cli.StringFlag{Name: "other", Usage: "compare with keepalived.conf or redis.conf of the other host: `FILE`"},
			&cli.StringFlag{Name: "config-id", Usage: "read the lines for @`NAME`, as keepalived -i does; else the host's name up to the first dot"},
			&cli.StringFlag{Name: "root", Usage: "the host's files are below `DIR`; with --offline"},
			&cli.BoolFlag{Name: "offline", Usage: "ask neither systemd nor any server"},
			&cli.BoolFlag{Name: "strict", Usage: "exit 1 for warnings too"},
			&cli.BoolFlag{Name: "json", Usage: "for programs"},
		),
		Action: func(c *cli.Context) error {
			l := Lint{
				Files: c.Args().Slice(), Keepalived: c.String("keepalived"), Redis: c.String("redis"), Sentinel: c.String("sentinel"),
				Other: c.String("other"), ID: c.String("config-id"), Root: lint.Root(c.String("root")), Overrides: overrides(c),
				Offline: c.Bool("offline") || c.NArg() > 0, Strict: c.Bool("strict"), JSON: c.Bool("json"),
				Out: c.App.Writer, Err: c.App.ErrWriter, Timeout: lintTimeout,
			}
			if l.Root != "" && !l.Offline {
				return usage("--root: what runs here is another host's: add --offline")
			}
			return l.Run(c.Context)
		},
	}
}

// Where the packages have the files: Debian's first, then EL's and Valkey's.
var (
	keepalivedPaths = []string{"/etc/keepalived/keepalived.conf"}
	redisPaths      = []string{"/etc/redis/redis.conf", "/etc/redis.conf", "/etc/valkey/valkey.conf"}
	sentinelPaths   = []string{"/etc/redis/sentinel.conf", "/etc/redis-sentinel.conf", "/etc/valkey/sentinel.conf"}
)

// lintTimeout bounds all that is asked of the running system.
const lintTimeout = 5 * time.Second

// Lint looks for mistakes in a host's files, and in what runs.
type Lint struct {
	Files                       []string // these alone
	Keepalived, Redis, Sentinel string   // empty: the packages' own
	Other                       string
	ID                          string // as keepalived's --config-id
	Root                        lint.Root
	Overrides                   config.Overrides
	Offline, Strict, JSON       bool
	Out, Err                    io.Writer
	Timeout                     time.Duration

	host     lint.Host
	groups   []config.Group
	findings []lint.Finding // of redis-vip.toml's own loader
	notes    []string
	read     int // files
}

// Run prints what it finds. It fails with errFound if that is an error, and with an
// error of usage if it could not look.
func (l *Lint) Run(ctx context.Context) error {
	if err := l.readAll(); err != nil {
		return usageError{err}
	}
	if !l.Offline {
		l.ask(ctx)
	}
	l.host.LookAround(l.Root)
	findings := lint.Sort(append(l.findings, lint.Check(&l.host)...))
	if err := l.print(findings); err != nil {
		return err
	}
	for _, f := range findings {
		if f.Severity == lint.Error || l.Strict {
			return errFound
		}
	}
	return nil
}

// ask looks at what runs.
func (l *Lint) ask(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, l.Timeout)
	defer cancel()
	units, err := lint.AskUnits(ctx)
	if err != nil {
		l.notes = append(l.notes, "not looked at: the units: "+err.Error())
	}
	l.host.Units = units
	var questions []lint.Questions
	for i, g := range l.groups {
		questions = append(questions, l.questions(g, l.host.Groups[i]))
	}
	l.host.Live = lint.Ask(ctx, questions)
	for _, skipped := range l.host.Live.Skipped {
		l.notes = append(l.notes, "not looked at: "+skipped)
	}
}

func (l *Lint) questions(g config.Group, group lint.Group) lint.Questions {
	s := seat{Group: g, self: group.Self}
	q := lint.Questions{
		Group: group, Witnesses: g.Witnesses, Server: s.endpoint,
		Sentinel: func(addr netip.AddrPort) node.Endpoint {
			return node.Endpoint{Addr: addr, Username: g.SentinelUsername, Password: g.SentinelPassword.Reveal(), TLS: g.TLS}
		},
		Witness: func(addr netip.AddrPort) node.Endpoint {
			return node.Endpoint{Addr: addr, Username: g.WitnessUsername, Password: g.WitnessPassword.Reveal(), TLS: g.TLS}
		},
	}
	if g.Username != "" {
		q.Admin = func(addr netip.AddrPort) node.Endpoint {
			e := s.endpoint(addr)
			e.Username, e.Password = "", l.host.DefaultPassword()
			return e
		}
	}
	if os.Geteuid() == 0 {
		q.Probe = func(ctx context.Context, prefix netip.Prefix) (string, error) {
			ctx, cancel := context.WithTimeout(ctx, lintProbe)
			defer cancel()
			holder, found, err := vip.VIP{Prefix: prefix, Interface: g.Interface}.Probe(ctx)
			if err != nil || !found {
				return "", err
			}
			return holder.String(), nil
		}
	}
	return q
}

// lintProbe is how long neighbours are asked for a second holder of a VIP: hosts of one
// network answer within milliseconds.
const lintProbe = 1500 * time.Millisecond
