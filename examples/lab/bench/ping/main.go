// Command ping is the least that asks a Redis in Go: connect, PING, read.
package main

import (
	"bytes"
	"net"
	"os"
	"time"
)

func main() {
	conn, err := net.DialTimeout("tcp", "127.0.0.1:6379", time.Second)
	if err != nil {
		os.Exit(1)
	}
	conn.SetDeadline(time.Now().Add(time.Second))
	reply := make([]byte, 64)
	conn.Write([]byte("PING\r\n"))
	n, _ := conn.Read(reply)
	if !bytes.HasPrefix(reply[:n], []byte("+PONG")) {
		os.Exit(1)
	}
}
