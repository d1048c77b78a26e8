// Package config reads what the operator wrote: one TOML file, the same on
// every host, overridden by flags and environment variables.
//
//	[group.mymaster]                 # the name Sentinel uses
//	vips  = ["192.168.0.4/24"]
//	nodes = ["192.168.0.1:6379", "192.168.0.2:6379"]
//
// Everything is checked before anything is used, and every mistake is reported
// like a compiler does: file, line, column, what is wrong, what to do
// ([Error]). A file that others could have written is a mistake too.
//
// A mistake in the common file breaks every host in the same second, so the
// programs that keep a service alive ask for the last good copy
// ([Options.Fallback]); it then serves, and a warning says so. The programs
// that add or remove addresses never do: only root's file tells them what is
// theirs to touch.
package config
