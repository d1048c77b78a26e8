package checks_test

import (
	"errors"
	"net/netip"
	"syscall"
	"testing"

	"redis-vip/checks"
	"redis-vip/checks/node"
)

// refusal is what a server answers that wants a password.
type refusal string

func (r refusal) Error() string { return string(r) }
func (refusal) RedisError()     {}

func TestElect(t *testing.T) {
	me, other := netip.MustParseAddrPort("192.168.0.1:6379"), netip.MustParseAddrPort("192.168.0.10:6379")
	says := func(master netip.AddrPort) checks.Answer { return checks.Answer{Master: master} }
	fails := func(err error) checks.Answer { return checks.Answer{Err: err} }
	dead, noauth := fails(syscall.ECONNREFUSED), fails(refusal("NOAUTH Authentication required."))
	silent, stranger := fails(errors.New("was not waited for")), fails(checks.ErrUnknownMaster)

	for name, test := range map[string]struct {
		answers []checks.Answer
		want    checks.Election
		named   netip.AddrPort
	}{
		"all name me":                     {[]checks.Answer{says(me), says(me), says(me)}, checks.Elected, me},
		"two do, and one is dead":         {[]checks.Answer{says(me), dead, says(me)}, checks.Elected, me},
		"two do, and one is behind":       {[]checks.Answer{says(me), says(other), says(me)}, checks.Elected, me},
		"two name another":                {[]checks.Answer{says(me), says(other), says(other)}, checks.Passed, other},
		"one does, and two are dead":      {[]checks.Answer{says(me), dead, dead}, checks.Passed, netip.AddrPort{}},
		"one does, and two are silent":    {[]checks.Answer{says(me), silent, silent}, checks.Passed, netip.AddrPort{}},
		"all are dead":                    {[]checks.Answer{dead, dead, dead}, checks.Passed, netip.AddrPort{}},
		"half of four":                    {[]checks.Answer{says(me), says(me), dead, dead}, checks.Passed, netip.AddrPort{}},
		"there are none":                  {nil, checks.Passed, netip.AddrPort{}},
		"a wrong password":                {[]checks.Answer{noauth, noauth, noauth}, checks.Untold, netip.AddrPort{}},
		"a wrong name of the group":       {[]checks.Answer{stranger, stranger, stranger}, checks.Untold, netip.AddrPort{}},
		"a wrong password on one of them": {[]checks.Answer{noauth, says(me), says(me)}, checks.Elected, me},
		"one refuses, and two are dead":   {[]checks.Answer{noauth, dead, dead}, checks.Passed, netip.AddrPort{}},
	} {
		t.Run(name, func(t *testing.T) {
			got, named := checks.Elect(me, test.answers)
			if got != test.want || named != test.named {
				t.Errorf("%v, they name %v; want %v, %v", got, named, test.want, test.named)
			}
		})
	}
}

// What the Sentinels say makes no master of a replica, nor of one that is dead.
func TestElectionIsNotEnough(t *testing.T) {
	for name, test := range map[string]struct {
		self     node.Facts
		election checks.Election
		want     checks.Reason
	}{
		"a master that they name":          {node.Facts{Class: node.Alive, Role: node.Master}, checks.Elected, checks.Serving},
		"a master that cannot save":        {node.Facts{Class: node.Misconf, Role: node.Master}, checks.Elected, checks.Serving},
		"a master that they do not name":   {node.Facts{Class: node.Alive, Role: node.Master}, checks.Passed, checks.NotElected},
		"a master, and they will not say":  {node.Facts{Class: node.Alive, Role: node.Master}, checks.Untold, checks.Uncounted},
		"a master, and they are not asked": {node.Facts{Class: node.Alive, Role: node.Master}, checks.NoElection, checks.Serving},
		"a replica that they name":         {node.Facts{Class: node.Alive, Role: node.Replica}, checks.Elected, checks.NotMaster},
		"a dead one that they name":        {node.Facts{Class: node.Timeout}, checks.Elected, checks.Unreachable},
		"one that loads":                   {node.Facts{Class: node.Loading, Role: node.Master}, checks.Elected, checks.Loading},
	} {
		t.Run(name, func(t *testing.T) {
			facts := checks.Facts{Node: checks.Node{Facts: test.self}, Election: test.election}
			if v := checks.Judge(facts, checks.Policy{Expect: checks.ExpectMaster}); v.Reason != test.want {
				t.Errorf("%v, want %v", v.Reason, test.want)
			}
			if test.election != checks.NoElection && !facts.Conclusive() {
				t.Error("the Sentinels have been asked, and other nodes would be, too")
			}
		})
	}
}
