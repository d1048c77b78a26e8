package vip_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"

	"redis-vip/hooks/vip"
)

func at(s string) vip.VIP       { return vip.VIP{Prefix: netip.MustParsePrefix(s)} }
func on(name, s string) vip.VIP { v := at(s); v.Interface = name; return v }
func bounded(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

func held(t *testing.T, v vip.VIP, want bool) {
	t.Helper()
	got, err := v.Held()
	must(t, err)
	if got != want {
		t.Fatalf("%s held: %v, want %v", v, got, want)
	}
}

func changed(t *testing.T, want bool) func(got bool, err error) {
	return func(got bool, err error) {
		t.Helper()
		must(t, err)
		if got != want {
			t.Fatalf("changed: %v, want %v", got, want)
		}
	}
}

func equal[T any](t *testing.T, what string, got, want T) {
	t.Helper()
	if g, w := fmt.Sprint(got), fmt.Sprint(want); g != w {
		t.Fatalf("%s:\n got %s\nwant %s", what, g, w)
	}
}

// fails checks an error's kind and that its text says what to do.
func fails(t *testing.T, err, kind error, remedy string) {
	t.Helper()
	if !errors.Is(err, kind) || !strings.Contains(err.Error(), remedy) {
		t.Fatalf("error %q: want one that is %q and says %q", err, kind, remedy)
	}
}

// descriptors counts the open files of this process.
func descriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	must(t, err)
	return len(entries)
}
