package preserve

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func save(t *testing.T, s Store, m Meta) File {
	t.Helper()
	d, err := s.draft()
	if err != nil {
		t.Fatal(err)
	}
	defer d.discard()
	d.Write([]byte("*1\r\n$4\r\nPING\r\n"))
	f, err := d.keep(m)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func meta(hour int) Meta {
	return Meta{
		Group: "g", When: time.Date(2026, 11, 20, hour, 1, 2, 0, time.UTC), Kind: Suffix, ReplID: "0123456789abcdef",
		Divergence: Divergence{Reason: Deposed, From: 5, To: 18},
	}
}

func TestStore(t *testing.T) {
	s := Store{Dir: t.TempDir(), Group: "g", Keep: 3}
	if files, err := s.List(); err != nil || len(files) > 0 {
		t.Errorf("before the first: %v, %v", files, err)
	}
	f := save(t, s, meta(0))
	if want := "20261120T000102Z-01234567-5-18.resp"; f.Name() != want {
		t.Errorf("name %s, want %s", f.Name(), want)
	}
	got, err := s.Find(f.Name())
	if err != nil || fmt.Sprint(got) != fmt.Sprint(f) || got.Reason != Deposed {
		t.Errorf("%+v, %v; want %+v", got, err, f)
	}
	os.Remove(f.Path + sidecar)
	if got, err := s.Find(f.Path); err != nil || got.From != 5 || got.To != 18 || got.Kind != Suffix || !got.When.Equal(f.When) {
		t.Errorf("without sidecar: %+v, %v", got, err)
	}
	for _, name := range []string{"x", "../g/" + f.Name() + "x", "20261120T000102Z-01234567-5-18.exe"} {
		if _, err := s.Find(name); err == nil {
			t.Errorf("%s is found", name)
		}
	}
}

func TestPrune(t *testing.T) {
	s := Store{Dir: t.TempDir(), Group: "g", Keep: 3}
	for hour := range 6 {
		f := save(t, s, meta(hour))
		if hour%2 == 0 { // 0, 2, 4
			f.update(func(m *Meta) { m.Replayed = &Replayed{Done: true} })
		} else if hour == 3 {
			f.update(func(m *Meta) { m.Replayed = &Replayed{} }) // begun
		}
	}
	left := func() (hours []int) {
		files, err := s.List()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			hours = append(hours, f.When.Hour())
		}
		return hours
	}
	s.prune()
	if got := left(); !slices.Equal(got, []int{5, 3, 1}) {
		t.Errorf("left %v", got)
	}
	s.Keep = 1
	s.prune()
	if got := left(); !slices.Equal(got, []int{5, 3, 1}) {
		t.Errorf("what was not replayed is gone: %v", got)
	}
}

func TestSweep(t *testing.T) {
	s := Store{Dir: t.TempDir(), Group: "g"}
	f := save(t, s, meta(0))
	working, err := s.draft()
	if err != nil {
		t.Fatal(err)
	}
	defer working.discard()
	for _, name := range []string{draftPrefix + "1-1", draftPrefix + "1-2.json", meta(1).fileName() + sidecar, "notes.txt"} {
		if err := os.WriteFile(filepath.Join(s.folder(), name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	save(t, s, meta(2))
	root, err := s.open()
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	got := list(root)
	slices.Sort(got)
	want := []string{working.name, f.Name(), f.Name() + sidecar, meta(2).fileName(), meta(2).fileName() + sidecar, "notes.txt"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestReplayOnce(t *testing.T) {
	s := Store{Dir: t.TempDir(), Group: "g"}
	f := save(t, s, meta(0))
	lock, err := f.lock()
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if _, err := f.lock(); !errors.Is(err, ErrReplaying) || errors.Is(err, unix.EWOULDBLOCK) {
		t.Error(err)
	}
}

func TestPolicy(t *testing.T) {
	for _, p := range []Policy{Require, Try, Off} {
		text, _ := p.MarshalText()
		var got Policy
		if err := got.UnmarshalText(text); err != nil || got != p {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	var p Policy
	if err := p.UnmarshalText([]byte("yes")); err == nil {
		t.Error("preserve = yes")
	}
}
