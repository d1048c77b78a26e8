// Package journal is where the programs log: the systemd journal, or syslog,
// or standard error; on a terminal always standard error as well, for the
// person who started the program.
//
// keepalived and Sentinel throw standard error away, and the program that logs
// may be in the middle of a failover. So nothing is opened before the first
// event, no destination is waited for longer than a moment, one that fails is
// not tried again by this process, and no failure to log is ever an error.
package journal
