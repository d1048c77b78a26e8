// Package booted has hosts that boot: Debian 12 with systemd as its first
// process, and the distribution's own units of Redis, Sentinel and keepalived.
//
// The hosts of package netlab run daemons as units would run them. These run
// the units: sandboxes, sockets, timers, what a boot starts and in which order.
// A booted host is a systemd-nspawn container inside a host of netlab, in its
// network, so cables, captures, addresses and the journal are the same. Its
// root is a copy-on-write view of one that is built once; see Root. Nothing on
// the machine is changed but that cache, and when the lab's process ends, even
// by SIGKILL, the kernel takes everything else away (empty control groups go
// when the next lab starts).
package booted
