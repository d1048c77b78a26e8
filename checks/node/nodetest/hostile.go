package nodetest

import (
	"context"
	"io"
	"net"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"redis-vip/checks/node"
)

// What a hostile server may cost whoever asks it.
const (
	hostileTime   = 300 * time.Millisecond // that the context allows
	hostileSlack  = 700 * time.Millisecond // more: two cores, and a sender that never rests
	hostileMemory = 64 << 20               // bytes
)

// hostilities are what no Redis sends.
var hostilities = map[string]func(net.Conn){
	"a value of 2 GB":             says("$2147483647\r\nx"),
	"a value of 8 EB":             says("$9223372036854775807\r\nx"),
	"a value of 8 EB less 1":      says("$9223372036854775806\r\nx"),
	"a negative value":            says("$-9223372036854775808\r\nx"),
	"an array of 2 G":             says("*2147483647\r\n"),
	"an array of 8 E":             says("*9223372036854775807\r\n"),
	"arrays of 2 G in arrays":     says(strings.Repeat("*2147483647\r\n", 64)),
	"arrays of 60000 in arrays":   says(strings.Repeat("*60000\r\n", 64)),
	"arrays in arrays for ever":   forever("", "*1\r\n"),
	"arrays in arrays by the two": forever("", "*2\r\n:1\r\n"),
	"an array for ever":           forever("*60000\r\n", "$-1\r\n"),
	"arrays for ever":             forever("*60000\r\n", "*0\r\n"),
	"a map of 2 G":                says("%2147483647\r\n"),
	"attributes for ever":         forever("", "|0\r\n"),
	"attributes of 2 G":           forever("|2147483647\r\n", "+a\r\n"),
	"pushes for ever":             forever("", ">2\r\n+a\r\n+b\r\n"),
	"an error of 2 GB":            says("!2147483647\r\nx"),
	"a line without end":          forever("+", strings.Repeat("x", 4096)),
	"an error without end":        forever("-ERR ", strings.Repeat("x", 4096)),
	"a long error":                says("-ERR " + strings.Repeat("x", 1<<20) + "\r\n"),
	"a number without end":        forever(":", "1"),
	"a length without end":        forever("$", "1"),
	"statuses for ever":           forever("", "+PONG\r\n"),
	"empty lines for ever":        forever("", "\r\n"),
	"an INFO without end":         forever("+PONG\r\n$2147483647\r\nrole:master\r\n", "slave0:ip=10.0.0.1,port=1,state=online\r\n"),
	"an INFO of replicas":         says("+PONG\r\n" + bulk("role:master\r\n"+strings.Repeat("slave0:\r\n", 400_000))),
	"INFOs of replicas for ever":  forever("+PONG\r\n", bulk("role:master\r\n"+strings.Repeat("slave0:\r\n", 100_000))),
	"an INFO of one long line":    says("+PONG\r\n" + bulk("run_id:"+strings.Repeat("x", 3<<20)+"\r\nrole:master\r\n")),
	"an INFO of many databases":   says("+PONG\r\n" + bulk("role:master\r\n"+strings.Repeat("db0:keys=9223372036854775807\r\n", 100_000))),
	"garbage for ever":            forever("", "garbage \x00\x1b[2J\xff\n"),
	"zeros for ever":              forever("", strings.Repeat("\x00", 4096)),
	"a slow line":                 slowly("+PONG PONG PONG PONG PONG PONG"),
	"a slow INFO":                 slowly("+PONG\r\n$100\r\nrole:master\r\nrun_id:1\r\n"),
	"nothing":                     func(conn net.Conn) { io.Copy(io.Discard, conn) },
	"an end":                      func(net.Conn) {},
}

func bulk(text string) string { return "$" + strconv.Itoa(len(text)) + "\r\n" + text + "\r\n" }

// says answers once, and then hears out the other side.
func says(text string) func(net.Conn) {
	return func(conn net.Conn) {
		io.WriteString(conn, text)
		io.Copy(io.Discard, conn)
	}
}

// forever says head, and then text until the other side has had enough.
func forever(head, text string) func(net.Conn) {
	text = strings.Repeat(text, max(1, (64<<10)/len(text)))
	return func(conn net.Conn) {
		_, err := io.WriteString(conn, head)
		for err == nil {
			_, err = io.WriteString(conn, text)
		}
	}
}

// slowly says one byte at a time.
func slowly(text string) func(net.Conn) {
	return func(conn net.Conn) {
		for _, c := range []byte(text) {
			time.Sleep(20 * time.Millisecond) // what is tested is a server that takes its time
			if _, err := conn.Write([]byte{c}); err != nil {
				return
			}
		}
		io.Copy(io.Discard, conn)
	}
}

// Hostile has ask talk to servers that send what no Redis does, and fails the test
// where that takes longer than the context allows, or more than 64 MB of memory.
func Hostile(t *testing.T, ask func(*testing.T, context.Context, node.Endpoint)) {
	t.Helper()
	HostileAfter(t, func(string) (string, bool) { return "", false }, ask)
}

// HostileAfter is Hostile with servers that are honest at first: to a question that
// begins like this one, honest is the reply, and whether the server stays so.
func HostileAfter(t *testing.T, honest func(question string) (reply string, stay bool), ask func(*testing.T, context.Context, node.Endpoint)) {
	t.Helper()
	for name, serve := range hostilities {
		t.Run(name, func(t *testing.T) {
			e := node.Endpoint{Addr: Fake(t, func(conn net.Conn) {
				question := make([]byte, 4096)
				for {
					n, err := conn.Read(question)
					if err != nil {
						return
					}
					reply, stay := honest(string(question[:n]))
					io.WriteString(conn, reply)
					if !stay {
						serve(conn)
						return
					}
				}
			})}
			Bounded(t, func(ctx context.Context) { ask(t, ctx, e) })
		})
	}
}

// Bounded fails the test where ask takes longer than its context allows, or more than
// 64 MB of memory from the system.
func Bounded(t *testing.T, ask func(context.Context)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), hostileTime)
	defer cancel()
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	start := time.Now()
	ask(ctx)
	took := time.Since(start)
	runtime.ReadMemStats(&after)
	if took > hostileTime+hostileSlack {
		t.Errorf("took %v of %v", took, hostileTime)
	}
	if grown := int64(after.Sys) - int64(before.Sys); grown > hostileMemory {
		t.Errorf("took %d MB from the system", grown>>20)
	}
	t.Logf("%v, %d kB allocated, %d kB from the system", took.Round(time.Millisecond), (after.TotalAlloc-before.TotalAlloc)>>10, (int64(after.Sys)-int64(before.Sys))>>10)
}
