package program_test

import (
	"io"
	"net"
)

// answering says reply to whoever connects, and listens on.
func answering(reply string) func(net.Conn) {
	return func(conn net.Conn) {
		io.WriteString(conn, reply)
		io.Copy(io.Discard, conn)
	}
}
