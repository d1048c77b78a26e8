package program

import (
	"errors"
	"fmt"

	"redis-vip/checks"
	"redis-vip/checks/node"
)

// unsettled says what is not as it is to stay.
func (r report) unsettled(c checks.Council) error {
	switch wrong := r.wrong(); {
	case !r.Verdict.Fit:
		return fmt.Errorf("unfit (%s): %s", r.Verdict.Reason, r.Because)
	case r.Verdict.Drift:
		return fmt.Errorf("this node is a %s, and should be a %s", r.role(), r.Verdict.Goal)
	case wrong != "":
		return errors.New(wrong)
	case r.Sentinels != nil:
		return c.Unsettled()
	default:
		return r.Facts.Unsettled()
	}
}

// wrong is what is not as the Sentinels say; empty if all is.
func (r report) wrong() string {
	here := r.Facts.VIP == checks.Here
	switch c := r.Sentinels; {
	case c == nil:
	case len(r.VIPs) > 0 && (c.Course == checks.Serve && !here || c.Course == checks.Yield && here):
		return "The VIP is not where the Sentinels say"
	case len(r.VIPs) == 0 && c.Course == checks.Yield && r.Facts.Role == node.Master:
		return "Redis here is a master, and the Sentinels name another"
	case c.Course == checks.Mend:
		return "Redis here should be the master"
	}
	return ""
}

// todo is what a person has to do, the most urgent first.
func (r report) todo() (list []string) {
	wrong := r.wrong()
	if r.Remedy != "" && (wrong == "" || r.Verdict.Reason != checks.NotElected) { // which would be the same, in general words
		list = append(list, r.Remedy)
	}
	if wrong != "" {
		list = append(list, wrong+": redis-vip reconcile "+r.Group+". Does redis-vip-reconcile.timer run?")
	}
	if r.Sentinels != nil {
		for _, s := range r.Sentinels.Astray {
			list = append(list, fmt.Sprintf("The Sentinel at %s does not learn by itself who the master is; after a failover it does: redis-vip switchover %s.", s, r.Group))
		}
	}
	if r.Verdict.Fit {
		for _, peer := range r.Facts.Peers {
			if !peer.Class.Answers() {
				list = append(list, fmt.Sprintf("Bring %s back: it %s.", peer.Addr, peer.Class.Sentence()))
			}
		}
	}
	if r.Maintenance {
		list = append(list, "When the work is done: redis-vip maintenance off.")
	}
	if r.Waiting > 0 {
		list = append(list, "Look at what was preserved: redis-vip preserved list.")
	}
	return list
}
