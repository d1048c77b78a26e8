package main

import (
	"context"
	"slices"

	"redis-vip/examples/lab/site"
)

// act is one example as a person sees it: a picture, and then something goes wrong.
type act struct {
	name  string // of the example's folder
	short string // what it was called before there were so many; may be empty
	title string
	intro string
	build func(context.Context, site.Options) (*site.Site, error)
	play  func(demo, context.Context, *site.Site) error
}

// acts are the examples that have hosts of their own. The tutorial has none.
var acts = []act{
	{
		"active-standby", "pair", "Two hosts, keepalived",
		`
        client ──────────┬──────────────────┬───
                         │                  │
            VIP 192.168.0.4 ─ moves ─▶      │
                    ┌────┴─────┐       ┌────┴─────┐
                    │  redis1  │       │  redis2  │
                    │  master  │──────▶│ replica  │
                    └──────────┘       └──────────┘
  keepalived runs redis-check on both, and keeps the VIP, the address that clients
  use, on one of them. Where it goes, notify-master makes Redis the master.`,
		site.Pair, demo.killRedis,
	},
	{
		"fast-failover", "", "Two hosts, keepalived, and less than a second",
		`
        client ──────────┬───────────────────┬───
                         │                   │
            VIP 192.168.0.4 ─ moves ─▶       │
                    ┌────┴─────┐ advert ┌────┴─────┐
                    │  redis1  │ 0.2 s  │  redis2  │
                    │  master  │───────▶│ replica  │
                    └──────────┘        └──────────┘
  systemd tells keepalived that Redis has ended, and keepalived gives the VIP up at once.
  A host that is gone is missed after three adverts.`,
		site.Fast, demo.loseQuickly,
	},
	{
		"active-standby-witness", "", "Two hosts, keepalived, and a third vote",
		`
                        ┌───────────────┐
                        │    witness    │
                        └───▲───────▲───┘
             renews a lease │       │ looks, in doubt
                    ┌───────┴──┐ ┌──┴───────┐
                    │  redis1  │ │  redis2  │
                    │  master  │▶│ replica  │
                    └──────────┘ └──────────┘
            VIP 192.168.0.4 ─ moves ─▶
  A node takes writes only with two votes of three. So a cut cable between the two
  makes no second master.`,
		site.Witnessed, demo.cutCable,
	},
	{
		"sentinel-vip", "trio", "Three hosts, Redis Sentinel",
		`
        client ────┬───────────────┬───────────────┬───
                   │               │               │
      VIP 192.168.0.4 ─ moves ─▶   │               │
              ┌────┴─────┐    ┌────┴─────┐    ┌────┴─────┐
              │  redis1  │    │  redis2  │    │  redis3  │
              │  master  │───▶│ replica  │    │ replica  │
              │ Sentinel │    │ Sentinel │    │ Sentinel │
              └──────────┘    └──────────┘    └──────────┘
  The Sentinels agree on which Redis is the master. Then each runs sentinel-reconfig,
  which takes the VIP to that host, and away from all others.`,
		site.Trio, demo.killRedis,
	},
	{
		"haproxy-sentinel", "", "Two HAProxies under keepalived, three hosts under Sentinel",
		`
                   client
                      │
         VIP 192.168.0.4 ─ moves ─▶
               ┌──────┴───┐   ┌──────────┐
               │ haproxy1 │   │ haproxy2 │
               └──────┬───┘   └─────┬────┘
             ┌────────┴──────┬──────┴────────┐
        ┌────┴─────┐    ┌────┴─────┐    ┌────┴─────┐
        │  redis1  │    │  redis2  │    │  redis3  │
        │  master  │───▶│ replica  │    │ replica  │
        │ Sentinel │    │ Sentinel │    │ Sentinel │
        └──────────┘    └──────────┘    └──────────┘
  HAProxy runs redis-check for each Redis. One is up if it says that it is the master,
  and if a majority of the Sentinels says so too. On the hosts of Redis, reconcile sees
  to it that what one of them takes and the master lacks is saved.`,
		func(ctx context.Context, o site.Options) (*site.Site, error) {
			o.Timer = true
			return site.Proxied(ctx, o)
		}, demo.deposeThenKill,
	},
	{
		"migration", "", "From an old master to a new pair",
		`
       client ──────┬────────────────┬────────────────┬───
                    │                │                │
       VIP 192.168.0.4 ─ moves ─▶    │                │
               ┌────┴─────┐     ┌────┴─────┐     ┌────┴─────┐
               │   old    │     │  redis1  │     │  redis2  │
               │  master  │────▶│ replica  │────▶│ replica  │
               └──────────┘     └──────────┘     └──────────┘
  The new hosts copy the data in a chain. Then the VIP goes to the first of them, whose
  notify-master has the old one's writers wait for the last write to arrive.`,
		site.Migrating, demo.migrate,
	},
}

// find is the act of a name, long or short.
func find(name string) (act, bool) {
	at := slices.IndexFunc(acts, func(a act) bool { return name != "" && (a.name == name || a.short == name) })
	if at < 0 {
		return act{}, false
	}
	return acts[at], true
}
