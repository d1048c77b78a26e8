package checks

import "fmt"

// Reason names why a verdict is what it is. Every verdict has one.
type Reason uint8

// The reasons, in the order in which the rules that give them are asked.
const (
	Undecided Reason = iota

	// The server cannot serve.
	Unreachable
	NotRedis
	Loading

	// It lives, and failing the check would only take the VIP off every node.
	Busy
	Misconfigured
	NoRights
	Untrusted
	Full

	// It is not what --expect asks for.
	NotMaster
	NotReplica
	NotElected
	Uncounted

	// It would cost data, or make two masters, if it had the VIP.
	Syncing
	NeverSynced
	Stranger
	Preserving
	Returning
	Stale
	LinkLost
	Outranked
	Waiting
	Isolated
	Contested
	Outvoted
	Leased
	Rogue
	NotPromoted

	// It may have the VIP.
	Alone
	Candidate
	InSync
	Serving
)

// reasons says of each reason its name, whether the node is fit to hold the VIP,
// whether an operator has to be told loudly although it is fit, and one sentence
// for a person.
var reasons = [...]struct {
	name     string
	fit      bool
	loud     bool
	sentence string
}{
	Undecided:     {"undecided", false, true, "No rule had an answer: this is a defect of redis-vip."},
	Unreachable:   {"unreachable", false, false, "Redis does not answer."},
	NotRedis:      {"not_redis", false, false, "Something answers on Redis's port, but it is not Redis."},
	Loading:       {"loading", false, false, "Redis is still loading its data set."},
	Busy:          {"busy", true, true, "Redis is busy with a script: alive, and nothing a failover would mend."},
	Misconfigured: {"misconf", true, true, "Redis answers but refuses something: look at its disk and its settings."},
	NoRights:      {"no_rights", true, true, "Redis refuses us: the password, ACL user or protected mode is the same mistake on every host, so the VIP stays."},
	Untrusted:     {"untrusted", true, true, "Redis answers, but the TLS handshake fails: look at the certificates and their dates."},
	Full:          {"maxclients", true, true, "Redis has no connection left: it lives, but new clients are turned away."},
	NotMaster:     {"not_master", false, false, "A master is expected and this is none."},
	NotReplica:    {"not_replica", false, false, "A replica is expected and this is none."},
	NotElected:    {"not_elected", false, false, "This node is a master, and no majority of the Sentinels says so."},
	Uncounted:     {"uncounted", true, true, "This node is a master; the Sentinels refuse to say whom they name: look at their password, the ACL user, and the name of the group."},
	Syncing:       {"syncing", false, false, "This replica is receiving a full copy and has no complete data."},
	NeverSynced:   {"never_synced", false, false, "This replica has never had its master's data, and the master lives."},
	Stranger:      {"stranger", false, false, "This replica follows a server that is no node of this group: its data is that server's."},
	Preserving:    {"preserving", false, false, "This node is a master only to hand out what is being saved before it follows."},
	Returning:     {"returning", false, false, "This node has restarted, and another one is the master: it must follow first."},
	Stale:         {"stale", false, false, "This replica had missed writes of a master that was alive a moment ago."},
	LinkLost:      {"link_down", false, false, "This replica does not hear its master, and the master lives."},
	Outranked:     {"outranked", false, false, "Another node is alive and has newer data."},
	Waiting:       {"waiting", false, false, "This node has restarted and waits for the other one, which may have newer data."},
	Isolated:      {"isolated", false, false, "This node reaches neither the other one nor the gateway, or the witness: it is cut off."},
	Contested:     {"contested", false, false, "Another node announces the VIP, and cannot be reached from here."},
	Outvoted:      {"outvoted", false, false, "This node is a master without a second vote: it has neither the lease nor the other node's word."},
	Leased:        {"leased", false, false, "Another node lives and renews its lease; only this one does not hear it."},
	Rogue:         {"rogue_master", false, false, "This node is a master, and so is another one that ranks above it."},
	NotPromoted:   {"not_promoted", false, false, "The VIP is here, and Redis has not become the master."},
	Alone:         {"alone", true, false, "This node has restarted, and nobody with newer data is to be waited for."},
	Candidate:     {"candidate", true, false, "This replica has lost its master, and has all it could have: it may take over."},
	InSync:        {"in_sync", true, false, "This replica follows its master."},
	Serving:       {"master", true, false, "This node is a master."},
}

// String is the reason's name: short, stable, made for logs and metrics.
func (r Reason) String() string { return reasons[r].name }

// Sentence says the reason to a person.
func (r Reason) Sentence() string { return reasons[r].sentence }

// Fit says whether a node with this reason may hold the VIP.
func (r Reason) Fit() bool { return reasons[r].fit }

// Loud says whether an operator must be told although the node is fit.
func (r Reason) Loud() bool { return reasons[r].loud }

// MayPromote says whether a replica with this reason may become the master.
func (r Reason) MayPromote() bool { return r.Fit() || r == NotPromoted }

// MarshalText gives the reason's name.
func (r Reason) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads a reason's name.
func (r *Reason) UnmarshalText(text []byte) error {
	for i := range reasons {
		if reasons[i].name == string(text) {
			*r = Reason(i)
			return nil
		}
	}
	return fmt.Errorf("%q is not a reason", text)
}
