package main

import "golang.org/x/sys/unix"

// netAdmin is what a drop-in gives Sentinel's unit, so that its script may move
// addresses.
var netAdmin = []uintptr{unix.CAP_NET_ADMIN, unix.CAP_NET_RAW}
