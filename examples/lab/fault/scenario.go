// Package fault makes the faults that a pair under keepalived, and three hosts under
// Sentinel, have to live through, one by one by name, on real daemons and under load. It
// measures what each costs, and says whether that is what we promise.
package fault

import (
	"context"
	"slices"
	"strings"
)

// Scenario is one fault.
type Scenario struct {
	Name     string
	Title    string // what happens, in a few words
	Setup    Setup
	Make     func(context.Context, *Stage) error // the fault, and its end
	Promises []Promise                           // of our programs
}

// Setup is what a scenario changes in examples/active-standby.
type Setup struct {
	Redis   string // lines for redis.conf
	Group   string // lines for the group in redis-vip.toml
	Gateway bool   // a gateway is there, and redis-vip.toml names it
	Trio    bool   // examples/sentinel-vip instead: three hosts under Sentinel
	Witness bool   // examples/active-standby-witness instead: a third host holds a lease
	Fresh   bool   // nobody makes the first of three hosts the master before Sentinel does
	Load    bool   // pipelined writes beside the usual ones

	// Stubborn is a second client, which goes on talking to the host that was the
	// active one, whatever other hosts announce, until the fault is over. It is for
	// the cuts in which two hosts have the VIP: there, who talks to whom is chance.
	Stubborn bool
}

// All are the scenarios, in the order in which a person would go through them.
func All() []Scenario {
	return slices.Concat(
		starts(), redisFaults(), keepalivedFaults(), networkFaults(), powerFaults(), witnessFaults(),
		roleFaults(), syncFaults(), diskFaults(), sentinelFaults(),
	)
}

// Find returns the scenarios of a name: the one that has it, or all whose name
// goes on from it, as redis-killed-back-1s-aof does from redis-killed-back.
// "all" is the name of all.
func Find(name string) (found []Scenario) {
	for _, s := range All() {
		switch {
		case s.Name == name:
			return []Scenario{s}
		case name == "all", strings.HasPrefix(s.Name, name+"-"):
			found = append(found, s)
		}
	}
	return found
}
