package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"redis-vip/checks/node/nodetest"
	"redis-vip/examples/lab/fault"
	"redis-vip/examples/lab/netlab"
	"redis-vip/examples/lab/site"
)

// another is a folder with copies of the machine's programs under Valkey's names, and a
// redis.conf in which something is different.
func another(t *testing.T) nodetest.Servers {
	t.Helper()
	dir := t.TempDir()
	for name, program := range map[string]string{"valkey-server": "redis-server", "valkey-cli": "redis-cli", "vrrp": "keepalived"} {
		path, err := exec.LookPath(program)
		if err != nil {
			t.Fatal(err)
		}
		content, err := os.ReadFile(path)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), content, 0o755)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	conf := "dir /no/such\nlogfile /no/such\nmaxclients 4321\n"
	if err := os.WriteFile(filepath.Join(dir, "valkey.conf"), []byte(conf), 0o644); err != nil {
		t.Fatal(err)
	}
	return nodetest.Servers{Folder: dir, Keepalived: filepath.Join(dir, "vrrp")}
}

// The hosts run what is in the folder, at the paths of the distribution.
func TestOtherServers(t *testing.T) {
	t.Parallel()
	netlab.Require(t, "redis-server", "redis-cli", "keepalived")
	servers := another(t)
	ctx, pair := start(t, site.Pair, site.Options{Servers: servers})
	n := pair.Nodes[0]
	for at, program := range map[string]string{
		"/usr/bin/redis-server": "valkey-server", "/usr/bin/redis-cli": "valkey-cli", "/usr/sbin/keepalived": "vrrp",
	} {
		theirs, err := os.Stat(filepath.Join(servers.Folder, program))
		if err != nil {
			t.Fatal(err)
		}
		// Seen from here, the host's file is the very file of the folder.
		ours, err := os.Stat(filepath.Join("/proc", strconv.Itoa(n.PID()), "root", at))
		if err != nil || !os.SameFile(ours, theirs) {
			t.Errorf("%s is not that of the folder (%v)", at, err)
		}
	}
	if got, err := n.Redis.ConfigGet(ctx, "maxclients").Result(); err != nil || got["maxclients"] != "4321" {
		t.Errorf("maxclients %v, %v", got, err)
	}
}

func TestMatrix(t *testing.T) {
	t.Parallel()
	netlab.Require(t, "redis-server", "redis-cli", "keepalived")
	var out bytes.Buffer
	m := matrix{
		Versions: []nodetest.Servers{another(t), {}}, Parallel: 2, Out: &out,
		Options: fault.Options{Hooks: fault.Ours, Programs: programs},
	}
	if err := m.Run(t.Context(), []string{"start", "sentinel-start"}); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	row := regexp.MustCompile(`(?m)^\| Redis [0-9.]+ \| [0-9.]+ \| [0-9.]+ s \| [0-9.]+ s \|$`)
	if rows := row.FindAllString(out.String(), -1); len(rows) != 2 {
		t.Errorf("%d rows:\n%s", len(rows), out.String())
	}
	if !strings.Contains(out.String(), "| server | keepalived | start | sentinel-start |\n|---|---|---|---|\n") {
		t.Errorf("no head:\n%s", out.String())
	}
}

// What cannot be run is told before anything runs.
func TestMatrixRefuses(t *testing.T) {
	netlab.Require(t, "redis-server", "keepalived")
	for says, m := range map[string]matrix{
		"valkey-server": {Versions: []nodetest.Servers{{}, {Folder: t.TempDir()}}},
		"/no/such":      {Versions: []nodetest.Servers{{}, {Keepalived: "/no/such"}}},
	} {
		m.Out = io.Discard
		if err := m.Run(context.Background(), []string{"start"}); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", says, err)
		}
	}
	if err := (matrix{}).Run(context.Background(), []string{"redis-killed-back"}); err == nil || !strings.Contains(err.Error(), "no such fault") {
		t.Errorf("a name that several begin with: %v", err)
	}
}

func TestMatrixCell(t *testing.T) {
	for want, r := range map[string]fault.Result{
		"1.1 s (12)":            {Outage: 1_120_000_000, Lost: 12, Preserved: 12},
		"0.0 s, **2 lost**":     {Lost: 2},
		"0.0 s (1), **1 lost**": {Lost: 2, Preserved: 1},
	} {
		if got := cell(r, nil); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if got := cell(fault.Result{}, io.EOF); got != "**failed**" {
		t.Error(got)
	}
}
