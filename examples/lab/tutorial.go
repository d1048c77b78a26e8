package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"

	"redis-vip/examples/lab/client"
	"redis-vip/examples/lab/ledger"
	"redis-vip/examples/lab/netlab"
	"redis-vip/examples/lab/site"
)

// tutorial is the first lesson: servers on this machine's own loopback, started by the
// user who runs it. What is typed in it stands in the example's README.
type tutorial struct {
	demo
	dir      string // a copy of the example's files, and the working directory
	servers  []*exec.Cmd
	timeline *timeline
}

func tutorialCommand() *cli.Command {
	return &cli.Command{
		Name: "one-host-tutorial", Category: "EXAMPLES", Usage: "A first lesson: two Redis, three Sentinels, one host; without root",
		Flags: []cli.Flag{programsFlag, &cli.StringFlag{Name: "examples", Usage: "the `FOLDER` of the examples (default: that of the source tree)"}},
		Action: func(c *cli.Context) error {
			programs, err := programsFolder(c)
			if err != nil {
				return err
			}
			examples := c.String("examples")
			if examples == "" {
				root, err := site.ModuleRoot()
				if err != nil {
					return err
				}
				examples = filepath.Join(root, "examples")
			}
			t := tutorial{demo: demo{Programs: programs, Out: os.Stdout}}
			return t.Run(c.Context, filepath.Join(examples, "one-host-tutorial"))
		},
	}
}

// The servers of the lesson.
const (
	oldMaster, newMaster = "127.0.0.1:7001", "127.0.0.1:7002"
	asleep               = 6 * time.Second
)

var lessonSentinels = []string{"127.0.0.1:5001", "127.0.0.1:5002", "127.0.0.1:5003"}

// Run gives the lesson, with a copy of the example's files.
func (t tutorial) Run(ctx context.Context, example string) (err error) {
	ctx, cancel := context.WithTimeout(ctx, ready+patience)
	defer cancel()
	if t.dir, err = os.MkdirTemp("", "one-host-tutorial-*"); err != nil {
		return err
	}
	defer func() {
		for _, s := range t.servers {
			s.Process.Kill()
			s.Wait()
		}
		err = errors.Join(err, os.RemoveAll(t.dir))
	}()
	if err := os.CopyFS(t.dir, os.DirFS(example)); err != nil {
		return err
	}
	t.timeline = &timeline{stop: func() {}}
	t.say("\n━━━ One host, a hung master %s", strings.Repeat("━", 45))
	t.say(`
      redis 7001 ───▶ redis 7002        sentinel 5001, 5002, 5003
        master         replica            ask both, and each other

  All of it on the loopback of this machine, as the user that you are; in the end it is
  gone. A client asks the Sentinels where the master is, and writes there.
`)
	if err := t.start(ctx); err != nil {
		return err
	}
	book := ledger.Open(ledger.Config{Dial: dialMaster})
	defer book.Stop()
	if err := book.WaitAcknowledged(ctx, writesTo); err != nil {
		return err
	}
	if err := t.command(ctx, "redis-vip explain --node "+oldMaster+" --expect master"); err != nil {
		return err
	}
	if err := t.hang(ctx, book); err != nil {
		return err
	}
	if err := t.wake(ctx); err != nil {
		return err
	}
	book.Stop()
	server := client.New(newMaster, direct, time.Second, 0)
	defer server.Close()
	lost, err := book.Missing(ctx, server)
	if err != nil {
		return err
	}
	report := book.Report()
	t.say("\n  outage %.2f s · acknowledged writes %d · of them lost %d", report.Outage.Duration().Seconds(), report.Acknowledged, len(lost))
	return nil
}

// start starts the servers, and waits until all know each other.
func (t *tutorial) start(ctx context.Context) error {
	for _, address := range append([]string{oldMaster, newMaster}, lessonSentinels...) {
		if conn, err := direct(ctx, "tcp", address); err == nil {
			conn.Close()
			return fmt.Errorf("something listens on %s already: the lesson needs that port", address)
		}
	}
	for port, conf := range map[string]string{
		"7001": "redis.conf", "7002": "redis.conf",
		"5001": "sentinel.conf", "5002": "sentinel.conf", "5003": "sentinel.conf",
	} {
		content, err := os.ReadFile(filepath.Join(t.dir, conf))
		if err == nil {
			err = os.MkdirAll(filepath.Join(t.dir, "run", port), 0o755)
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(t.dir, "run", port+".conf"), content, 0o644)
		}
		if err != nil {
			return err
		}
	}
	for _, line := range []string{
		"redis-server run/7001.conf --port 7001 --dir run/7001",
		"redis-server run/7002.conf --port 7002 --dir run/7002 --replicaof 127.0.0.1 7001",
		"redis-sentinel run/5001.conf --port 5001",
		"redis-sentinel run/5002.conf --port 5002",
		"redis-sentinel run/5003.conf --port 5003",
	} {
		if err := t.serve(line); err != nil {
			return fmt.Errorf("%s: %w (run bin/lab install, if it is missing)", line, err)
		}
	}
	return netlab.Until(ctx, func(ctx context.Context) error {
		for _, address := range lessonSentinels {
			if err := acquainted(ctx, address); err != nil {
				return err
			}
		}
		return nil
	})
}

// serve starts a server. Its log goes into the timeline.
func (t *tutorial) serve(line string) error {
	words := strings.Fields(line)
	server := exec.Command(words[0], words[1:]...)
	server.Dir = t.dir
	server.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true} // a Ctrl-C is for the lesson
	log, err := server.StdoutPipe()
	if err != nil {
		return err
	}
	if err := server.Start(); err != nil {
		return err
	}
	t.timeline.add(event{time.Now(), "you", line + " &"})
	t.servers = append(t.servers, server)
	port := words[slices.Index(words, "--port")+1]
	go func() {
		for lines := bufio.NewScanner(log); lines.Scan(); {
			if text := plain(netlab.Entry{Identifier: words[0], Message: lines.Text()}); text != "" {
				t.timeline.add(event{time.Now(), port, text})
			}
		}
	}()
	return nil
}

// acquainted is nil if a Sentinel knows the replica and the two others.
func acquainted(ctx context.Context, address string) error {
	sentinel := client.New(address, direct, time.Second, 0)
	defer sentinel.Close()
	state, err := sentinel.Do(ctx, "SENTINEL", "MASTER", "mymaster").StringSlice()
	if err != nil {
		return err
	}
	for i := 0; i+1 < len(state); i += 2 {
		if want := map[string]string{"num-slaves": "1", "num-other-sentinels": "2"}[state[i]]; want != "" && state[i+1] != want {
			return fmt.Errorf("%s has %s %s, not %s", address, state[i], state[i+1], want)
		}
	}
	return nil
}

// command shows a command line, and what it prints. That it exits 1 is an answer as well.
func (t *tutorial) command(ctx context.Context, line string) error {
	t.say("\n$ %s", line)
	shell := exec.CommandContext(ctx, "sh", "-c", ". ./variables; "+line+"; echo \"[exit $?]\"")
	shell.Dir = t.dir
	shell.Env = append(os.Environ(), "PATH="+t.Programs+":"+os.Getenv("PATH"))
	out, err := shell.CombinedOutput()
	for text := range strings.Lines(string(out)) {
		t.say("  %s", strings.TrimSuffix(text, "\n"))
	}
	return err
}

// hang makes the master hang until the Sentinels have chosen another.
func (t *tutorial) hang(ctx context.Context, book *ledger.Ledger) error {
	t.say("\n▶ redis-cli -p 7001 debug sleep %.0f\n", asleep.Seconds())
	start := time.Now()
	go func() {
		server := client.New(oldMaster, direct, 2*asleep, 0)
		defer server.Close()
		server.Do(ctx, "DEBUG", "SLEEP", asleep.Seconds()) // it answers when it wakes, if at all
	}()
	if err := netlab.Until(ctx, func(ctx context.Context) error {
		if now := masterNow(ctx); now != newMaster {
			return fmt.Errorf("the Sentinels name %q", now)
		}
		return nil
	}); err != nil {
		return err
	}
	if err := book.WaitAcknowledged(ctx, 100); err != nil {
		return err
	}
	t.timeline.add(event{book.Report().Outage.To, "client", "first write acknowledged again"})
	t.timeline.print(t.Out, start, time.Now())
	for _, line := range []string{
		"redis-vip explain --node " + oldMaster + " --expect master",
		"redis-vip explain --node " + newMaster + " --expect master",
	} {
		if err := t.command(ctx, line); err != nil {
			return err
		}
	}
	rest(ctx, time.Until(start.Add(asleep)))
	return nil
}

// wake is what comes then: for a while there are two that call themselves a master.
func (t *tutorial) wake(ctx context.Context) error {
	t.say("\n▶ 7001 wakes. It knows of nothing: it is a master, as it was\n")
	server := client.New(oldMaster, direct, time.Second, 0)
	defer server.Close()
	start := time.Now()
	if err := netlab.Until(ctx, func(ctx context.Context) error { return server.Ping(ctx).Err() }); err != nil {
		return err
	}
	for _, line := range []string{
		"redis-cli -p 7001 role | head -n 1",
		"redis-check NOT_USED NOT_USED 127.0.0.1 7001",
		"redis-check NOT_USED NOT_USED 127.0.0.1 7002",
		"redis-vip explain --node " + oldMaster + " --expect master",
		"redis-cli -p 7001 set late write",
		"REDIS_VIP_NODE=" + oldMaster + " sentinel-reconfig mymaster observer start 127.0.0.1 7001 127.0.0.1 7002",
		"redis-vip preserved list",
	} {
		if err := t.command(ctx, line); err != nil {
			return err
		}
	}
	t.say("\n▶ and follows the new one\n")
	if err := netlab.Until(ctx, func(ctx context.Context) error {
		role, err := server.Do(ctx, "ROLE").Slice()
		if err == nil && (role[0] != "slave" || role[3] != "connected") {
			err = fmt.Errorf("it is a %v", role[0])
		}
		return err
	}); err != nil {
		return err
	}
	t.timeline.print(t.Out, start, time.Now())
	return nil
}

func direct(ctx context.Context, network, address string) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, network, address)
}

// dialMaster connects to the master that the Sentinels name: what a client does that
// knows Sentinel. The address that it is given does not matter.
func dialMaster(ctx context.Context, network, _ string) (net.Conn, error) {
	address := masterNow(ctx)
	if address == "" {
		return nil, io.ErrUnexpectedEOF
	}
	return direct(ctx, network, address)
}

// masterNow is whom the first Sentinel names that answers.
func masterNow(ctx context.Context) string {
	for _, address := range lessonSentinels {
		sentinel := client.New(address, direct, 200*time.Millisecond, 0)
		pair, err := sentinel.Do(ctx, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", "mymaster").StringSlice()
		sentinel.Close()
		if err == nil {
			return pair[0] + ":" + pair[1]
		}
	}
	return ""
}
