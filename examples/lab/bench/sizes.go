package bench

import (
	"fmt"
	"os"
	"path/filepath"
)

// sizes lists how large the programs are.
func (b *Bench) sizes() error {
	fmt.Fprintf(b.Out, "\non the disk\n")
	for _, program := range []struct{ name, file string }{
		{"redis-vip: the one binary of the packages", "redis-vip"},
		{"redis-check of go install", "redis-check"},
		{"notify-master of go install", "notify-master"},
		{"sentinel-reconfig of go install", "sentinel-reconfig"},
	} {
		info, err := os.Stat(filepath.Join(b.Programs, program.file))
		if err != nil {
			return err
		}
		b.table.note(program.name, "%.1f MB", float64(info.Size())/1e6)
	}
	return nil
}
