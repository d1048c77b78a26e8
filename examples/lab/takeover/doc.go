// Package takeover measures how long writes pause when the pair of examples/fast-failover
// fails over, and where the time goes: until keepalived knows, until the VIP is on the
// other host, until Redis there is a master, and until a client has found it.
package takeover
