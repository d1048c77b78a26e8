package config

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// copyPath is where the last good copy of a file lies.
func copyPath(stateDir, path string) string {
	return filepath.Join(stateDir, filepath.Base(path)+".good")
}

// keep makes the last good copy equal to the document. While nothing changes
// it costs one small read. Times and sizes are not compared: they can be equal
// when the content is not, and not every file system keeps them exactly.
//
// The error, a warning to the caller, is an *[Error].
func (d *document) keep(stateDir string) error {
	path := copyPath(stateDir, d.path)
	old, info, err := readRegular(path, maxConfig, syscall.O_NOFOLLOW)
	// The content of one that would not be believed is worth nothing.
	if err == nil && bytes.Equal(old, d.data) && believable(path, info) == nil {
		return nil
	}
	if err := replace(path, d.data); err != nil {
		return &Error{
			File: path, Problem: "the last good configuration cannot be kept: " + reason(err),
			Remedy: "create the directory for the user of the programs, mode 0750",
		}
	}
	return nil
}

// replace writes the file so that a reader, or a crash of this process, finds
// the old one or the new one. It does not wait for the disk: this runs inside
// a health check, a busy disk can take seconds, and a copy that a power cut
// has torn differs from the document, so that the next run writes it anew.
func replace(path string, data []byte) (err error) {
	dir, err := os.Stat(filepath.Dir(path))
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	if os.Geteuid() == 0 {
		// Made by root today, replaced by the programs' own user tomorrow.
		o := ownerOf(dir)
		err = f.Chown(int(o.uid), int(o.gid))
	}
	if err == nil {
		_, err = f.Write(data)
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	return err
}

// believable is nil if only root, the running user or, for root, the owner of
// the directory can have written the copy.
func believable(path string, info fs.FileInfo) error {
	dir, err := os.Stat(filepath.Dir(path))
	if err != nil {
		return err
	}
	if os.Geteuid() == 0 {
		if of := ownerOf(info).uid; of != 0 && of != ownerOf(dir).uid {
			return &Error{File: path, Problem: fmt.Sprintf("belongs to user %d", of), Remedy: "remove it"}
		}
		return writtenByGroups(path, info, dir)
	}
	if err := writtenByOthers(filepath.Dir(path), dir); err != nil {
		return err
	}
	return writtenByOthers(path, info)
}

// writtenByGroups is writtenByOthers without the question whose it is.
func writtenByGroups(path string, infos ...fs.FileInfo) error {
	for _, info := range infos {
		mode := info.Mode()
		if mode&0o002 != 0 || mode&0o020 != 0 && ownerOf(info).gid != 0 {
			return &Error{File: path, Problem: "may be written by others, or its directory may", Remedy: "chmod go-w both"}
		}
	}
	return nil
}

// lastGood finds the copy for the file. A state folder that the broken file
// names on its readable first lines counts.
func (l *loader) lastGood(broken *document) (*document, access, time.Time, error) {
	dir := l.overrides.StateDir
	if dir == "" && broken != nil {
		dir = broken.stateDir()
	}
	if !filepath.IsAbs(dir) {
		dir = DefaultStateDir
	}
	path := copyPath(dir, l.path())
	data, info, err := readRegular(path, maxConfig, syscall.O_NOFOLLOW)
	if err == nil {
		err = believable(path, info)
	}
	if err != nil {
		return nil, access{}, time.Time{}, err
	}
	var a access
	if o := ownerOf(info); os.Geteuid() == 0 && o.uid != 0 {
		a.onlyFor = &o
	}
	return &document{path, data}, a, info.ModTime(), nil
}

// fallBack serves what can still be served although cause has broken the
// configuration: the last good copy; else the file without the secrets or
// certificates that cannot be read, for a server's "wrong password" is a better
// answer than none; else the copy without them. Whatever it is, the warnings
// begin with the cause.
func (l *loader) fallBack(doc *document, readable bool, cause error) ([]Group, Source, error) {
	source := Source{}
	if doc != nil {
		source.File = doc.path
	}
	var good *document
	var as access
	var saved time.Time
	missing := error(nil)
	if !readable || doc != nil { // flags alone have no copy
		good, as, saved, missing = l.lastGood(doc)
	}
	serve := func(groups []Group, warnings []error) ([]Group, Source, error) {
		source.File, source.LastGood = good.path, true
		loud := &Error{File: good.path, Problem: "the configuration is broken and the last good copy, saved " +
			saved.Format(time.RFC3339) + ", serves", Remedy: "repair: " + cause.Error()}
		source.Warnings = append([]error{loud}, warnings...)
		return groups, source, nil
	}
	if good != nil {
		if groups, _, err := l.parse(good, as); err == nil {
			return serve(groups, nil)
		}
	}
	if readable {
		if groups, warnings, err := l.parse(doc, access{lenient: true}); err == nil {
			source.Warnings = warnings
			return groups, source, nil
		}
	}
	if good != nil {
		as.lenient = true
		if groups, warnings, err := l.parse(good, as); err == nil {
			return serve(groups, warnings)
		}
	}
	if missing != nil && !errors.Is(missing, fs.ErrNotExist) {
		cause = errors.Join(cause, &Error{File: l.path(), Problem: "there is no last good copy either: " + missing.Error()})
	}
	return nil, source, cause
}
