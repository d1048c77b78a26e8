package lint

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
)

// AskUnits asks systemd about the packages' units; those that are not there are left
// out.
func AskUnits(ctx context.Context) (map[string]Unit, error) {
	args := []string{"show", "--property=Id,LoadState,ActiveState,User,Restart,NoExecPaths,ExecPaths"}
	for _, name := range slices.Concat(redisUnits, sentinelUnits) {
		args = append(args, name+".service")
	}
	args = append(args, reconcileTimer)
	out, err := exec.CommandContext(ctx, "systemctl", args...).Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		first, _, _ := strings.Cut(strings.TrimSpace(string(exit.Stderr)), "\n")
		return nil, fmt.Errorf("systemctl: %s", cmp.Or(first, err.Error()))
	}
	if err != nil {
		return nil, err
	}
	return parseUnits(out), nil
}

// parseUnits reads NAME=VALUE lines; an empty line ends a unit.
func parseUnits(text []byte) map[string]Unit {
	units := map[string]Unit{}
	for block := range bytes.SplitSeq(text, []byte("\n\n")) {
		value := map[string]string{}
		for line := range strings.Lines(string(block)) {
			name, v, _ := strings.Cut(strings.TrimSpace(line), "=")
			value[name] = v
		}
		if value["LoadState"] != "loaded" {
			continue
		}
		// An alias answers with the name of the unit that it stands for.
		name := strings.TrimSuffix(value["Id"], ".service")
		units[name] = Unit{
			Name: name, Active: value["ActiveState"] == "active", User: value["User"], Restart: value["Restart"],
			NoExecPaths: strings.Fields(value["NoExecPaths"]), ExecPaths: strings.Fields(value["ExecPaths"]),
		}
	}
	return units
}
