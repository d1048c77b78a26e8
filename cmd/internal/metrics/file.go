package metrics

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Path is the file for a group, where place is a file or a folder: `redis-vip-GROUP.prom`
// is in the latter. node_exporter reads no file with another ending.
func Path(place, group string) (string, error) {
	if !filepath.IsAbs(place) {
		return "", fmt.Errorf("%q is no absolute path", place)
	}
	if strings.HasSuffix(place, ".prom") {
		return place, nil
	}
	if info, err := os.Stat(place); err != nil {
		return "", fmt.Errorf("%w: make the folder, or name a file in one that ends in .prom", err)
	} else if !info.IsDir() {
		return "", fmt.Errorf("%s: node_exporter reads only what ends in .prom", place)
	}
	return filepath.Join(place, "redis-vip-"+group+".prom"), nil
}

// Write puts text into the file in one step: whoever reads it, and every user may,
// sees the old one or the new. It waits for the disk.
func Write(path string, text []byte) error {
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*") // without the ending: not read
	var failed *fs.PathError
	if errors.As(err, &failed) { // it names the temporary file, each time another
		return fmt.Errorf("cannot write %s: %w", path, failed.Err)
	}
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	err = errors.Join(err, file.Chmod(0o644)) // keepalived's umask is 0177
	if err = errors.Join(err, file.Close()); err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		os.Remove(file.Name())
	}
	return err
}
