package checks

// remedies say what a person should do about a reason. None: nothing.
var remedies = [len(reasons)]string{
	Undecided:     "Report it, with what redis-vip explain --json shows.",
	Unreachable:   "Start Redis, or find out why it hangs: systemctl status redis-server, and its log.",
	NotRedis:      "Find out who listens there (ss -ltnp), or correct nodes in redis-vip.toml.",
	Loading:       "Wait: it becomes fit by itself; redis-cli info persistence shows how far it is.",
	Busy:          "Wait, or end the script: redis-cli script kill, which Redis refuses once the script has written.",
	Misconfigured: "Make room on Redis's disk, or mend what redis-cli info persistence shows as failed.",
	NoRights:      "Let username and password_file in redis-vip.toml agree with Redis's users, or turn protected mode off.",
	Untrusted:     "Renew the certificate, or correct [group.NAME.tls] in redis-vip.toml.",
	Full:          "Find out who holds the connections (redis-cli client list), or raise maxclients.",
	NotMaster:     "Nothing, where another node is the master: --expect asks for one here.",
	NotReplica:    "Nothing, where this node is to be the master: --expect asks for a replica here.",
	NotElected:    "Nothing, where the Sentinels name another node: this one follows it within seconds; else see redis-cli -p 26379 sentinel masters.",
	Uncounted:     "Let sentinel_username, sentinel_password_file and the name of the group agree with the Sentinels.",
	Syncing:       "Wait until the copy is complete; where it begins again and again, Redis's log says why.",
	NeverSynced:   "Find out why it cannot copy: masterauth, masteruser and the network to the master; Redis's log says it.",
	Stranger:      "Find out who made it follow that server; then, on this node: redis-vip notify-backup.",
	Preserving:    "Wait: it ends by itself; journalctl -t notify-backup shows how far it is.",
	Returning:     "Wait: it follows the master within seconds; if not, on this node: redis-vip notify-backup.",
	Stale:         "Bring the old master back, or wait for boot_wait: then this node is fit.",
	LinkLost:      "Find out why it does not hear its master: masterauth, masteruser and the network; Redis's log says it.",
	Outranked:     "Let the other node take over; if it cannot, stop its Redis, and this one serves after boot_wait.",
	Waiting:       "Bring the other node up, or wait for boot_wait. At once, with the VIP here: redis-vip notify-master --force.",
	Isolated:      "Mend this host's network; the other node may be serving.",
	Contested:     "Mend the network between the hosts: VRRP gets through in one direction only.",
	Outvoted:      "Bring the witness or the other node back: until then writers have to wait.",
	Leased:        "Mend the network between the hosts; the other node serves meanwhile.",
	Rogue:         "Let it follow the other one, which redis-check --heal does: redis-vip notify-backup. What only it has is preserved.",
	NotPromoted:   "Read why the hook failed (redis-vip history), mend that, and on this node: redis-vip notify-master.",
	Alone:         "Bring the other node back: nothing stands by.",
	Candidate:     "Find out why the master is gone; nothing has to be done on this node.",
}

// driftRemedy is for a role that is not what the VIP asks for, by that.
var driftRemedy = [...]string{
	BeMaster:  "A hook was missed, and redis-check --heal starts it. By hand, on this node: redis-vip notify-master.",
	BeReplica: "A hook was missed, and redis-check --heal starts it. By hand, on this node: redis-vip notify-backup.",
}

// Remedy says in one sentence what a person should do about the reason. It is empty
// where there is nothing to do.
func (r Reason) Remedy() string { return remedies[r] }

// Remedy says in one sentence what a person should do about the verdict. It is empty
// where there is nothing to do.
func (v Verdict) Remedy() string {
	if v.Drift && v.Fit && v.Goal != NoGoal {
		return driftRemedy[v.Goal]
	}
	return v.Reason.Remedy()
}
